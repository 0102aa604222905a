"""The lines that a board prints, or kept in its ring of files, for
intake.py and record_board.py.
"""

import contextlib
from collections.abc import Generator
from pathlib import Path

from inlier_export.errors import BadInput

from .connection import Connection

IDLE_S = 0.2
LINE_MAX = 1 << 16  # bytes: what never ends a line is none


def live(port: str, restart: bool) -> Generator[str, None, None]:
    """Lines as they come, and "" each time that none came for a moment. Raises
    BadInput for a port that cannot be opened, or goes away.

    restart: the board begins again with its main.py first.
    """
    connection = Connection(port)
    try:
        if restart:
            connection.connect(port)
            connection.restart()
        else:
            connection.open(port)
        rest = b""
        while True:
            *lines, rest = (rest + connection.listen(IDLE_S)).split(b"\n")
            rest = rest[-LINE_MAX:]
            for line in lines:
                yield line.decode(errors="replace")
            if not lines:
                yield ""
    finally:
        connection.close()


def ring(port: str, path: str) -> Generator[str, None, None]:
    """Lines of the inlier.ring.Ring at `path` on the board, oldest first. Its
    program is stopped meanwhile. Raises BadInput.
    """
    connection = Connection(port)
    try:
        connection.connect(port)
        try:
            folder = path.rpartition("/")[0]
            listed = connection.execute(
                f"import os\nprint('\\n'.join(os.listdir({folder or '.'!r})))"
            ).split()
            for number in _numbers(port, path, listed):
                yield from connection.read(f"{path}.{number}").decode(errors="replace").splitlines()
        finally:
            with contextlib.suppress(BadInput):  # it may be unplugged
                connection.interrupt()
                connection.restart()
    finally:
        connection.close()


def kept(path: str) -> Generator[str, None, None]:
    """The same of a ring on this machine. Raises BadInput."""
    folder = Path(path).parent
    listed = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    for number in _numbers("this machine", path, listed):
        yield from Path(f"{path}.{number}").read_text(errors="replace").splitlines()


def _numbers(where: str, path: str, listed: list[str]) -> list[int]:
    """Of the ring's files, the oldest first."""
    begin = path.rpartition("/")[2] + "."
    ends = [entry.removeprefix(begin) for entry in listed if entry.startswith(begin)]
    numbers = sorted(int(end) for end in ends if end.isdecimal())
    if not numbers and "boot" in ends:
        raise BadInput(
            f"{where}: the ring '{path}' holds no window yet: they are written a kilobyte at a "
            f"time, some twelve together; fetch them later, and seldom: what a board has not "
            f"written yet is lost, as each fetch begins its program again"
        )
    if not numbers:
        raise BadInput(
            f"{where}: there is no ring of windows '{path}': name it as the program that records "
            f"names it"
        )
    return numbers
