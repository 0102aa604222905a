"""The commands that turn traffic, live or captured, into windows, and weigh a model on captures."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from .cli_deploy import record_board
from .errors import BadInput
from .options import Json, milliseconds


def record(
    out: Annotated[Path, typer.Option("--out", "-o", help="The CSV to write; of a capture or a board also Parquet.")] = Path(
        "windows.csv"
    ),
    source: Annotated[str, typer.Option(help="Source that counts.")] = "procfs",
    window: Annotated[str, typer.Option(help="Length of a window.")] = "10s",
    count: Annotated[int, typer.Option(min=1, help="Windows to record.")] = 8640,
    pcap: Annotated[
        Path | None, typer.Option(help="Take the windows from this capture instead (pcap, pcapng, gzip).")
    ] = None,
    device: Annotated[str | None, typer.Option(help="MAC or IP address of the device in the capture.")] = None,
    port: Annotated[
        str | None, typer.Option(help="Take the windows that the board at this serial port prints; auto: the one there is.")
    ] = None,
    ring: Annotated[str | None, typer.Option(help="Of the board: take those kept in this ring of files instead.")] = None,
    restart: Annotated[bool, typer.Option(help="Of the board: begin its main.py again first.")] = False,
    model: Annotated[Path | None, typer.Option(help="Of the board: compare the scores it prints with this model's.")] = None,
    as_json: Json = False,
) -> None:
    """Record this machine's own windows, a board's, or those that a device in a capture would have counted."""
    from .progress import bars

    if port is not None:
        record_board(port, ring, restart, count, model, out, as_json)
        return
    if pcap is not None:
        _record_capture(pcap, device, milliseconds(window), out, as_json)
        return
    from .record import record as run

    with bars(quiet=as_json) as progress:
        run(source, milliseconds(window), count, out, progress)
    print(json.dumps({"recording": str(out), "windows": count}) if as_json else f"{out}: {count} windows")


def _record_capture(pcap: Path, device: str | None, window_ms: int, out: Path, as_json: bool) -> None:
    from .pcap.count import Pcap
    from .pcap.count import count as run
    from .progress import bars
    from .windows import write_windows

    if device is None:
        raise BadInput("--pcap needs --device: the MAC or IP address of the device whose windows you want")
    with bars(quiet=as_json) as progress:
        counted = run(pcap, device, window_ms, progress)
    write_windows(out, Pcap.counters, counted.windows)
    summary = {
        "recording": str(out),
        "windows": len(counted.windows),
        "packets": counted.packets,
        "silent_windows": int((counted.seen == 0).sum()),
        "broken": counted.broken,
        "telnet": counted.telnet,
    }
    if as_json:
        print(json.dumps(summary))
        return
    if counted.broken:
        print(f"inlier: {counted.broken}", file=sys.stderr)
    if counted.telnet:
        print(
            f"inlier: {pcap}: {device} begins {counted.telnet} telnet connections, as an infected device does; "
            "train on this only if it always does that",
            file=sys.stderr,
        )
    print(f"{out}: {len(counted.windows)} windows of {counted.packets} packets, {summary['silent_windows']} of them silent")


def evaluate(
    captures: Annotated[list[str], typer.Argument(help="Benign captures, each as FILE@ADDRESS (MAC or IP of its device).")],
    infected: Annotated[str | None, typer.Option(help="Capture of an infected device, FILE@ADDRESS, to lay over.")] = None,
    window: Annotated[str, typer.Option(help="Length of a window.")] = "10s",
    false_alarms: Annotated[str, typer.Option(help="False alarms accepted.")] = "1/week",
    seed: int = 1,
    as_json: Json = False,
) -> None:
    """Train on the beginning of each capture, count false alarms in its end, and lay attacks over that."""
    from rich.console import Console
    from rich.table import Table

    from . import overlays
    from .evaluate import evaluate as run
    from .progress import bars

    window_ms = milliseconds(window)
    attacks = overlays.synthetic(window_ms)
    if infected is not None:
        attacks.insert(0, overlays.infected(*_capture(infected), window_ms))
    with bars(quiet=as_json) as progress:
        results = [run(*_capture(text), window_ms, false_alarms, seed, attacks, progress) for text in captures]
    if as_json:
        print(json.dumps({"captures": [result.summary() for result in results]}))
        return
    for result in results:
        table = Table("attack", "seen at", "seconds to alarm, median", "worst", "unseen windows")
        for laid in result.overlays:
            delays = ["" if delay is None else f"{delay:g}" for delay in (laid.delay_s, laid.worst_delay_s)]
            table.add_row(
                laid.name, f"{laid.detected_starts} of {laid.starts} starts", *delays, f"{100 * laid.unseen:.0f} %"
            )
        Console().print(table)
        print(
            f"{result.name}: {result.alarm_episodes} false alarms in {result.days:.2f} test days "
            f"({result.alarm_episodes_per_week:.1f} a week); model of {result.model_bytes} bytes; "
            f"{result.silent_windows_left_out} windows of long silence left out"
        )


def _capture(text: str) -> tuple[Path, str]:
    path, at, device = text.rpartition("@")
    if not at:
        raise BadInput(f"{text}: say whose capture it is, as FILE@ADDRESS, such as hub.pcap@24:6f:28:d9:a7:64")
    return Path(path), device
