"""Unix MicroPython as a board at a serial port: in a folder that is its flash,
with the raw REPL that the port lacks.
"""

import contextlib
import os
import pty
import select
import subprocess
import termios
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

from inlier_boards.build.micropython import find_or_build

REPL = Path(__file__).parent / "device/raw_repl.py"
RESET = b"MPY: soft reboot"
# The Unix port raises an interrupt within the signal's handler
# (MICROPY_ASYNC_KBD_INTR), wherever the interpreter was: in a garbage
# collection it leaves the heap locked. What ends or hangs then begins again at
# its prompt.
WATCHDOG_S = 2


@contextlib.contextmanager
def plugged(flash: Path) -> Iterator[str]:
    """Its port. A soft reset begins a new process. Raises BadInput."""
    interpreter = find_or_build()
    (flash / "lib").mkdir(exist_ok=True)
    ours, theirs = pty.openpty()  # what mpremote opens
    tty.setraw(theirs)
    board = _Process(interpreter, flash)
    line = threading.Thread(target=_carry, args=(ours, board), daemon=True)
    line.start()
    try:
        yield os.ttyname(theirs)
    finally:
        board.unplug()
        line.join()
        for handle in (ours, theirs):
            os.close(handle)


class _Process:
    """The interpreter with a terminal of its own, which makes the interrupt out
    of a Ctrl-C.
    """

    def __init__(self, interpreter: Path, flash: Path) -> None:
        self._interpreter = interpreter
        self._flash = flash
        self.gone = threading.Event()
        self.line, self._tty = pty.openpty()
        tty.setraw(self._tty)
        modes = termios.tcgetattr(self._tty)
        modes[3] |= termios.ISIG | termios.NOFLSH
        modes[6][termios.VQUIT] = modes[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(self._tty, termios.TCSANOW, modes)
        self.start()

    def start(self, *arguments: str) -> None:
        self.ready = False
        self._process = subprocess.Popen(
            # setsid: a session of its own, with this terminal
            ["setsid", "--ctty", "--wait", self._interpreter, REPL.resolve(), *arguments],
            stdin=self._tty,
            stdout=self._tty,
            stderr=self._tty,
            cwd=self._flash,
            env={**os.environ, "MICROPYPATH": f":.frozen:{self._flash.resolve()}/lib"},
        )

    def restart_if_reset(self) -> None:
        code = self._process.poll()
        if code is not None:
            self.start(*{0: [], 3: ["raw"]}.get(code, ["prompt"]))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def unplug(self) -> None:
        self.gone.set()
        os.close(self._tty)
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        self._process.wait()


def _carry(port: int, board: _Process) -> None:
    """Bytes both ways, until it is unplugged."""
    interrupted: float | None = None
    try:
        while not board.gone.is_set():
            # An interrupt would end an interpreter that has only begun: until
            # it says something, what is sent to it waits.
            ready, _, _ = select.select(
                [board.line, *([port] if board.ready else [])], [], [], 0.05
            )
            if board.line in ready:
                said = os.read(board.line, 4096)
                os.write(port, said)
                board.ready = RESET not in said
                interrupted = None
            if port in ready and board.ready:
                sent = os.read(port, 4096)
                os.write(board.line, sent)
                if b"\x03" in sent:
                    interrupted = time.monotonic()
            if interrupted and time.monotonic() - interrupted > WATCHDOG_S:
                board.kill()
                interrupted = None
            board.restart_if_reset()
    except OSError:
        pass  # the terminal is gone
    os.close(board.line)
