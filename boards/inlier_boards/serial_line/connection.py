"""A board at a serial port, by mpremote's library: its raw REPL, its files."""

import contextlib
import errno
import io
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from inlier_export.errors import BadInput

ANSWER_S = 15  # a board that has not answered by then does something else
BYTE_S = 2
ATTEMPTS = 4  # an interrupt that comes while the board starts is lost
BETWEEN_S = 0.1
CHUNK_BYTES = 512  # of a file: its repr, four times as long at most, goes through the board's heap


@contextlib.contextmanager
def understood(name: str) -> Iterator[None]:
    """Raises BadInput where what a board printed is not what it was asked for:
    its program's timers and threads print between.
    """
    try:
        yield
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError):
        raise BadInput(
            f"{name}: its answer makes no sense: something else prints there, such as a timer or "
            f"a thread of its program; end that, or flash MicroPython again"
        ) from None


class Connection:
    """`execute(code)` returns what the code printed. Raises BadInput, saying
    what the board or the port did.
    """

    answer_s: float = ANSWER_S

    def __init__(self, port: str) -> None:
        self.name = port
        self._transport: Any = None

    def open(self, port: str) -> None:
        """What runs there runs on."""
        from mpremote.transport import TransportError
        from mpremote.transport_serial import SerialTransport

        for attempt in range(ATTEMPTS):
            try:
                # timeout: mpremote waits for ever for each byte of a
                # pseudo-terminal otherwise
                self._transport = SerialTransport(port, timeout=BYTE_S)
                return
            except (TransportError, OSError):
                if attempt == ATTEMPTS - 1:
                    raise BadInput(f"{port}: {_why_not_open(port)}") from None
                time.sleep(BETWEEN_S)  # a program that has just ended may hold it for a moment

    def listen(self, limit_s: float) -> bytes:
        """What comes within limit_s; b"": nothing."""
        line = self._transport.serial
        with self._limited(limit_s):
            line.timeout = limit_s
            return bytes(line.read(max(1, line.in_waiting)))

    def connect(self, port: str, soft_reset: bool = False) -> None:
        """soft_reset: begin with an empty heap; main.py does not run again."""
        from mpremote.transport import TransportError

        self.open(port)
        with self._limited(self.answer_s):
            for attempt in range(ATTEMPTS):
                try:
                    self._enter_raw_repl(False, self.answer_s / ATTEMPTS)
                    if soft_reset:
                        self._enter_raw_repl(True, self.answer_s)
                    return
                except TransportError:
                    if attempt == ATTEMPTS - 1:
                        raise self._no_repl() from None

    def _enter_raw_repl(self, soft_reset: bool, limit_s: float) -> None:
        # mpremote prints what it did not expect, and listens for ever to a
        # program that prints without end
        with (
            contextlib.redirect_stdout(io.StringIO()),
            _after(limit_s, self._transport.serial.cancel_read),
        ):
            self._transport.enter_raw_repl(soft_reset=soft_reset, timeout_overall=limit_s)

    def _no_repl(self) -> BadInput:
        return BadInput(
            f"{self.name}: nothing there answers as MicroPython: flash it (see "
            f"boards/<board>/README.md), or reset the "
            "board if its program does not let go"
        )

    def execute(self, code: str, limit_s: float | None = None) -> str:
        limit_s = limit_s or self.answer_s
        with self._limited(limit_s):
            out, error = self._transport.exec_raw(code, timeout=limit_s)
        if error:
            text = error.decode(errors="replace").strip().splitlines()
            raise BadInput(
                f"{self.name}: {text[-1]} ({'; '.join(line.strip() for line in text[:-1][-2:])})"
            )
        return str(out.decode(errors="replace"))

    def write(
        self, path: str, content: bytes, progress: Callable[[int], None] = lambda done: None
    ) -> None:
        """progress is told the bytes that were written."""
        with self._limited(self.answer_s):
            self._transport.fs_writefile(
                path, content, CHUNK_BYTES, lambda done, total: progress(done)
            )

    def sha256(self, path: str) -> bytes:
        with self._limited(self.answer_s):
            return bytes(self._transport.fs_hashfile(path, "sha256"))

    def read(self, path: str) -> bytes:
        with self._limited(self.answer_s):
            return bytes(self._transport.fs_readfile(path, CHUNK_BYTES))

    def interrupt(self) -> None:
        """End what runs there; what it defined stays. For a line on which this
        side was interrupted half-way too.
        """
        from mpremote.transport import TransportError

        with self._limited(self.answer_s), contextlib.suppress(TransportError):
            self._enter_raw_repl(False, self.answer_s)

    def restart(self) -> None:
        """A soft reset, after which the board runs its main.py."""
        with self._limited(self.answer_s):
            self._transport.exit_raw_repl()
            self._transport.read_until(1, b">>> ", timeout=self.answer_s)
            self._transport.serial.write(b"\x04")
            self._transport.read_until(1, b"soft reboot\r\n", timeout=self.answer_s)

    def close(self) -> None:
        if self._transport:
            with contextlib.suppress(OSError):
                self._transport.close()

    @contextlib.contextmanager
    def _limited(self, limit_s: float) -> Iterator[None]:
        from mpremote.transport import TransportError

        try:
            yield
        except (TransportError, OSError, struct.error) as problem:
            if getattr(problem, "errno", None) == errno.ENOSPC:
                raise BadInput(
                    f"{self.name}: its flash is full: delete files there, then try again"
                ) from None
            raise BadInput(
                f"{self.name}: it was unplugged, or stopped answering "
                f"({problem or 'nothing came'}): "
                "plug it in again, then repeat the command; what ran there before runs on"
            ) from None


@contextlib.contextmanager
def _after(limit_s: float, call: Callable[[], None]) -> Iterator[None]:
    timer = threading.Timer(limit_s, call)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _why_not_open(port: str) -> str:
    """mpremote keeps that to itself."""
    import serial

    try:
        serial.Serial(port, exclusive=True).close()
    except OSError as error:
        if error.errno in (errno.EBUSY, errno.EAGAIN):
            return (
                "the port is in use by another program: close that one (a serial "
                "monitor?), then try again"
            )
        if error.errno == errno.EACCES:
            return (
                "no permission to open it: join its group with 'sudo usermod -aG "
                "dialout $USER', then log in again"
            )
        if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            return (
                "no such port: plug in the board with a cable that carries data, or "
                "leave out --port to have it found"
            )
        return f"it is no serial port ({error}): name the board's, such as /dev/ttyACM0"
    return "it could not be opened: try again"


def find_port() -> str:
    """The port of the one board that is plugged in. Raises BadInput for none,
    and for two.
    """
    from serial.tools import list_ports

    # of USB: a board or an adapter
    found = sorted(port.device for port in list_ports.comports() if port.vid is not None)
    if not found:
        raise BadInput(
            "no board found: plug it in with a cable that carries data, or name its port with "
            "--port"
        )
    if len(found) > 1:
        raise BadInput(
            f"{len(found)} boards found ({', '.join(found)}): name one of them with --port"
        )
    return found[0]
