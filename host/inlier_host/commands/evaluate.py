"""Weighs the detectors on captures: false alarms, and attacks laid over."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_host.options import (
    Detectors,
    FalseAlarms,
    Json,
    Seed,
    milliseconds,
    one_of,
    say,
    together,
)
from inlier_trainer.figures import number_of, rate

if TYPE_CHECKING:
    from inlier_trainer.evaluate import Evaluation


def evaluate(
    captures: Annotated[
        list[str],
        typer.Argument(help="Benign captures, each as FILE@ADDRESS (MAC or IP of its device)."),
    ],
    infected: Annotated[
        str | None, typer.Option(help="Capture of an infected device, FILE@ADDRESS, to lay over.")
    ] = None,
    units: Annotated[
        bool,
        typer.Option("--units", help="They are units of one type: leave each out, test it whole."),
    ] = False,
    as_source: Annotated[
        str,
        typer.Option("--as", help="Source that would have counted there: packets or sockets."),
    ] = "packets",
    window: Annotated[str, typer.Option(help="Length of a window.")] = "10s",
    false_alarms: FalseAlarms = "1/week",
    detectors: Detectors = "both",
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Train on the beginning of captures, and attack their end.

    Says how many false alarms there are in the end, and how long after its
    beginning each attack that is laid over it is seen.

    Example: inlier evaluate hub.pcap.gz@24:6f:28:d9:a7:64
    """
    from inlier_export.inputs import check_input
    from inlier_trainer import overlays
    from inlier_trainer.evaluate import evaluate as run
    from inlier_trainer.evaluate import evaluate_units, read, settings
    from inlier_trainer.pcap.count import TWINS, device_address
    from inlier_trainer.progress import bars
    from inlier_trainer.threshold import per_week
    from inlier_trainer.trainer import DETECTORS

    named = [_capture(text) for text in captures]
    devices = [*named, *([_capture(infected)] if infected is not None else [])]
    together(
        lambda: milliseconds(window),
        lambda: per_week(false_alarms),
        lambda: one_of("--detectors", detectors, DETECTORS),
        lambda: one_of("--as", as_source, TWINS),
        lambda: _check_units(units, len(named)),
        *(partial(check_input, path, "capture") for path, _ in devices),
        *(partial(device_address, address) for _, address in devices),
    )
    window_ms = milliseconds(window)
    attacks = overlays.synthetic(window_ms, as_source)
    if infected is not None:
        attacks = [*overlays.infected(*devices[-1], window_ms, as_source), *attacks]
    chosen = settings(window_ms, false_alarms, seed, detectors, as_source)
    with bars(quiet=as_json) as progress:
        counted = [read(path, device, window_ms, progress, as_source) for path, device in named]
        results = (
            list(evaluate_units(counted, chosen, attacks, progress))
            if units
            else [run(capture, chosen, attacks, progress) for capture in counted]
        )
    if as_json:
        print(json.dumps({"captures": [result.summary() for result in results]}))
        return
    for result in results:
        _show(result)
    novel, days = sum(r.novel_alarms for r in results), sum(r.novel_days for r in results)
    if not units:
        print(
            f"new kinds of benign events, all captures: {number_of(novel, 'alarm')} in "
            f"{days:.1f} days of left-out folds, {rate(7 * novel / days)} a week"
        )


def _show(result: "Evaluation") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("attack", "seen at", "seconds to alarm, median", "worst", "unseen windows")
    for laid in result.overlays:
        delays = [
            "" if delay is None else f"{delay:g}" for delay in (laid.delay_s, laid.worst_delay_s)
        ]
        seen = f"{laid.detected_starts} of {laid.starts} starts"
        table.add_row(Text(printable(laid.name)), seen, *delays, f"{100 * laid.unseen:.0f} %")
    Console().print(table)
    low, high = result.novel_interval
    say(
        f"{result.name}: {number_of(result.alarm_episodes, 'false alarm')} in "
        f"{result.days:.2f} test days; "
        f"{result.novel_alarms} on left-out folds of {result.novel_days:.2f} days, so that "
        f"{rate(result.novel_per_week)} a week ({rate(low)} to {rate(high)}) are expected of "
        f"new kinds of events; model of {result.model_bytes} bytes; "
        f"{number_of(result.silent_windows_left_out, 'window')} of long silence left out"
    )


def _check_units(units: bool, captures: int) -> None:
    if units and captures < 2:
        raise BadInput("--units: give two captures at least, one is left out in turn")


def _capture(text: str) -> tuple[Path, str]:
    path, at, device = text.rpartition("@")
    if not at:
        raise BadInput(
            f"{text}: say whose capture it is, as FILE@ADDRESS, such as hub.pcap@24:6f:28:d9:a7:64"
        )
    return Path(path), device
