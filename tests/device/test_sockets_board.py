"""What an application of a board gets as `socket`: over a native one that does
what a test says, so that a board needs no network.
"""

import errno
import sys

from outcomes import error_of

MICROPYTHON = sys.implementation.name == "micropython"

# This module stands in for the native `socket` and `select`.
AF_INET = 2
SOCK_STREAM = 1
SOCK_DGRAM = 2
POLLOUT, POLLERR, POLLHUP = 4, 8, 16
TO = ("10.0.0.9", 80)


def getaddrinfo(host, port, *others):
    if host == "nobody.example":
        raise OSError(-2)
    return [(AF_INET, SOCK_STREAM, 0, "", (host, port))]


class socket:
    """events: what polling finds.
    will: by call, what it gives each time; an OSError is raised.
    did: what was asked.
    """

    def __init__(self, family=AF_INET, kind=SOCK_STREAM, proto=0):
        self.events = 0
        self.will = {}
        self.did = []

    def _do(self, name, *args):
        self.did.append((name,) + args)
        outcomes = self.will.get(name)
        outcome = outcomes.pop(0) if outcomes else None
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    def accept(self):
        return self._do("accept")

    def close(self):
        return self._do("close")

    def connect(self, address):
        return self._do("connect", address)

    def read(self, *n):
        return self._do("read", *n)

    def readinto(self, buffer, *n):
        return self._do("readinto", len(buffer))

    def recv(self, n, *flags):
        return self._do("recv", n, *flags)

    def recvfrom(self, n):
        return self._do("recvfrom", n)

    def send(self, data):
        return len(data)

    def sendall(self, data):
        return self._do("sendall", data)

    def setblocking(self, flag):
        return self._do("setblocking", flag)


class poll:
    def register(self, s, events):
        self._s, self._wanted = s, events

    modify = register

    def ipoll(self, timeout):
        found = self._s.events & (self._wanted | POLLERR | POLLHUP)
        return [(self._s, found)] if found else []


if MICROPYTHON:
    sys.modules["socket"] = sys.modules["select"] = sys.modules[__name__]
    from inlier import sockets

    source = sockets.install()


def counted(kind=SOCK_STREAM, events=0, **will):
    """A socket as the application has it, and the native one below."""
    native = socket()
    native.events, native.will = events, will
    return sys.modules["socket"].socket(AF_INET, kind, 0, native), native


class Moved(dict):
    """`with Moved() as moved: …`: the counters that moved, but for peers_new,
    which depends on what was before.
    """

    def __enter__(self):
        source.read(source.totals)
        self._before = list(source.totals)
        return self

    def __exit__(self, *error):
        for i, name in enumerate(source.counters):
            if source.totals[i] != self._before[i] and name != "peers_new":
                self[name] = source.totals[i] - self._before[i]


def of_a_board(test):
    def run():
        return test() if MICROPYTHON else "CPython's sockets are counted by other code"

    return run


@of_a_board
def test_it_has_both_names_of_the_module():
    assert sys.modules["socket"] is sys.modules["usocket"]


@of_a_board
def test_what_is_only_looked_at_counts_when_it_is_taken():
    for kind, calls in ((SOCK_STREAM, "receives"), (SOCK_DGRAM, "datagrams_in")):
        s, _ = counted(kind, recv=[b"abc", b"abc"])
        with Moved() as moved:
            assert s.recv(3, 2) == b"abc"  # MSG_PEEK
        assert moved == {}, kind
        with Moved() as moved:
            assert s.recv(3) == b"abc"
        assert moved == {calls: 1, "bytes_in": 3}, kind


@of_a_board
def test_text_counts_as_the_bytes_that_it_is_sent_as():
    s, native = counted()
    with Moved() as moved:
        s.sendall("\xe9\n")
    assert moved == {"sends": 1, "bytes_out": 3} and native.did == [("sendall", "\xe9\n")]


@of_a_board
def test_an_empty_datagram_is_one_and_no_bytes_of_a_stream_are_none():
    for kind, expected in (
        (SOCK_STREAM, {}),
        (SOCK_DGRAM, {"datagrams_out": 1, "datagrams_in": 1}),
    ):
        s, _ = counted(kind, recv=[b""])
        with Moved() as moved:
            s.send(b"")
            s.recv(9)
        assert moved == expected, kind


@of_a_board
def test_who_turns_to_the_device_is_a_peer_whose_port_it_did_not_choose():
    s, _ = counted(SOCK_DGRAM, recvfrom=[(b"x", ("10.0.0.7", 999))])
    with Moved() as moved:
        s.recvfrom(9)
    assert moved == {"datagrams_in": 1, "bytes_in": 1, "peers": 1}
    s, _ = counted(accept=[(socket(), ("10.0.0.7", 999))])
    with Moved() as moved:
        s.accept()
    assert moved == {"accepts": 1, "peers": 1}


