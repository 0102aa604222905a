"""A board in QEMU, driven over its serial line by mpremote's raw REPL."""

import contextlib
import re
import select
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from trainer.errors import BadInput

from .board import Board
from .firmware import elf

SILENCE_S = 60  # a firmware that says nothing for so long hangs


class Emulated:
    """`execute(code)` returns what the code printed. Raises BadInput when it hangs or faults."""

    def __init__(self, board: Board, transport: Any, said: Path) -> None:
        self.board = board
        self._transport = transport
        self._said = said

    def execute(self, code: str) -> str:
        from mpremote.transport import TransportError

        try:
            out, error = self._transport.exec_raw(code, timeout=SILENCE_S)
        except (TransportError, OSError) as problem:
            raise BadInput(
                f"{self.board.name}: no answer within {SILENCE_S} s ({problem}); it last said: {self._last()}"
            ) from None
        if error:
            text = error.decode(errors="replace").strip().splitlines()
            raise BadInput(f"{self.board.name}: {text[-1]} ({'; '.join(line.strip() for line in text[:-1][-2:])})")
        return str(out.decode(errors="replace"))

    def _last(self) -> str:
        lines = self._said.read_text(errors="replace").split()
        return " ".join(lines[-12:]) or "nothing"


@contextlib.contextmanager
def emulated(board: Board, say: Callable[[str], None] = lambda step: None, frozen: bool = True) -> Iterator[Emulated]:
    """Boot an emulated board; instructions are counted (-icount), so that two runs are the same. Raises BadInput."""
    from mpremote.transport import TransportError
    from mpremote.transport_serial import SerialTransport

    qemu = board.emulator
    if qemu is None:
        raise BadInput(f"board '{board.name}' is no emulated one")
    if not shutil.which(qemu.command):
        raise BadInput(f"'{qemu.command}' is needed for {board.name}: 'apt-get install {qemu.package}'")
    firmware = elf(board, say, frozen)
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "serial.log"
        chardev = ["-chardev", f"pty,id=line,logfile={said}", "-serial", "chardev:line"]
        command = [qemu.command, *qemu.arguments, "-display", "none", "-monitor", "none", "-icount", "shift=0", *chardev]
        process = subprocess.Popen(
            [*command, "-kernel", firmware], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            assert process.stdout
            ready, _, _ = select.select([process.stdout], [], [], SILENCE_S)
            line = process.stdout.readline().decode() if ready else ""
            found = re.search(r"redirected to (\S+)", line)
            if not found:
                raise BadInput(f"{board.name}: QEMU did not start: {line.strip() or 'it says nothing'}")
            transport = SerialTransport(found[1])
            try:
                transport.enter_raw_repl(soft_reset=False, timeout_overall=SILENCE_S)
                yield Emulated(board, transport, said)
            except TransportError as error:
                raise BadInput(f"{board.name}: its firmware does not answer ({error}); delete it from the cache") from None
            finally:
                transport.close()
        finally:
            process.kill()
            process.wait()
