"""Scores recorded windows on an emulated board."""

import json
from pathlib import Path
from typing import Annotated

import typer

from inlier_host.options import Json, say


def emulate(
    model: Annotated[Path, typer.Argument(help="The model file.")],
    replay: Annotated[Path, typer.Option(help="Windows to score, CSV or Parquet.")],
    board: Annotated[str, typer.Option(help="Emulated board.")] = "qemu_m0",
    as_json: Json = False,
) -> None:
    """Score recorded windows on an emulated board; say what it costs.

    Example: inlier emulate model.inlier --board qemu_m0 --replay windows.csv
    """
    from inlier_boards.catalogue import read_board
    from inlier_boards.emulators.emulate import emulate as run
    from inlier_export.model_file import model_of, read_blob
    from inlier_trainer.progress import bars
    from inlier_trainer.recordings import read_for

    place = read_board(board)
    blob = read_blob(model)
    recording = read_for(replay, model_of(model, blob))
    with bars(quiet=as_json) as progress:
        done = run(place, blob, recording, progress, lambda step: progress(step, 0, 0))
    summary = done.summary()
    if as_json:
        print(json.dumps(summary))
        return
    for window, features in done.alarms.items():
        say(
            f"window {window}: ALARM: " + ", ".join(f"{name} {share} %" for name, share in features)
        )
    say(
        f"{place.name}, kernel {done.kernel}: {done.windows} windows, {len(done.alarms)} alarms; "
        f"{done.mismatches} windows differ from the NumPy reference",
        f"{summary['instructions_per_window']} instructions a window (at most "
        f"{summary['instructions_per_window_most']}), "
        f"{summary['window_ms_derived']} ms at {place.clock_hz / 1e6:g} MHz (derived); "
        f"heap {done.heap[0]} bytes before, {done.heap[1]} after",
    )
