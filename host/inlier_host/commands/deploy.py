"""The commands that talk to a board at a serial port."""

import json
import sys
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from .options import Json


def deploy(
    model: Annotated[Path, typer.Argument(help="The model file.")],
    port: Annotated[str | None, typer.Option(help="Serial port of the board; found if there is one board.")] = None,
    board: Annotated[str | None, typer.Option(help="What board it is; by default as it says itself.")] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Windows to score there, CSV or Parquet, for boards without traffic of their own.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Replace a main.py that is there without asking.")] = False,
    as_json: Json = False,
) -> None:
    """Copy runtime, model and an example main.py onto a board, verify them, and test the model there."""
    from boards.deploy import deploy as run

    from .monitor import read_model
    from .progress import bars
    from .windows import csv_bytes, read_windows

    counters = read_model(model).counters()
    rows = None if replay is None else csv_bytes(counters, read_windows(replay, counters))

    def ask(name: str) -> bool:
        question = f"{name}: there is another main.py: replace it?"
        return yes or (not as_json and sys.stdin.isatty() and typer.confirm(question, err=True))

    done = run(model.read_bytes(), port, board, rows, ask, partial(bars, quiet=as_json))
    if as_json:
        print(json.dumps({"model": str(model), **done.summary()}))
        return
    test = done.test
    cost = f"{test.instructions} instructions" if test.ms is None else f"{test.ms:.2f} ms"
    print(
        f"{done.port}: {done.board.name}, MicroPython {done.facts.release}; {len(done.copied)} files, "
        f"{done.copied_bytes} bytes, verified\n"
        f"self-test: {test.windows} windows give the reference's integers with kernel {test.kernel}; "
        f"{cost} a window, {test.heap_bytes} bytes of heap"
    )
    if done.main == "kept":
        print("its main.py was kept: have it load model.inlier, or deploy with --yes to replace it by the example")


def record_board(
    port: str, ring: str | None, restart: bool, count: int, model: Path | None, out: Path, as_json: bool
) -> None:
    """`inlier record --port`."""
    from boards import listen
    from boards.collect import record
    from boards.connection import find_port

    from .monitor import read_model
    from .progress import bars

    if model:
        read_model(model)
    port = find_port() if port == "auto" else port
    lines = listen.live(port, restart) if ring is None else listen.ring(port, ring)
    with closing(lines), bars(quiet=as_json) as progress:
        done = record(lines, port, out, count if ring is None else None, model.read_bytes() if model else None, progress)
    if as_json:
        print(json.dumps({"recording": str(out), **asdict(done)}))
        return
    print(
        f"{out}: {done.windows} windows of source '{done.source}' ({done.window_ms} ms) from {done.boots} boots; "
        f"{done.missed} windows are missing in {done.gaps} gaps, {done.damaged} damaged lines were left out"
    )
    if model:
        print(f"{done.compared} windows were scored there; {done.differ} of them differ from the NumPy reference")
