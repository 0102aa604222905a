"""Puts a model onto a board at a serial port."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from inlier_host.libraries import require
from inlier_host.options import Json, ModelFile, say


def deploy(
    model: ModelFile,
    port: Annotated[
        str | None, typer.Option(help="Serial port of the board; found if there is one board.")
    ] = None,
    board: Annotated[
        str | None, typer.Option(help="What board it is; by default as it says itself.")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            help="Windows to score there, CSV or Parquet, for boards without traffic of their "
            "own: the longest stretch without an interruption."
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Replace a main.py that is there without asking.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Copy runtime, model and an example onto a board; test them there.

    Each file is verified by its hash. What ran there runs on until the model
    gave the reference's integers.

    Example: inlier deploy model.inlier --port /dev/ttyACM0
    """
    require("mpremote", "serial")
    from inlier_boards.deployment.deploy import deploy as run
    from inlier_export.model_file import read_file
    from inlier_trainer.progress import bars
    from inlier_trainer.recordings import Recording, csv_bytes, read_for

    file = read_file(model)
    rows = None
    if replay is not None:
        # the board's Replay knows of no interruption
        runs = read_for(replay, file.model).runs
        rows = csv_bytes(Recording(file.detector.counters, max(runs, key=len)))

    def ask(name: str) -> bool:
        question = f"{name}: there is another main.py: replace it?"
        return yes or (not as_json and sys.stdin.isatty() and typer.confirm(question, err=True))

    done = run(file, port, board, rows, ask, partial(bars, quiet=as_json))
    if as_json:
        print(json.dumps({"model": str(model), **done.summary()}))
        return
    test = done.test
    cost = f"{test.instructions} instructions" if test.ms is None else f"{test.ms:.2f} ms"
    say(
        f"{done.port}: {done.board.name}, MicroPython {done.facts.release}; {len(done.copied)} "
        f"files, {done.copied_bytes} bytes, verified",
        f"self-test: {test.windows} windows give the reference's integers with kernel "
        f"{test.kernel}; "
        f"{cost} a window, {test.heap_bytes} bytes of heap",
    )
    if done.main == "kept":
        print(
            "its main.py was kept: have it load model.inlier, or deploy with --yes to replace it "
            "by the example"
        )
