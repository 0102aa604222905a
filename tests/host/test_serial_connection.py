"""What goes over a board's serial line, and what is said of what comes: a
transport of mpremote's that does what a test says.
"""

import errno
import threading
from types import SimpleNamespace

import pytest
from mpremote import transport_serial
from mpremote.transport import TransportError

from inlier_boards.serial_line import connection, listen
from inlier_boards.serial_line.connection import ATTEMPTS, BYTE_S, Connection
from inlier_export.errors import BadInput


class Transport:
    """did: what was asked, in order. fails: by call, what it raises."""

    def __init__(self, **fails):
        self.did, self.fails = [], fails
        self.serial = SimpleNamespace(
            cancel_read=lambda: self.did.append("cancel"), write=self._call("write")
        )

    def __getattr__(self, name):
        return self._call(name)

    def _call(self, name):
        def call(*args, **options):
            self.did.append((name, *args, *sorted(options.items())))
            print("mpremote: something unexpected")
            if name in self.fails:
                raise self.fails[name]

        return call


def connected(**fails):
    line = Connection("/dev/ttyACM0")
    line._transport = Transport(**fails)
    return line, line._transport.did


def test_an_interrupt_ends_what_runs_and_forgets_nothing_of_it(capsys):
    line, did = connected()
    line.interrupt()
    limit_s = line.answer_s
    assert did == [("enter_raw_repl", ("soft_reset", False), ("timeout_overall", limit_s))]
    assert capsys.readouterr().out == "", "what mpremote did not expect is no word for people"


def test_whoever_restarts_waits_until_the_board_has_begun_again():
    """Else its port would be closed before, and with some boards it not reset."""
    line, did = connected()
    line.restart()
    timeout = ("timeout", line.answer_s)
    assert did == [
        ("exit_raw_repl",),
        ("read_until", 1, b">>> ", timeout),
        ("write", b"\x04"),
        ("read_until", 1, b"soft reboot\r\n", timeout),
    ]


def test_a_limit_that_was_kept_ends_nothing_later():
    before = set(threading.enumerate())
    with connection._after(60, lambda: None):
        (timer,) = set(threading.enumerate()) - before
    timer.join(10)
    assert not timer.is_alive()


def test_a_board_that_starts_is_interrupted_again_within_the_time_it_has(monkeypatch):
    made = []

    def serial_transport(port, **options):
        made.append(options)
        if len(made) < ATTEMPTS:
            raise TransportError("in use for a moment")
        return Transport(enter_raw_repl=TransportError("could not enter raw repl"))

    monkeypatch.setattr(transport_serial, "SerialTransport", serial_transport)
    monkeypatch.setattr(connection, "BETWEEN_S", 0)
    monkeypatch.setattr(Connection, "answer_s", 20)
    line = Connection("/dev/ttyACM0")
    with pytest.raises(BadInput, match="nothing there answers as MicroPython"):
        line.connect("/dev/ttyACM0")
    assert made == [{"timeout": BYTE_S}] * ATTEMPTS, "no byte is waited for without end"
    limits = [dict(call[1:])["timeout_overall"] for call in line._transport.did]
    assert limits == [20 / ATTEMPTS] * ATTEMPTS


def test_what_went_wrong_there_is_told_first_and_then_where():
    line, _ = connected()
    trace = b'Traceback:\r\n  File "main.py", line 3, in f\r\n  File "x.py", line 9\r\nOSError: 28'
    line._transport.exec_raw = lambda code, timeout: (b"", trace)
    with pytest.raises(BadInput) as told:
        line.execute("f()")
    assert str(told.value) == (
        '/dev/ttyACM0: OSError: 28 (File "main.py", line 3, in f; File "x.py", line 9)'
    )


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (OSError(errno.ENOSPC, "no space"), "its flash is full: delete files there"),
        (OSError(errno.EIO, "I/O error"), "it was unplugged, or stopped answering .*I/O error"),
        (TransportError("timeout"), "it was unplugged, or stopped answering .timeout"),
    ],
)
def test_a_full_flash_is_told_from_a_cable_that_was_pulled(problem, said):
    line, _ = connected(fs_writefile=problem)
    with pytest.raises(BadInput, match=said):
        line.write("/x", b"content")


def test_a_port_that_is_gone_is_closed_without_a_word():
    line, did = connected(close=OSError(errno.EIO, "I/O error"))
    line.close()
    assert did == [("close",)]


class Line:
    """In the place of a Connection: a board with a ring of two files."""

    def __init__(self, breaks=False):
        self.did, self._breaks = [], breaks

    def __call__(self, port):
        return self

    def __getattr__(self, name):
        return lambda *args: self.did.append(name)

    def listen(self, limit_s):
        return b"~w 1\n"

    def execute(self, code):
        return "ring.10\nring.9\nring.boot\n"

    def read(self, path):
        if self._breaks:
            raise BadInput("it was unplugged")
        return f"{path}\n".encode()


def test_a_port_is_let_go_of_when_nobody_listens_any_more(monkeypatch):
    monkeypatch.setattr(listen, "Connection", line := Line())
    lines = listen.live("/dev/ttyACM0", False)
    assert next(lines) == "~w 1"
    lines.close()
    assert line.did == ["open", "close"], "what runs there runs on"


@pytest.mark.parametrize("breaks", [False, True])
def test_a_board_whose_ring_was_read_runs_its_program_again(breaks, monkeypatch):
    monkeypatch.setattr(listen, "Connection", line := Line(breaks))
    if breaks:
        with pytest.raises(BadInput):
            list(listen.ring("/dev/ttyACM0", "data/ring"))
    else:
        told = list(listen.ring("/dev/ttyACM0", "data/ring"))
        assert told == ["data/ring.9", "data/ring.10"]
    assert line.did == ["connect", "interrupt", "restart", "close"]
