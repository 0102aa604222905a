"""Files that are replaced whole or not at all, in places that are looked at
before the work begins whose result they get.
"""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from inlier_export.errors import BadInput
from inlier_export.os_errors import said

LEAST = 1024  # bytes: a disk with less room is full


def check_output(path: Path, new: bool = False) -> None:
    """Raises BadInput where write_atomic could not write `path`, and with `new`
    also where something is there already: what was measured is not replaced.
    """
    try:
        target = _target(path)
        folder = target.parent
        folder_mode = folder.stat().st_mode
        if not stat.S_ISDIR(folder_mode):
            raise BadInput(f"{path}: '{folder}' is no folder: name another place")
        if new and path.exists():
            raise BadInput(f"{path} is there already: name another file, or move that one away")
        check_room(folder, LEAST)  # there are more reasons against it than permissions
    except OSError as error:
        raise BadInput(said(error, path)) from None
    except ValueError:  # a NUL
        raise BadInput(f"{path}: no file can have that name: name another one") from None


def check_room(folder: Path, octets: int) -> None:
    """Raises OSError where no file of so many can be written."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(octets))


def check_outputs(outputs: list[Path | None], inputs: list[Path | None]) -> None:
    """check_output of each, and that none is one of the others or an input.
    Raises BadInput.
    """
    given = [path for path in outputs if path is not None]
    read = {os.path.realpath(path): path for path in inputs if path is not None}
    seen: set[str] = set()
    for path in given:
        check_output(path)
        real = os.path.realpath(path)
        if real in read:
            raise BadInput(f"{path}: it is read, and would be overwritten: name another file")
        if real in seen:
            raise BadInput(f"{path}: two results would go there: name a file for each")
        seen.add(real)


def _target(path: Path) -> Path:
    """The file itself, where `path` is a symbolic link to it. Raises BadInput
    for what a file must not take the place of, OSError.
    """
    target = path
    if path.is_symlink():
        target = Path(os.path.realpath(path))
        # in a folder for everybody, somebody's link may lead to a file of ours
        own = os.getuid() if hasattr(os, "getuid") else 0  # Windows: all are 0's
        if path.lstat().st_uid not in (own, path.parent.stat().st_uid):
            raise BadInput(f"{path}: somebody else's symbolic link: name another file")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return target
    if stat.S_ISDIR(mode):
        raise BadInput(f"{path}: it is a folder: name a file in it")
    if not stat.S_ISREG(mode):
        raise BadInput(f"{path}: it is a device, a pipe or a socket: name a file")
    return target


def write_atomic(path: Path, content: bytes | Iterable[bytes], settled: bool = True) -> None:
    """Replace the file at `path`, or the one that a symbolic link there leads
    to, by `content`, or what comes of it in parts. A full disk or an interrupt
    leaves the former file as it was; without `settled` a power cut may not.
    Raises BadInput for a folder, device or pipe, and OSError.
    """
    path = _target(path)
    handle, name = tempfile.mkstemp(dir=path.parent or Path(), prefix=".inlier.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
            if settled:
                file.flush()
                os.fsync(file.fileno())
        mode = os.umask(0)
        os.umask(mode)
        Path(name).chmod(0o666 & ~mode)  # mkstemp's files are for their owner alone
        Path(name).replace(path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from None  # of no other name
        raise
