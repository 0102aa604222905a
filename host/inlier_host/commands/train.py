"""The command that makes a model of benign windows."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from inlier_export.printable import printable
from inlier_host.options import Json, Seed, check_training, layer_sizes, milliseconds, say


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
    source: Annotated[str, typer.Option(help="Source that counted them.")] = "sockets",
    window: Annotated[str, typer.Option(help="Length of a window.")] = "10s",
    false_alarms: Annotated[str, typer.Option(help="False alarms accepted.")] = "1/week",
    hidden: Annotated[str, typer.Option(help="Hidden layers of the autoencoder.")] = "16",
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
    module: Annotated[
        Path | None, typer.Option(help="Also write a Python module of bytes, for freezing.")
    ] = None,
    golden: Annotated[Path | None, typer.Option(help="Also write golden vectors (JSON).")] = None,
    tflite: Annotated[
        Path | None, typer.Option(help="Also write the autoencoder as int8 TFLite.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit both detectors on benign windows, calibrate them and write the model."""
    import numpy as np

    from inlier_trainer.added import keep_quiet, read_marked, weave
    from inlier_trainer.files import write_atomic
    from inlier_trainer.progress import bars
    from inlier_trainer.recordings import check, read_windows
    from inlier_trainer.sources import counters_of
    from inlier_trainer.train import WINDOWS_MIN, Settings
    from inlier_trainer.train import train as fit
    from inlier_trainer.units import leave_each_out

    outputs = [out, module, golden, tflite]
    constants, adds = allow_constant or [], add or []
    check_training(recordings, outputs, source, window, false_alarms, hidden, constants, adds)
    counters = counters_of(source)
    constant = (
        set(counters) if allow_constant and "all" in allow_constant else set(allow_constant or ())
    )
    settings = Settings(
        source=source,
        counters=counters,
        window_ms=milliseconds(window),
        hidden=layer_sizes(hidden),
        false_alarms=false_alarms,
        seed=seed,
        allow_constant=constant,
        accept_anomalies=accept_anomalies,
    )
    with bars(quiet=as_json) as progress:
        units = [read_windows(path, counters) for path in recordings]
        origins = [str(path) for path in recordings]
        together = ", ".join(origins)
        for unit, origin in zip(units, origins, strict=True):
            check(unit, counters, origin, WINDOWS_MIN, set(counters))
        recorded = units[0]
        marked = [read_marked(text, counters) for text in add or ()]
        units[0] = weave(recorded, marked)
        result = fit(
            np.concatenate(units), settings, together, progress, [len(unit) for unit in units]
        )
        left_out = leave_each_out(units, settings, origins, progress) if len(units) > 1 else []
        learned = result.detector
        if marked:
            result = result.with_detector(keep_quiet(learned, recorded, marked))
        summary = {**result.summary(), "left_out": [tested.summary() for tested in left_out]}
        if marked:
            summary |= {
                "added_windows": sum(len(span) for span in marked),
                "threshold_ae_learned": learned.threshold_ae,
                "threshold_svm_learned": learned.threshold_svm,
            }
        test = result.test_windows
        extra: list[tuple[Path, bytes]] = []
        if module:
            from inlier_export.model_file import python_module

            extra.append((module, python_module(result.blob).encode()))
        if golden:
            from inlier_export.golden import dump

            extra.append((golden, dump(result.detector, test)))
        if tflite:
            from inlier_export.golden import windows as golden_windows
            from inlier_export.tflite import compare, to_tflite

            progress("TFLite", 0, 1)
            content = to_tflite(result.float_layers, result.x_fit)
            deviation = compare(content, result.detector, golden_windows(test))
            extra.append((tflite, content))
            summary["tflite"] = {"bytes": len(content), **asdict(deviation)}
            progress("TFLite", 1, 1)
    for path, content in [*extra, (out, result.blob)]:
        write_atomic(path, content)
    if as_json:
        print(json.dumps({"model": str(out), **summary}))
        return
    say(
        f"{out}: {len(result.blob)} bytes, {summary['features']} features, knots {summary['knots']}"
    )
    print(
        f"thresholds: autoencoder {summary['threshold_ae']}, SVM {summary['threshold_svm']} "
        f"for at most {false_alarms} false alarms; on {summary['test_windows']} unseen benign "
        f"windows: "
        f"{summary['test_hot_windows']} over threshold, {summary['test_alarms']} alarms"
    )
    for name, band in (
        ("autoencoder", result.interval(result.unseen_ae)),
        ("SVM", result.interval(result.unseen_svm)),
    ):
        if band:
            print(
                f"the {name}'s scores reach {band[0]} to {band[1]} at that rate (80 % interval "
                f"of the tail fit)"
            )
    if short := result.shortage():
        hours = short.windows_more * settings.window_ms / 3_600_000
        print(
            f"inlier: {printable(together)}: {result.windows} windows are too few to answer for "
            f"{false_alarms}: "
            f"record {hours:.1f} hours more, or say --false-alarms {short.answerable}, which "
            f"they can tell",
            file=sys.stderr,
        )
    for tested in left_out:
        say(
            f"{tested.recording} left out: {tested.alarm_episodes} false alarms in its "
            f"{tested.days:.2f} days"
        )
    if marked:
        print(
            f"{summary['added_windows']} windows learned as benign; learned thresholds "
            f"{learned.threshold_ae} and "
            f"{learned.threshold_svm}, raised no further than keeps those windows quiet"
        )
    for anomaly in result.anomalies:
        say(f"accepted: {anomaly.said()}")
    if tflite:
        say(
            f"{tflite}: on {deviation.windows} golden windows its reconstruction is off ours by "
            f"at most {deviation.largest} "
            f"quanta, {deviation.mean} on average; alarm decisions that differ: "
            f"{deviation.decisions_differing}"
        )
