"""The command line. Each command has `--json`; an error is one sentence and exit code 2."""

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .cli_deploy import deploy, record_board
from .cli_monitor import monitor
from .cli_report import report
from .cli_secure import export, verify
from .cli_selfcheck import selfcheck
from .errors import BadInput, Interrupted
from .reproduce.command import app as reproduce

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(reproduce, name="reproduce")
for command in (export, verify, monitor, report, selfcheck, deploy):
    app.command()(command)

EXTRAS = {
    "mpremote": "boards",
    "paho": "live",
    "serial": "live",
    "altair": "report",
    "jinja2": "report",
    "vl_convert": "report",
}

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]


@app.callback()
def about() -> None:
    """inlier: a device notices, by itself, that its own traffic has stopped looking like its own traffic."""


def milliseconds(text: str) -> int:
    """'250ms', '10s' or '1m' in milliseconds."""
    for unit, factor in (("ms", 1), ("s", 1000), ("m", 60_000)):
        number = text.removesuffix(unit)
        if number != text and number.isdecimal() and 10 <= int(number) * factor <= 3_600_000:
            return int(number) * factor
    raise BadInput(f"--window {text}: give a length from 10ms to 60m, such as 250ms, 10s or 1m")


def layer_sizes(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and 0 < int(part) <= 256 for part in parts):
        raise BadInput(f"--hidden {text}: give sizes from 1 to 256, such as 16,4,16")
    return tuple(int(part) for part in parts)


