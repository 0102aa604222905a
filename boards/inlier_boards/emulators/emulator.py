"""A board in QEMU, driven over its serial line by mpremote's raw REPL."""

import contextlib
import re
import select
import shutil
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inlier_boards.build.firmware import build
from inlier_boards.build.micropython import check_system
from inlier_boards.catalogue import Board, emulator
from inlier_boards.leash import leashed
from inlier_boards.serial_line.connection import Connection
from inlier_export.errors import BadInput

DEVICE = Path(__file__).parent / "device"
# what scripts that count instructions import
COUNTING = (DEVICE / "instructions.py", DEVICE / "instret.py")
RAM_DISK_SPARE_BYTES = 24576
ANSWER_S = 60  # a firmware that has not answered by then hangs, silent or not


class Emulated(Connection):
    """`execute(code)` returns what the code printed. Raises BadInput when it
    faults or hangs, with what it last said.
    """

    answer_s = ANSWER_S

    def __init__(self, board: Board, process: subprocess.Popen[bytes], said: Path) -> None:
        super().__init__(board.name)
        self.board = board
        self._process = process
        self._said = said

    def mount_for(self, content: bytes) -> None:
        """A RAM disk for `content`, the scripts beside it, and what littlefs
        takes.
        """
        self.mount(-(-len(content) // 512) * 512 + RAM_DISK_SPARE_BYTES)

    def mount(self, size: int) -> None:
        """Make a littlefs RAM disk of so many bytes, from the heap, at /."""
        self.execute((DEVICE / "ramdisk.py").read_text() + f"\nmount({size})\n")

    def copy(self, *scripts: Path) -> None:
        """Put device scripts into its path, by their names."""
        for script in scripts:
            self.write(f"/{script.name}", script.read_bytes())

    @contextlib.contextmanager
    def _limited(self, limit_s: float) -> Iterator[None]:
        from mpremote.transport import TransportError

        try:
            with killed_after(limit_s, self._process):
                yield
        except (TransportError, OSError, struct.error) as problem:
            raise BadInput(
                f"{self.board.name}: ended, it did not answer within {limit_s:g} s "
                f"({problem or 'nothing came'}); "
                f"it last said: {self._last()}"
            ) from None

    def _no_repl(self) -> BadInput:
        return BadInput(
            f"{self.board.name}: its REPL did not come up; it last said: {self._last()}"
        )

    def _last(self) -> str:
        lines = self._said.read_text(errors="replace").split()
        return " ".join(lines[-12:]) or "nothing"


@contextlib.contextmanager
def killed_after(limit_s: float, process: subprocess.Popen[Any]) -> Iterator[None]:
    """End the emulator after limit_s: whoever waits for it then fails."""
    watchdog = threading.Timer(limit_s, process.kill)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def qemu_command(board: Board, firmware: Path) -> list[str | Path]:
    """QEMU without a serial line yet; it counts instructions (-icount), so that
    two runs are the same. Raises BadInput.
    """
    qemu = emulator(board)
    if not shutil.which(qemu.command):
        raise BadInput(
            f"'{qemu.command}' is needed for {board.name}: install it with 'apt-get install "
            f"{qemu.package}'"
        )
    fixed = ("-display", "none", "-monitor", "none", "-icount", "shift=0")
    return [qemu.command, *qemu.arguments, *fixed, "-kernel", firmware]


@dataclass(frozen=True)
class Plugged:
    """port: the pseudo-terminal that is the board's serial line.
    said: a file of all that came from there.
    """

    process: subprocess.Popen[bytes]
    port: str
    said: Path


@contextlib.contextmanager
def plugged(
    board: Board, say: Callable[[str], None] = lambda step: None, stock: bool = False
) -> Iterator[Plugged]:
    """Boot an emulated board, with the firmware that firmware.build describes.
    Raises BadInput.
    """
    emulator(board)  # before a build
    check_system()
    command = qemu_command(board, build(board, say, stock).elf)
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "serial.log"
        process = subprocess.Popen(
            leashed(
                [*command, "-chardev", f"pty,id=line,logfile={said}", "-serial", "chardev:line"]
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C is for whoever plugged it in
        )
        try:
            assert process.stdout
            ready, _, _ = select.select([process.stdout], [], [], ANSWER_S)
            line = process.stdout.readline().decode() if ready else ""
            port = re.search(r"redirected to (\S+)", line)
            if not port:
                raise BadInput(
                    f"{board.name}: QEMU did not start: {line.strip() or 'it says nothing'}"
                )
            yield Plugged(process, port[1], said)
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def emulated(board: Board, say: Callable[[str], None] = lambda step: None) -> Iterator[Emulated]:
    """Boot an emulated board, and drive it. Raises BadInput."""
    with plugged(board, say) as there:
        running = Emulated(board, there.process, there.said)
        try:
            running.connect(there.port)
            yield running
        finally:
            running.close()
