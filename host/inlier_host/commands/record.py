"""Turns traffic into windows: of this machine, of a board, or captured."""

import json
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from inlier_export.errors import BadInput
from inlier_export.printable import printable
from inlier_host.libraries import require
from inlier_host.options import (
    Interface,
    Json,
    goes_without,
    milliseconds,
    needs,
    one_of,
    say,
    together,
)
from inlier_trainer.figures import are, number_of

BOARD = ("ring", "restart", "model")
Checks = list[Callable[[], object]]


def record(
    context: typer.Context,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="The CSV to write; of a capture or a board also Parquet."),
    ] = Path("windows.csv"),
    source: Annotated[str, typer.Option(help="Source that counts.")] = "procfs",
    interface: Interface = None,
    window: Annotated[str, typer.Option(help="Length of a window.")] = "10s",
    count: Annotated[int, typer.Option(min=1, help="Windows to record.")] = 8640,
    pcap: Annotated[
        Path | None,
        typer.Option(help="Take the windows from this capture instead (pcap, pcapng, gzip)."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="MAC or IP address of the device in the capture.")
    ] = None,
    as_source: Annotated[
        str,
        typer.Option(
            "--as",
            help="Source that would have counted there: packets or, as an application's, sockets.",
        ),
    ] = "packets",
    port: Annotated[
        str | None,
        typer.Option(
            help="Take the windows that the board at this serial port prints; auto: the one "
            "there is."
        ),
    ] = None,
    ring: Annotated[
        str | None,
        typer.Option(
            help="Take those kept in this ring of files, of the board or of this machine."
        ),
    ] = None,
    restart: Annotated[
        bool, typer.Option(help="Of the board: begin its main.py again first.")
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(help="Of the board: compare the scores it prints with this model's."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Record windows: this machine's, a board's, or from a capture.

    A capture gives the windows that the device in it would have counted.

    Example: inlier record --window 10s --count 60480 -o windows.csv
    """
    from inlier_trainer.files import check_output
    from inlier_trainer.progress import bars
    from inlier_trainer.recordings import check_kind

    here = port is None and ring is None and pcap is None
    if port is not None or ring is not None:
        checks = _checks_of_board(context, port, ring)
    elif pcap is not None:
        checks = _checks_of_capture(context, pcap, device, as_source)
    else:
        checks = _checks_of_this_machine(context, source)
    together(
        *checks,
        lambda: milliseconds(window),
        # what a ring kept is added to what was fetched before
        lambda: check_output(out, new=ring is None),
        lambda: check_kind(out, by_lines=here),
    )
    if port is not None or ring is not None:
        _record_board(port, ring, restart, count, model, out, as_json)
        return
    if pcap is not None:
        _record_capture(pcap, device or "", as_source, milliseconds(window), out, as_json)
        return
    from inlier_trainer.record import record as run
    from inlier_trainer.sources import open_source

    counting = open_source(source, interface)
    with bars(quiet=as_json) as progress:
        run(counting, milliseconds(window), count, out, progress)
    if as_json:
        print(json.dumps({"recording": str(out), "windows": count}))
    else:
        say(f"{out}: {number_of(count, 'window')}")


def _checks_of_board(context: typer.Context, port: str | None, ring: str | None) -> Checks:
    what = "--ring" if port is None else "--port"
    here = "pcap", "device", "as_source", "source", "interface", "window"
    checks: Checks = [lambda: goes_without(context, what, *here)]
    if ring is not None:
        checks.append(lambda: goes_without(context, "--ring", "count", "restart"))
    return checks


def _checks_of_capture(
    context: typer.Context, pcap: Path, device: str | None, as_source: str
) -> Checks:
    from inlier_export.inputs import check_input
    from inlier_trainer.pcap.count import TWINS

    return [
        lambda: goes_without(context, "--pcap", "source", "interface", "count"),
        lambda: needs(context, "--port", *BOARD),
        lambda: check_input(pcap, "capture"),
        lambda: _check_device(device),
        lambda: one_of("--as", as_source, TWINS),
    ]


def _checks_of_this_machine(context: typer.Context, source: str) -> Checks:
    from inlier_trainer.sources import counters_of

    return [
        lambda: needs(context, "--port", *BOARD),
        lambda: needs(context, "--pcap", "device", "as_source"),
        lambda: counters_of(source),
    ]


def _check_device(address: str | None) -> None:
    from inlier_trainer.pcap.count import device_address

    if address is None:
        raise BadInput(
            "--pcap needs --device: the MAC or IP address of the device whose windows you want"
        )
    device_address(address)


def _record_capture(
    pcap: Path, device: str, source: str, window_ms: int, out: Path, as_json: bool
) -> None:
    from inlier_trainer.about import About, at
    from inlier_trainer.pcap.count import count as run
    from inlier_trainer.progress import bars
    from inlier_trainer.recordings import in_parts, write_parts
    from inlier_trainer.sources import counters_of

    with bars(quiet=as_json) as progress:
        counted = run(pcap, device, window_ms, progress, source)
    about = About(source, window_ms, device, clock=at(counted.first_ns // 10**9))
    cut = len(counted) - 1 if counted.broken else None
    windows = (windows for windows, _ in counted.parts())
    write_parts(out, in_parts(counters_of(source), about, windows, cut))
    summary = {
        "recording": str(out),
        "windows": len(counted),
        "packets": counted.packets,
        "silent_windows": sum(int((seen == 0).sum()) for _, seen in counted.parts()),
        "broken": counted.broken,
        "telnet": counted.telnet,
    }
    if as_json:
        print(json.dumps(summary))
        return
    if counted.broken:
        print(f"inlier: {printable(counted.broken)}", file=sys.stderr)
    if counted.telnet:
        print(
            f"inlier: {printable(str(pcap))}: {device} begins {counted.telnet} telnet "
            f"connections, as an infected device does; "
            "train on this only if it always does that",
            file=sys.stderr,
        )
    say(
        f"{out}: {number_of(len(counted), 'window')} of {number_of(counted.packets, 'packet')}, "
        f"{summary['silent_windows']} of them silent"
    )


def _record_board(
    port: str | None,
    ring: str | None,
    restart: bool,
    count: int,
    model: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """`inlier record --port` and `--ring`."""
    if port is not None:
        require("mpremote", "serial")
    from inlier_boards.serial_line import listen
    from inlier_boards.serial_line.connection import find_port
    from inlier_boards.serial_line.record_board import record
    from inlier_export.model_file import model_of, read_blob
    from inlier_trainer.progress import bars

    blob = None
    if model:
        blob = read_blob(model)
        model_of(model, blob)
    port = find_port() if port == "auto" else port
    if port is None:
        assert ring
        lines, where = listen.kept(ring), ring
    elif ring is None:
        lines, where = listen.live(port, restart), port
    else:
        lines, where = listen.ring(port, ring), port
    with closing(lines), bars(quiet=as_json) as progress:
        done = record(
            lines,
            where,
            out,
            count if ring is None else None,
            blob,
            progress,
            lambda text: print(f"inlier: {printable(text)}", file=sys.stderr),
        )
    if as_json:
        print(json.dumps({"recording": str(out), **asdict(done)}))
        return
    say(
        f"{out}: {number_of(done.windows, 'window')} of source '{done.source}' "
        f"({done.window_ms} ms) from {number_of(done.boots, 'boot')}; "
        f"{number_of(done.missed, 'window')} {are(done.missed)} missing in "
        f"{number_of(done.gaps, 'gap')}, {number_of(done.damaged, 'damaged line')} left out"
    )
    if model:
        print(
            f"{number_of(done.compared, 'window')} scored there; {done.differ} of them unlike the "
            f"NumPy reference's"
        )
