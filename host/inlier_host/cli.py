"""The command line. Each command has `--json`; an error is one sentence and
exit code 2.
"""

import io
import os
import signal
import sys
from typing import Annotated

import typer

import inlier
from inlier_export.errors import BadInput, Interrupted
from inlier_export.os_errors import said
from inlier_export.printable import printable
from inlier_host.commands.bench import bench
from inlier_host.commands.demo import demo
from inlier_host.commands.deploy import deploy
from inlier_host.commands.emulate import emulate
from inlier_host.commands.evaluate import evaluate
from inlier_host.commands.export import export
from inlier_host.commands.fleet import app as fleet
from inlier_host.commands.monitor import monitor
from inlier_host.commands.record import record
from inlier_host.commands.report import report
from inlier_host.commands.reproduce import app as reproduce
from inlier_host.commands.selfcheck import selfcheck
from inlier_host.commands.train import train
from inlier_host.commands.verify import verify
from inlier_host.libraries import needed

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
PANELS = {
    "Try it": (demo, selfcheck),
    "Record and train": (record, train, evaluate, report),
    "On a board": (deploy, emulate, bench),
    "Watch": (monitor,),
    "Many devices": (),
    "Check and sign": (verify, export),
}
for panel, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(reproduce, name="reproduce", rich_help_panel="Try it")
app.add_typer(fleet, name="fleet", rich_help_panel="Many devices")


def _version(asked: bool) -> None:
    if asked:
        print(f"inlier {inlier.__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and exit.")
    ] = False,
) -> None:
    """inlier: a device notices, by itself, that its own traffic has stopped
    looking like its own traffic.
    """


def main() -> None:
    # An exception of our own: libraries in between have their own ways with
    # KeyboardInterrupt.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files may be no text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            code = app(prog_name="inlier", standalone_mode=False)
        finally:
            _flush()
        sys.exit(code or 0)
    except BadInput as error:
        _tell(str(error))
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)
    except Interrupted as interrupt:
        _tell(f"interrupted; {interrupt}")
        sys.exit(130)
    except ModuleNotFoundError as error:
        _tell(needed(error.name or str(error)))
        sys.exit(2)
    except OSError as error:
        _tell(said(error))
        sys.exit(2)
    except MemoryError:
        _tell("there is not enough memory; close other programs, or give it less at once")
        sys.exit(2)
    except typer.Abort:
        _tell("nothing was answered, and nothing was replaced")
        sys.exit(130)
    except Exception as error:
        # what Typer refuses: where that class lies differs with its version
        if not hasattr(error, "format_message"):
            raise
        if refused := error.format_message():
            at = getattr(getattr(error, "ctx", None), "command_path", "inlier")
            _tell(f"{refused.rstrip('.')}; '{at} --help' says what there is")
        sys.exit(2)


def _flush() -> None:
    """Else the interpreter would find at its end that nobody takes what was
    printed, and say so in its own words.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _tell(text: str) -> None:
    """One line, whatever is in the names and cells that it cites."""
    print(f"inlier: {printable(text)}", file=sys.stderr)


def _interrupt(number: int, frame: object) -> None:
    raise Interrupted("nothing was replaced")