@app.command()
def train(
    recordings: Annotated[
        list[Path],
        typer.Argument(
            help="Benign windows, CSV or Parquet; columns are the source's counters. Of several units, a file each."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model file to write.")] = Path("model.inlier"),
    source: Annotated[str, typer.Option(help="Source that counted them.")] = "sockets",
    window: Annotated[str, typer.Option(help="Length of a window.")] = "10s",
    false_alarms: Annotated[str, typer.Option(help="False alarms accepted.")] = "1/week",
    hidden: Annotated[str, typer.Option(help="Hidden layers of the autoencoder.")] = "16",
    seed: int = 1,
    allow_constant: Annotated[
        list[str] | None, typer.Option(help="A counter that may stay constant, or 'all'; may be repeated.")
    ] = None,
    add: Annotated[
        list[str] | None, typer.Option(help="A false alarm's windows, FILE@START:END, to learn as benign; may be repeated.")
    ] = None,
    accept_anomalies: Annotated[
        bool, typer.Option(help="Learn also what looks like an infection in the recording; by default it is refused.")
    ] = False,
    module: Annotated[Path | None, typer.Option(help="Also write a Python module of bytes, for freezing.")] = None,
    golden: Annotated[Path | None, typer.Option(help="Also write golden vectors (JSON).")] = None,
    tflite: Annotated[Path | None, typer.Option(help="Also write the autoencoder as int8 TFLite.")] = None,
    as_json: Json = False,
) -> None:
    """Fit both detectors on benign windows, calibrate them and write the model."""
    import numpy as np

    from . import windows
    from .add import keep_quiet, read_marked, weave
    from .files import write_atomic
    from .progress import bars
    from .sources import counters_of
    from .train import WINDOWS_MIN, Settings
    from .train import train as fit
    from .units import leave_each_out

    counters = counters_of(source)
    constant = set(counters) if allow_constant and "all" in allow_constant else set(allow_constant or ())
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
        units = [windows.read_windows(path, counters) for path in recordings]
        origins = [str(path) for path in recordings]
        together = ", ".join(origins)
        for unit, origin in zip(units, origins, strict=True):
            windows.check(unit, counters, origin, WINDOWS_MIN, set(counters))
        recorded = units[0]
        marked = [read_marked(text, counters) for text in add or ()]
        units[0] = weave(recorded, marked)
        result = fit(np.concatenate(units), settings, together, progress, [len(unit) for unit in units])
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
            from export.blob import python_module

            extra.append((module, python_module(result.blob).encode()))
        if golden:
            from export.golden import dump

            extra.append((golden, dump(result.detector, test)))
        if tflite:
            from export.golden import windows as golden_windows
            from export.tflite import compare, to_tflite

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
    print(f"{out}: {len(result.blob)} bytes, {summary['features']} features, knots {summary['knots']}")
    print(
        f"thresholds: autoencoder {summary['threshold_ae']}, SVM {summary['threshold_svm']} "
        f"for at most {false_alarms} false alarms; on {summary['test_windows']} unseen benign windows: "
        f"{summary['test_hot_windows']} over threshold, {summary['test_alarms']} alarms"
    )
    for name, band in (("autoencoder", result.interval(result.unseen_ae)), ("SVM", result.interval(result.unseen_svm))):
        if band:
            print(f"the {name}'s scores reach {band[0]} to {band[1]} at that rate (80 % interval of the tail fit)")
    if short := result.shortage():
        hours = short.windows_more * settings.window_ms / 3_600_000
        print(
            f"inlier: {together}: {result.windows} windows are too few to answer for {false_alarms}: "
            f"record {hours:.1f} hours more, or say --false-alarms {short.answerable}, which they can tell",
            file=sys.stderr,
        )
    for tested in left_out:
        print(f"{tested.recording} left out: {tested.alarm_episodes} false alarms in its {tested.days:.2f} days")
    if marked:
        print(
            f"{summary['added_windows']} windows learned as benign; learned thresholds {learned.threshold_ae} and "
            f"{learned.threshold_svm}, raised no further than keeps those windows quiet"
        )
    for anomaly in result.anomalies:
        print(f"accepted: {anomaly.said()}")
    if tflite:
        print(
            f"{tflite}: on {deviation.windows} golden windows its reconstruction is off ours by at most {deviation.largest} "
            f"quanta, {deviation.mean} on average; alarm decisions that differ: {deviation.decisions_differing}"
        )


@app.command()
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


@app.command()
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


@app.command()
def emulate(
    model: Annotated[Path, typer.Argument(help="The model file.")],
    replay: Annotated[Path, typer.Option(help="Windows to score, CSV or Parquet.")],
    board: Annotated[str, typer.Option(help="Emulated board.")] = "qemu_m0",
    as_json: Json = False,
) -> None:
    """Score recorded windows on an emulated microcontroller; says what it costs there."""
    from boards.board import board as facts
    from boards.emulate import emulate as run

    from .monitor import read_model
    from .progress import bars
    from .windows import read_windows

    place = facts(board)
    counters = read_model(model).counters()
    windows = read_windows(replay, counters)
    if not len(windows):
        raise BadInput(f"{replay}: it holds no window; record again")
    with bars(quiet=as_json) as progress:
        done = run(place, model.read_bytes(), windows, progress, lambda step: progress(step, 0, 1))
    summary = done.summary()
    if as_json:
        print(json.dumps(summary))
        return
    for window, features in done.alarms.items():
        print(f"window {window}: ALARM: " + ", ".join(f"{name} {share} %" for name, share in features))
    print(
        f"{place.name}, kernel {done.kernel}: {len(windows)} windows, {len(done.alarms)} alarms; "
        f"{done.mismatches} windows differ from the NumPy reference\n"
        f"{summary['instructions_per_window']} instructions a window (at most {summary['instructions_per_window_most']}), "
        f"{summary['window_ms_derived']} ms at {place.clock_hz / 1e6:g} MHz (derived); "
        f"heap {done.heap[0]} bytes before, {done.heap[1]} after"
    )


@app.command()
def bench(
    board: Annotated[list[str] | None, typer.Option(help="Emulated board; may be repeated. By default all.")] = None,
    table: Annotated[Path | None, typer.Option(help="Also write the table (Markdown).")] = None,
    as_json: Json = False,
) -> None:
    """Count instructions, heap and flash of the runtime on the emulated boards."""
    from boards.bench import measure, show
    from boards.bench import table as markdown
    from boards.board import names

    from .files import write_atomic
    from .progress import bars

    chosen = board or names(emulated=True)
    with bars(quiet=as_json) as progress:
        results = [result for name in chosen for result in measure(name, progress)]
    if table:
        write_atomic(table, markdown(results).encode())
    if as_json:
        print(json.dumps({"boards": [result.summary() for result in results]}))
    else:
        show(results)


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="Of the doorbell's habits and the training.")] = 1,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for what it makes.")] = Path("out"),
    as_json: Json = False,
) -> None:
    """Watch a doorbell on MicroPython learn its own traffic and catch its own infection, all on loopback addresses."""
    from .demo import demo as run

    run(seed, out, as_json)


def main() -> None:
    # An exception of our own: libraries in between have their own ways with KeyboardInterrupt.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        app()
    except BadInput as error:
        print(f"inlier: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Interrupted as interrupt:
        print(f"inlier: interrupted; {interrupt}", file=sys.stderr)
        sys.exit(130)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").split(".")[0], "train")
        print(f"inlier: this command needs {error.name}: install it with pip install 'inlier[{extra}]'", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        print(f"inlier: {error.strerror or error}:{where}; check the path and the space left", file=sys.stderr)
        sys.exit(2)


def _interrupt(number: int, frame: object) -> None:
    raise Interrupted("nothing was replaced")
