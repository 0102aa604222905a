"""Scores recorded windows on an emulated board."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inlier_host.libraries import require
from inlier_host.options import Json, ModelFile, one_of, say
from inlier_trainer.figures import number_of

if TYPE_CHECKING:
    from inlier_boards.catalogue import Board


def emulate(
    model: ModelFile,
    replay: Annotated[Path, typer.Option(help="Windows to score, CSV or Parquet.")],
    board: Annotated[str, typer.Option(help="Emulated board.")] = "qemu_m0",
    image: Annotated[
        Path | None,
        typer.Option(help="Firmware (.uf2) of a board whose own is emulated: pico_w."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score recorded windows on an emulated board; say what it costs.

    Example: inlier emulate model.inlier --board qemu_m0 --replay windows.csv
    """
    require("mpremote")
    from inlier_boards.catalogue import emulated, read_board
    from inlier_boards.emulators import rp2040
    from inlier_boards.emulators.emulate import emulate as run
    from inlier_export.model_file import model_of, read_blob
    from inlier_trainer.progress import bars
    from inlier_trainer.recordings import read_for

    place = read_board(one_of("--board", board, tuple(emulated())))
    blob = read_blob(model)
    with bars(quiet=as_json) as progress:
        if place.rp2040:  # before anything else is read
            rp2040.checked(place, image, lambda step: progress(step, 0, 0))
    recording = read_for(replay, model_of(model, blob))
    with bars(quiet=as_json) as progress:
        done = run(place, blob, recording, progress, lambda step: progress(step, 0, 0), image)
    summary = done.summary()
    if as_json:
        print(json.dumps(summary))
        return
    for window, features in done.alarms.items():
        say(
            f"window {window}: ALARM: " + ", ".join(f"{name} {share} %" for name, share in features)
        )
    say(
        f"{place.name}, kernel {done.kernel}: {number_of(done.windows, 'window')}, "
        f"{number_of(len(done.alarms), 'alarm')}; "
        f"{number_of(done.mismatches, 'window')} that the NumPy reference scores otherwise",
        f"{_cost(place, summary)}; {done.heap[0]} bytes of heap in use before, "
        f"{done.heap[1]} after",
    )


def _cost(place: "Board", summary: dict[str, object]) -> str:
    if place.rp2040:
        return (
            f"{summary['window_ms']:.3f} ms a window of the guest's time (at most "
            f"{summary['window_ms_most']:.3f})"
        )
    return (
        f"{summary['instructions_per_window']} instructions a window (at most "
        f"{summary['instructions_per_window_most']}), "
        f"{summary['window_ms_derived']} ms at {place.clock_hz / 1e6:g} MHz (derived)"
    )
