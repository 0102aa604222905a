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
from pathlib import Path
from typing import Any

from trainer.errors import BadInput

from .board import Board, emulator
from .firmware import build

DEVICE = Path(__file__).parent / "device"
ANSWER_S = 60  # a firmware that has not answered by then hangs, silent or not


class Emulated:
    """`execute(code)` returns what the code printed. Raises BadInput when it faults or hangs, with what it last said."""

    def __init__(self, board: Board, process: subprocess.Popen[bytes], said: Path) -> None:
        self.board = board
        self._process = process
        self._said = said
        self._transport: Any = None

    def connect(self, port: str) -> None:
        from mpremote.transport_serial import SerialTransport

        with self._limited(ANSWER_S):
            # timeout: mpremote waits for ever for each byte of a pseudo-terminal otherwise
            self._transport = SerialTransport(port, timeout=ANSWER_S)
            self._transport.enter_raw_repl(soft_reset=False, timeout_overall=ANSWER_S)

    def execute(self, code: str, limit_s: float = ANSWER_S) -> str:
        with self._limited(limit_s):
            out, error = self._transport.exec_raw(code, timeout=limit_s)
        if error:
            text = error.decode(errors="replace").strip().splitlines()
            raise BadInput(f"{self.board.name}: {text[-1]} ({'; '.join(line.strip() for line in text[:-1][-2:])})")
        return str(out.decode(errors="replace"))

    def mount(self, size: int) -> None:
        """Make a littlefs RAM disk of so many bytes, from the heap, at /."""
        self.execute((DEVICE / "ramdisk.py").read_text() + f"\nmount({size})\n")

    def write(self, path: str, content: bytes) -> None:
        with self._limited(ANSWER_S):
            self._transport.fs_writefile(path, content)

    def close(self) -> None:
        if self._transport:
            with contextlib.suppress(OSError):
                self._transport.close()

    @contextlib.contextmanager
    def _limited(self, limit_s: float) -> Iterator[None]:
        from mpremote.transport import TransportError

        try:
            with killed_after(limit_s, self._process):
                yield
        except (TransportError, OSError, struct.error) as problem:
            raise BadInput(
                f"{self.board.name}: ended, it did not answer within {limit_s:g} s ({problem or 'nothing came'}); "
                f"it last said: {self._last()}"
            ) from None

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
    """QEMU without a serial line yet; it counts instructions (-icount), so that two runs are the same. Raises BadInput."""
    qemu = emulator(board)
    if not shutil.which(qemu.command):
        raise BadInput(f"'{qemu.command}' is needed for {board.name}: install it with 'apt-get install {qemu.package}'")
    fixed = ("-display", "none", "-monitor", "none", "-icount", "shift=0")
    return [qemu.command, *qemu.arguments, *fixed, "-kernel", firmware]


@contextlib.contextmanager
def emulated(board: Board, say: Callable[[str], None] = lambda step: None) -> Iterator[Emulated]:
    """Boot an emulated board. Raises BadInput."""
    emulator(board)  # before a build
    command = qemu_command(board, build(board, say).elf)
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "serial.log"
        process = subprocess.Popen(
            [*command, "-chardev", f"pty,id=line,logfile={said}", "-serial", "chardev:line"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        running = Emulated(board, process, said)
        try:
            assert process.stdout
            ready, _, _ = select.select([process.stdout], [], [], ANSWER_S)
            line = process.stdout.readline().decode() if ready else ""
            port = re.search(r"redirected to (\S+)", line)
            if not port:
                raise BadInput(f"{board.name}: QEMU did not start: {line.strip() or 'it says nothing'}")
            running.connect(port[1])
            yield running
        finally:
            running.close()
            process.kill()
            process.wait()
