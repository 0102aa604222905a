"""The emulated board for this side: a process, its serial line, its clock."""

import contextlib
import importlib.metadata
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from inlier_boards.catalogue import Board
from inlier_boards.emulators.emulator import Emulated
from inlier_boards.leash import leashed
from inlier_export.errors import BadInput

from . import image as images
from .disk import littlefs

# Its bridge is put together from this version's parts.
VERSION = "0.3.6"
# Real seconds, for what hangs: some two million instructions a second of a
# whole processor, and what else the machine does.
BOOT_S = 600
ANSWER_S = 600


class Guest(Emulated):
    answer_s = ANSWER_S

    def __init__(self, board: Board, there: "Plugged") -> None:
        super().__init__(board, there.process, there.said)


@dataclass(frozen=True)
class Plugged:
    """port: the pseudo-terminal that is the board's USB serial line.
    said: a file of all that came from there.
    denied: one of what its network was.
    """

    process: subprocess.Popen[bytes]
    port: str
    said: Path
    denied: Path

    def nanoseconds(self) -> int:
        """That have passed for the guest. Raises BadInput where it ended."""
        assert self.process.stdin and self.process.stdout
        with contextlib.suppress(OSError):
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise BadInput(f"rp2040py ended: {_last(self.denied)}")
        return int(line)


def installed() -> None:
    """Raises BadInput without the rp2040py that this was made for."""
    try:
        found = importlib.metadata.version("rp2040py")
    except importlib.metadata.PackageNotFoundError:
        found = ""
    if found != VERSION:
        there = f"{found} is there" if found else "it is not installed"
        raise BadInput(
            f"rp2040py {VERSION} emulates this board, {there}: pip install 'inlier[pico]'"
        )


def checked(
    board: Board, image: Path | None = None, say: Callable[[str], None] = lambda step: None
) -> images.Image:
    """The image that was given, or that the environment names, or that is built
    here, for this board and for the rp2040py that is here. Raises BadInput.
    """
    from inlier_boards.build import rp2  # which makes images

    assert board.rp2040
    installed()
    given = images.named(board, image)
    if given is None and board.rp2040.port:
        given = rp2.build(board, say)
    return images.read(board, given)


@contextlib.contextmanager
def plugged(
    board: Board,
    image: images.Image,
    files: dict[str, bytes] | bytes | None = None,
    dns: tuple[str, int] | None = None,
    journal: Path | None = None,
) -> Iterator[Plugged]:
    """Boot a board. Raises BadInput.

    files: path -> content, of its flash, or a whole file system; None: what
        its firmware makes of an empty one.
    dns: answers names, on a loopback address.
    journal: is written, of the commands that change flash.
    """
    assert board.rp2040
    with tempfile.TemporaryDirectory() as folder:
        said, denied, disk = (Path(folder) / name for name in ("said", "denied", "disk"))
        command: list[str | Path] = [sys.executable, "-m", f"{__package__}.launch"]
        command += ["--board", board.rp2040.board, "--image", image.path, "--said", said]
        if files is not None:
            size = board.rp2040.disk_bytes
            try:
                disk.write_bytes(files if isinstance(files, bytes) else littlefs(files, size))
            except OSError:
                total = sum(map(len, files.values())) if isinstance(files, dict) else len(files)
                raise BadInput(
                    f"{board.name}: {total} bytes of files do not fit into its {size} bytes of "
                    f"flash: score fewer windows"
                ) from None
            command += ["--disk", disk, "--disk-at", str(board.flash_bytes - size)]
        if journal:
            command += ["--journal", journal]
        if dns:
            command += ["--dns", dns[0], str(dns[1])]
        with denied.open("wb") as errors:
            process = subprocess.Popen(
                leashed(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # a Ctrl-C is for whoever plugged it in
                # Each instruction moves the clock: figures do not depend on a
                # setting.
                env={**os.environ, "RP2040PY_CLOCK_TICK_BATCH": "1"},
            )
        try:
            yield Plugged(process, _port(board, image.path, process, denied), said, denied)
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe
                with contextlib.suppress(OSError):
                    pipe.close()


def _port(board: Board, image: Path, process: subprocess.Popen[bytes], errors: Path) -> str:
    assert process.stdout
    ready, _, _ = select.select([process.stdout], [], [], BOOT_S)
    line = process.stdout.readline().decode().strip() if ready else ""
    if not line:
        raise BadInput(
            f"{board.name}: {image} did not come up on its USB serial line: {_last(errors)}; try "
            f"another image"
        )
    return line


def _last(errors: Path) -> str:
    lines = errors.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


@contextlib.contextmanager
def emulated(
    board: Board,
    image: images.Image,
    files: dict[str, bytes] | bytes | None = None,
    journal: Path | None = None,
) -> Iterator[tuple[Guest, Plugged]]:
    """Boot a board, and drive it. Raises BadInput."""
    with plugged(board, image, files, journal=journal) as there:
        guest = Guest(board, there)
        try:
            guest.connect(there.port)
            yield guest, there
        finally:
            guest.close()
