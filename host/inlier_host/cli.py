"""The command line. Each command has `--json`; an error is one sentence and exit code 2."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from .cli_captures import evaluate, record
from .cli_deploy import deploy
from .cli_monitor import monitor
from .cli_report import report
from .cli_secure import export, verify
from .cli_selfcheck import selfcheck
from .cli_train import train
from .errors import BadInput, Interrupted
from .options import Json
from .reproduce.command import app as reproduce

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(reproduce, name="reproduce")
for command in (train, record, evaluate, export, verify, monitor, report, selfcheck, deploy):
    app.command()(command)

EXTRAS = {
    "mpremote": "boards",
    "paho": "live",
    "serial": "live",
    "altair": "report",
    "jinja2": "report",
    "vl_convert": "report",
}


@app.callback()
def about() -> None:
    """inlier: a device notices, by itself, that its own traffic has stopped looking like its own traffic."""


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
