"""The command that makes a model of benign windows."""

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_host.libraries import require
from inlier_host.options import (
    Detectors,
    FalseAlarms,
    Json,
    Module,
    Seed,
    milliseconds,
    say,
)
from inlier_trainer import budget
from inlier_trainer.figures import number_of, rate, span
from inlier_trainer.horizons import HORIZONS
from inlier_trainer.threshold import per_week

from .train_options import check, layer_sizes

if TYPE_CHECKING:
    from inlier_export.tflite import Deviation
    from inlier_trainer.learn import Learned
    from inlier_trainer.progress import Progress
    from inlier_trainer.train import Trained

GOLDEN = 64  # windows: of the recording's end
WEEKS_TOLD = 0.5  # of a shorter recording the rate says little


def train(
    recordings: Annotated[
        list[Path],
        typer.Argument(
            help="Benign windows, CSV or Parquet; columns are the source's counters. Of several "
            "units, a file each."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model file to write.")] = Path(
        "model.inlier"
    ),
    source: Annotated[
        str | None,
        typer.Option(
            help="Source that counted them; by default as they say themselves, else sockets."
        ),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(help="Length of a window; by default as they say themselves, else 10s."),
    ] = None,
    false_alarms: FalseAlarms = "1/week",
    hidden: Annotated[str, typer.Option(help="Hidden layers of the autoencoder.")] = "16",
    detectors: Detectors = "both",
    backend: Annotated[
        str, typer.Option(help="What fits the autoencoder: numpy, or keras (an extra).")
    ] = "numpy",
    seed: Seed = 1,
    allow_constant: Annotated[
        list[str] | None,
        typer.Option(help="A counter that may stay constant, or 'all'; may be repeated."),
    ] = None,
    add: Annotated[
        list[str] | None,
        typer.Option(
            help="A false alarm's windows, FILE@START:END, to learn as benign; may be repeated."
        ),
    ] = None,
    accept_anomalies: Annotated[
        bool,
        typer.Option(
            help="Learn also what looks like an infection in the recording; by default it is "
            "refused."
        ),
    ] = False,
    module: Module = None,
    golden: Annotated[Path | None, typer.Option(help="Also write golden vectors (JSON).")] = None,
    tflite: Annotated[
        Path | None, typer.Option(help="Also write the autoencoder as int8 TFLite.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit both detectors on benign windows, and write the model.

    Example: inlier train windows.csv --false-alarms 1/week -o model.inlier
    """
    from inlier_trainer.about import About, agreed
    from inlier_trainer.added import marked
    from inlier_trainer.files import write_atomic
    from inlier_trainer.learn import learn
    from inlier_trainer.learnable import check_constant
    from inlier_trainer.progress import bars
    from inlier_trainer.recordings import table
    from inlier_trainer.sources import counters_of
    from inlier_trainer.trainer import Settings

    require(*(["keras"] if backend == "keras" else []), *(["tensorflow"] if tflite else []))
    constants, adds = allow_constant or [], add or []
    outputs = [out, module, golden, tflite]
    asked = source, window, false_alarms, hidden, detectors, backend
    check(recordings, outputs, *asked, constants, adds)
    if tflite and detectors == "svm":
        raise BadInput("--tflite: a model of --detectors svm has no autoencoder; leave one out")
    tables, more = [table(path) for path in recordings], [marked(text) for text in adds]
    about = agreed(
        [(one.path, one.about) for one in (*tables, *(span.table for span in more))],
        source,
        None if window is None else milliseconds(window),
        About("sockets", 10_000),
    )
    counters = counters_of(about.source)
    constant = set(counters) if "all" in constants else set(constants)
    check_constant(constant, counters)
    settings = Settings(
        source=about.source,
        counters=counters,
        window_ms=about.window_ms,
        hidden=layer_sizes(hidden),
        false_alarms=false_alarms,
        seed=seed,
        detectors=detectors,
        backend=backend,
        allow_constant=constant,
        accept_anomalies=accept_anomalies,
    )
    with bars(quiet=as_json) as progress:
        units = [one.recording(counters).runs for one in tables]
        spans = [run for span in more for run in span.runs(counters)]
        learned = learn(units, [str(path) for path in recordings], settings, spans, progress)
        result, summary = learned.trained, learned.summary()
        written = _other_forms(result, module, golden)
        if tflite:
            content, deviation = _as_tflite(result, progress)
            written.append((tflite, content))
            summary["tflite"] = {"bytes": len(content), **asdict(deviation)}
    for path, content in [*written, (out, result.blob)]:
        write_atomic(path, content)
    if as_json:
        print(json.dumps({"model": str(out), **summary}))
        return
    say(*said(learned, out))
    if not result.choice.met:
        print(printable(shortage(learned)), file=sys.stderr)
    if tflite:
        say(
            f"{tflite}: on {deviation.windows} golden windows its reconstruction is off ours by "
            f"at most {deviation.largest} quanta, {deviation.mean} on average; alarm decisions "
            f"that differ: {deviation.decisions_differing}"
        )


def _other_forms(
    trained: "Trained", module: Path | None, golden: Path | None
) -> list[tuple[Path, bytes]]:
    """Files beside the model, and what is in them."""
    from inlier_export.golden import dump
    from inlier_export.model_file import python_module

    forms: list[tuple[Path, bytes]] = []
    if module:
        forms.append((module, python_module(trained.blob).encode()))
    if golden:
        forms.append((golden, dump(trained.detector, trained.benign[-GOLDEN:])))
    return forms


def _as_tflite(trained: "Trained", progress: "Progress") -> tuple[bytes, "Deviation"]:
    """The autoencoder, and how far it is off ours on golden windows."""
    from inlier_export.golden import windows as golden_windows
    from inlier_export.tflite import compare, to_tflite

    progress("TFLite", 0, 1)
    content = to_tflite(trained.float_layers, trained.x_fit)
    examples = golden_windows(trained.benign[-GOLDEN:])
    deviation = compare(content, trained.detector, examples)
    progress("TFLite", 1, 1)
    return content, deviation


def said(learned: "Learned", out: Path) -> Iterator[str]:
    """What was learned, in sentences."""
    result = learned.trained
    d, choice = result.detector, result.choice
    asked = str(d.metadata["false_alarms"])
    period, weekly = _period(asked)
    window_s = d.window_ms / 1000
    yield (
        f"{out}: {len(result.blob)} bytes, {d.features} features; alarms at "
        + ", ".join(f"{k} of {n} windows" for k, n, _ in d.horizons)
    )
    yield (
        f"for {asked}: {rate(choice.per_week / weekly)} alarms {period} on kinds of benign events "
        f"that were never recorded (80 % interval {rate(choice.low / weekly)} to "
        f"{rate(choice.high / weekly)}); "
        f"{choice.counted} "
        f"in {span(choice.weeks)} of left-out folds, and what other devices showed"
        + ("" if choice.weeks >= WEEKS_TOLD else ", on which it rests: record longer")
    )
    yield (
        f"a made-up small shift of its own counters is seen after {result.delay * window_s:g} s, "
        f"half of the time; at {budget.OTHER} times the false alarms after "
        f"{result.other_delay * window_s:g} s"
    )
    if len(result.plan.horizons) < len(HORIZONS):
        longest = max(n for _, n, _ in d.horizons)
        yield (
            f"the recording is too short for horizons beyond {longest} windows: "
            "what is quiet and lasts is seen late or not at all; record longer"
        )
    if result.quiet_counters:
        yield f"it says that it has gone quiet by {', '.join(result.quiet_counters)}"
    else:
        yield "no counter is always active: that it has gone quiet can't be told"
    for unit in learned.left_out:
        yield (
            f"{unit.recording} left out: {number_of(unit.alarm_episodes, 'false alarm')} in its "
            f"{unit.days:.2f} days"
        )
    if learned.added:
        before = ", ".join(str(limit) for _, _, limit in learned.before.horizons)
        yield (
            f"{number_of(learned.added, 'window')} learned as benign; learned thresholds {before}, "
            "raised no further than keeps those windows quiet"
        )
    for anomaly in result.anomalies:
        yield f"accepted: {anomaly.said()}"


def shortage(learned: "Learned") -> str:
    """What to do where no point on the line keeps the budget."""
    choice = learned.trained.choice
    asked = str(learned.trained.detector.metadata["false_alarms"])
    period, weekly = _period(asked)
    expected = choice.per_week / weekly
    return (
        f"inlier: its own events are too varied, or too little is recorded, to answer for "
        f"{asked}: the most patient model is expected to raise {rate(expected)} {period}; "
        f"record {span(choice.weeks_more)} more, or say --false-alarms "
        f"{math.ceil(expected)}/{asked.partition('/')[2]}"
    )


def _period(asked: str) -> tuple[str, float]:
    """The period of a budget such as "1/hour" in words, and how many of it a
    week has.
    """
    period = asked.partition("/")[2]
    return f"{'an' if period == 'hour' else 'a'} {period}", per_week(f"1/{period}")
