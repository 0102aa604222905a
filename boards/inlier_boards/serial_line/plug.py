"""`python -m inlier_boards.serial_line.plug [BOARD]`: an emulated board, or Unix
MicroPython ("unix"), as if it were plugged in.

Prints the serial port and goes on until it is ended. What the board keeps on
its flash is lost then.
"""

import argparse
import contextlib
import signal
import sys
import tempfile
import threading
from pathlib import Path

from rich.console import Console

from inlier_boards.catalogue import read_board
from inlier_boards.emulators import emulator, unix_board
from inlier_export.errors import BadInput


def plug(name: str, image: Path | None = None) -> None:
    """Raises BadInput."""
    with contextlib.ExitStack() as stack:
        with Console(stderr=True).status(name) as status:
            if name == "unix":
                flash = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                port = stack.enter_context(unix_board.plugged(flash))
            elif (board := read_board(name)).rp2040:
                from inlier_boards.emulators import rp2040

                checked = rp2040.checked(board, image, say=status.update)
                port = stack.enter_context(rp2040.plugged(board, checked)).port
            else:
                port = stack.enter_context(emulator.plugged(board, status.update, stock=True)).port
        print(port, flush=True)
        threading.Event().wait()


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM):  # so that the emulator is ended too
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    options = argparse.ArgumentParser(
        prog="python -m inlier_boards.serial_line.plug",
        description="Prints the serial port of an emulated board, and goes on until it is ended.",
    )
    options.add_argument("board", nargs="?", default="qemu_m0", help="or 'unix' (default: qemu_m0)")
    options.add_argument("--image", type=Path, help="firmware (.uf2) of pico_w")
    given = options.parse_args()
    try:
        plug(given.board, given.image)
    except BadInput as error:
        print(f"inlier: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
