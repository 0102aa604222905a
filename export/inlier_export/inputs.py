"""The files that a command is told to read: opened where they are files, up to
a size.

A device has no end, a pipe perhaps no writer, a folder no windows; a library
that is handed such a path hangs, or takes all the memory there is.
"""

import os
import select
import stat
import sys
from io import BufferedReader
from pathlib import Path

from .errors import BadInput
from .os_errors import said
from .printable import printable

MIB = 1 << 20
MODEL_MAX = 64 * MIB
RECORDING_MAX = 1024 * MIB  # of windows: years
TEXT_MAX = 16 * MIB  # such as the summary of a run
WAIT_S = 1.0
# Each of Unix but the last, which is of Windows: there no file is a pipe.
_READING = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY")
)


def check_input(path: Path, what: str = "file") -> None:
    """Raises BadInput where open_input would."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise BadInput(said(error, path)) from None
    except ValueError:  # a NUL
        raise BadInput(f"{path}: no file can have that name; check the path") from None
    _check_kind(path, mode, what)
    if not os.access(path, os.R_OK):
        raise BadInput(
            f"{path}: Permission denied; ask its owner, or copy it as one who may read it"
        )


def _check_kind(path: Path, mode: int, what: str) -> None:
    if stat.S_ISDIR(mode):
        raise BadInput(f"{path}: it is a folder: name a {what} in it")
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise BadInput(f"{path}: it is a device or a socket: name a {what}")


def open_input(path: Path, limit_bytes: int | None, what: str = "file") -> BufferedReader:
    """The file at `path`, or the pipe once something is in it; Ctrl-C ends that
    wait. Raises BadInput for what is neither, and for a file beyond
    limit_bytes.
    """
    check_input(path, what)
    try:
        # O_NONBLOCK: not to wait for a pipe's writer in here, without a word
        handle = os.open(path, _READING)
        file = open(handle, "rb")  # noqa: SIM115
        found = os.fstat(handle)
        _check_kind(path, found.st_mode, what)  # it may be another by now
        if stat.S_ISFIFO(found.st_mode):
            _wait_for_writer(path, handle)
            os.set_blocking(handle, True)
    except OSError as error:
        raise BadInput(said(error, path)) from None
    if limit_bytes is not None and found.st_size > limit_bytes:
        file.close()
        raise _too_long(path, limit_bytes, what)
    return file


def read_input(path: Path, limit_bytes: int, what: str = "file") -> bytes:
    """All of it. Raises BadInput."""
    with open_input(path, limit_bytes, what) as file:
        return read_rest(path, file, limit_bytes, what)


def read_rest(path: Path, file: BufferedReader, limit_bytes: int, what: str = "file") -> bytes:
    """What is left of an open_input, a pipe's too. Raises BadInput."""
    try:
        content = file.read(limit_bytes + 1)
    except OSError as error:
        raise BadInput(said(error, path)) from None
    if len(content) > limit_bytes:
        raise _too_long(path, limit_bytes, what)
    return content


def _too_long(path: Path, limit_bytes: int, what: str) -> BadInput:
    return BadInput(
        f"{path}: no {what} of inlier's has more than {limit_bytes // MIB} MiB: name another one"
    )


def _wait_for_writer(path: Path, handle: int) -> None:
    if select.select([handle], [], [], WAIT_S)[0]:
        return
    print(
        f"inlier: {printable(str(path))}: a pipe: waiting for what is written into it; Ctrl-C ends "
        f"that",
        file=sys.stderr,
    )
    select.select([handle], [], [])