@of_a_board
def test_only_a_buffer_beyond_a_frame_is_taken_for_a_record_of_dtls():
    """1,472 bytes of UDP fit into an Ethernet frame."""
    for size, asked in ((1472, "readinto"), (1473, "recv")):
        s, native = counted(SOCK_DGRAM, recv=[b"abc"], readinto=[3])
        assert s.readinto(bytearray(size)) == 3
        assert native.did == [(asked, size)]


@of_a_board
def test_a_record_of_dtls_that_does_not_come_raises_what_the_native_one_does():
    s, _ = counted(SOCK_DGRAM, recv=[OSError(errno.EAGAIN), OSError(errno.ECONNREFUSED)])
    buffer = bytearray(2000)
    assert s.readinto(buffer) is None, "it would have blocked"
    assert error_of(s.readinto, buffer) == errno.ECONNREFUSED


@of_a_board
def test_what_a_connect_raised_is_not_kept():
    """An error holds its traceback: in a socket it would stay on the heap."""
    s, _ = counted(connect=[OSError(errno.EHOSTUNREACH)])
    assert error_of(s.connect, TO) == errno.EHOSTUNREACH
    assert s._caught.error is None


@of_a_board
def test_a_connect_that_ended_well_when_it_was_asked_again_is_over():
    s, _ = counted(
        events=POLLOUT,
        connect=[OSError(errno.EINPROGRESS), None],
        recv=[OSError(errno.ECONNRESET)],
    )
    with Moved() as moved:
        assert error_of(s.connect, TO) == errno.EINPROGRESS
        s.connect(TO)
        assert error_of(s.recv, 9) == errno.ECONNRESET
        s.close()
    assert moved == {"connects": 1, "peers": 1, "ports": 1}, "a reset is no refusal then"


@of_a_board
def test_who_closes_before_the_first_byte_asks_without_waiting_how_it_ended():
    for events, answer, ended in (
        (POLLOUT, b"", None),
        (POLLOUT, OSError(errno.EAGAIN), None),
        (POLLOUT | POLLERR, OSError(errno.ECONNRESET), "connects_refused"),
        (POLLERR, OSError(errno.EHOSTUNREACH), "connects_failed"),
    ):
        s, native = counted(events=events, connect=[OSError(errno.EINPROGRESS)], recv=[answer])
        with Moved() as moved:
            error_of(s.connect, TO)
            s.close()
        expected = {"connects": 1, "peers": 1, "ports": 1}
        if ended:
            expected[ended] = 1
        assert moved == expected, (events, moved)
        assert native.did[1:] == [("setblocking", False), ("recv", 0), ("close",)]


@of_a_board
def test_a_connection_that_lwip_dropped_was_refused_where_the_peer_reset_it():
    """It polls as hung up then; a connect without an answer only as an error."""
    for events, ended in (
        (POLLERR, "connects_failed"),
        (POLLHUP, "connects_refused"),
        (POLLERR | POLLHUP, "connects_refused"),
    ):
        s, _ = counted(events=events, connect=[OSError(errno.EINPROGRESS), OSError(errno.EBADF)])
        with Moved() as moved:
            error_of(s.connect, TO)
            error_of(s.connect, TO)
        assert moved.get(ended) == 1 and len(moved) == 4, (events, moved)


@of_a_board
def test_a_read_that_would_block_leaves_open_how_the_connect_ended():
    """The ESP32's select has no error flag: only the next read tells."""
    s, _ = counted(
        events=POLLOUT,
        connect=[OSError(errno.EINPROGRESS)],
        read=[None, OSError(errno.ECONNRESET)],
    )
    with Moved() as moved:
        error_of(s.connect, TO)
        assert s.read(9) is None
        assert error_of(s.read, 9) == errno.ECONNRESET
    assert moved["connects_refused"] == 1


@of_a_board
def test_a_connection_that_is_there_is_not_begun_again_whatever_its_errno_is_called():
    """Linux and the Pico's lwIP, the ESP32's newlib, BSD."""
    for code in (106, 127, 56, errno.EALREADY):
        for first in (None, OSError(errno.EINPROGRESS)):
            s, _ = counted(events=POLLOUT, connect=[first, OSError(code)])
            with Moved() as moved:
                error_of(s.connect, TO)
                assert error_of(s.connect, TO) == code
                s.close()
            assert moved == {"connects": 1, "peers": 1, "ports": 1}, (code, first)


@of_a_board
def test_a_name_that_is_not_found_was_looked_up():
    with Moved() as moved:
        assert error_of(sys.modules["socket"].getaddrinfo, "nobody.example", 80) == -2
    assert moved["lookups"] == 1
