"""Weighs the detectors on captures: false alarms, and attacks laid over."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_host.options import Json, Seed, milliseconds, say, together


def evaluate(
    captures: Annotated[
        list[str],
        typer.Argument(help="Benign captures, each as FILE@ADDRESS (MAC or IP of its device)."),
    ],
    infected: Annotated[
        str | None, typer.Option(help="Capture of an infected device, FILE@ADDRESS, to lay over.")
    ] = None,
    window: Annotated[str, typer.Option(help="Length of a window.")] = "10s",
    false_alarms: Annotated[str, typer.Option(help="False alarms accepted.")] = "1/week",
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Train on the beginning of each capture, count false alarms in its end,
    and lay attacks over that.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from inlier_export.inputs import check_input
    from inlier_trainer import overlays, threshold
    from inlier_trainer.evaluate import evaluate as run
    from inlier_trainer.pcap.count import device_address
    from inlier_trainer.progress import bars

    devices = [_capture(text) for text in [*captures, *([infected] if infected else [])]]
    together(
        lambda: threshold.rate_per_window(false_alarms, milliseconds(window)),
        *(partial(check_input, path, "capture") for path, _ in devices),
        *(partial(device_address, address) for _, address in devices),
    )
    window_ms = milliseconds(window)
    attacks = overlays.synthetic(window_ms)
    if infected is not None:
        attacks.insert(0, overlays.infected(*_capture(infected), window_ms))
    with bars(quiet=as_json) as progress:
        results = [
            run(*_capture(text), window_ms, false_alarms, seed, attacks, progress)
            for text in captures
        ]
    if as_json:
        print(json.dumps({"captures": [result.summary() for result in results]}))
        return
    for result in results:
        table = Table("attack", "seen at", "seconds to alarm, median", "worst", "unseen windows")
        for laid in result.overlays:
            delays = [
                "" if delay is None else f"{delay:g}"
                for delay in (laid.delay_s, laid.worst_delay_s)
            ]
            table.add_row(
                Text(printable(laid.name)),
                f"{laid.detected_starts} of {laid.starts} starts",
                *delays,
                f"{100 * laid.unseen:.0f} %",
            )
        Console().print(table)
        say(
            f"{result.name}: {result.alarm_episodes} false alarms in {result.days:.2f} test days "
            f"({result.alarm_episodes_per_week:.1f} a week); model of {result.model_bytes} bytes; "
            f"{result.silent_windows_left_out} windows of long silence left out"
        )


def _capture(text: str) -> tuple[Path, str]:
    path, at, device = text.rpartition("@")
    if not at:
        raise BadInput(
            f"{text}: say whose capture it is, as FILE@ADDRESS, such as hub.pcap@24:6f:28:d9:a7:64"
        )
    return Path(path), device
