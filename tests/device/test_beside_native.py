"""The counted socket beside the native one: same results, exceptions and
attributes; what only it must do is count.

Each case once went wrong.
"""

import errno
import sys

from inlier import sockets

sockets.install()

import socket

from outcomes import error_of, outcome
from test_sockets import (
    MICROPYTHON,
    Counted,
    address,
    bound,
    pair,
    scripted,
)

NATIVE = sockets.native[0]  # of the same methods, uncounted


def test_garbage_is_no_connect():
    for garbage in (5, None):
        a = socket.socket()
        with Counted() as c:
            assert outcome(a.connect, garbage)[0] is TypeError
        a.close()
        c.expect()


def test_a_socket_that_connects_again_begins_again():
    s, port = bound()
    a = socket.socket()
    with Counted() as c:
        for _ in range(3):
            assert error_of(a.connect, address(port)) == errno.ECONNREFUSED
    a.close()
    s.close()
    c.expect(connects=3, connects_refused=3, peers=1, ports=1)


# MicroPython


def test_a_subclass_of_the_socket_accepts():
    class S(socket.socket):
        def __init__(self):
            super().__init__(socket.AF_INET, socket.SOCK_STREAM)

    s = S()
    for port in range(43000, 43099):
        if error_of(s.bind, address(port)) is None:
            break
    s.listen(1)
    a = S()
    a.connect(address(port))
    b, _ = s.accept()
    a.send(b"x")
    assert b.recv(1) == b"x"
    assert type(b) is socket.socket
    for one in (a, b, s):
        one.close()


def test_attributes_are_the_native_ones():
    names = (
        "accept",
        "bind",
        "close",
        "connect",
        "fileno",
        "getpeername",
        "listen",
        "makefile",
        "read",
        "readinto",
        "readline",
        "recv",
        "recvfrom",
        "send",
        "sendall",
        "sendto",
        "setblocking",
        "setsockopt",
        "settimeout",
        "write",
    )
    a, n = socket.socket(), NATIVE()
    for name in names:
        assert hasattr(socket.socket, name) == hasattr(a, name) == hasattr(n, name), name
    a.close()
    n.close()


def test_results_and_exceptions_are_the_native_ones():
    """On a datagram socket that has one datagram of four bytes to read each
    time.
    """
    if not MICROPYTHON:
        return "test_native_cpython.py has CPython's"
    u, port = bound(socket.SOCK_DGRAM)
    u.close()
    to = address(port, kind=socket.SOCK_DGRAM)
    calls = (
        ("send", (5,)),
        ("send", ("text",)),
        ("send", (bytearray(b"four"), 0)),
        ("sendto", (b"four", None)),
        ("sendto", (b"four", 0, to)),
        ("connect", (5,)),
        ("connect", ()),
        ("sendall", (b"four",)),
        ("write", (b"four", 2)),
        ("write", (b"four", 1, 2)),
        ("write", (None,)),
        ("recv", (3,)),
        ("recv", (9, socket.MSG_DONTWAIT)),
        ("recvfrom", ()),
        ("read", (4,)),
        ("read", ("x",)),
        ("readline", (1,)),
        ("readinto", (bytearray(4),)),
        ("readinto", (bytearray(9), 2)),
        ("readinto", (b"read only",)),
        ("settimeout", (None,)),
        ("settimeout", ("x",)),
        ("setblocking", (True,)),
        ("listen", (1,)),
        ("accept", ()),
        ("setsockopt", (1, 2)),
        ("missing", ()),
    )
    for name, args in calls:
        results = []
        for make in (socket.socket, NATIVE):
            s = make(socket.AF_INET, socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(to)
            s.connect(to)  # to itself
            s.send(b"four")
            results.append(outcome(lambda: getattr(s, name)(*args)))
            s.close()
        if isinstance(results[1], tuple) and results[1][0] is TypeError:  # its text counts `self`
            results = [result[0] for result in results]
        assert results[0] == results[1], (name, args, results)


def test_names_of_the_module_are_the_native_ones():
    if not MICROPYTHON:
        return "CPython's module stays in its place"
    own = {"getaddrinfo", "socket"}
    shown = {name for name in dir(socket) if name[0] != "_"}
    assert own <= shown and {"AF_INET", "SOCK_STREAM"} <= shown
    for name in (
        "errno",
        "io",
        "select",
        "sys",
        "const",
        "source",
        "stand_in",
    ):  # `from socket import *`
        assert name not in shown, name


def test_a_file_of_a_socket_reads_as_the_native_one():
    a, b = pair()
    a.send(b"one\ntwo\nthree\n")
    a.close()
    with Counted() as c:
        f = b.makefile("r")
        if MICROPYTHON and sys.platform not in ("linux", "darwin"):
            assert f is b  # on boards a socket is its own file
            return
        assert f.readline() == "one\n"
        g = b.makefile("rb") if MICROPYTHON else f  # CPython's has read ahead
        assert list(g) == ([b"two\n", b"three\n"] if MICROPYTHON else ["two\n", "three\n"])
    f.close()
    b.close()
    assert c.moved["bytes_in"] == 14, c.moved
    if MICROPYTHON:
        a, b = pair()
        with Counted() as c, a.makefile("rwb") as f, b.makefile("r") as g:
            assert f.write(b"x\xc3\xa9\n") == 4 and g.read(2) == "x\xe9" and g.readline() == "\n"
            assert f.fileno() == a.fileno() and g.readlines is not None
        c.expect(sends=1, receives=2, bytes_out=4, bytes_in=4)
        assert outcome(f.write, b"x")[0] is ValueError, "`with` has closed it"


def test_unix_sockets_count_nothing_whatever_their_name():
    if not hasattr(socket, "AF_UNIX"):
        return "no AF_UNIX here"
    name = b"\0inlier-16-b"  # abstract: with the family's two bytes 14, padded to 16
    name += b"-" * (14 - len(name))
    to = bytes([socket.AF_UNIX, 0]) + name if MICROPYTHON else name
    with Counted() as c:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.bind(to)
        s.listen(1)
        a = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        a.connect(to)
        b, _ = s.accept()
        a.send(b"x")
        assert b.recv(1) == b"x"
        for one in (a, b, s):
            one.close()
    c.expect()


def test_a_large_buffer_takes_one_datagram():
    """What DTLS does; a native readinto would wait for the buffer to be full."""
    if not MICROPYTHON:
        return "CPython's sockets have no readinto"
    u, port = bound(socket.SOCK_DGRAM)
    v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    v.connect(address(port, kind=socket.SOCK_DGRAM))
    buffer = bytearray(16_717)
    with Counted() as c:
        v.write(b"one")
        v.write(b"three")
        assert u.readinto(buffer) == 3 and buffer[:4] == b"one\0"
        assert u.readinto(memoryview(buffer)) == 5 and buffer[:5] == b"three"
        u.setblocking(False)
        assert u.readinto(buffer) is None
    assert len(buffer) == 16_717
    c.expect(datagrams_out=2, datagrams_in=2, bytes_out=8, bytes_in=8)
    u.close()
    v.close()


# The Pico W's lwIP, as measured on the official image v1.25.0.

POLLIN, POLLOUT, POLLERR, POLLHUP = 1, 4, 8, 16


def test_a_connect_polled_by_calling_it_again_on_lwip():
    if not MICROPYTHON:
        return "scripts a native socket of MicroPython"
    to = ("10.0.0.1", 80)
    cases = (
        # polled events, connect: expected refused, failed
        (POLLOUT | POLLHUP, [115, 9, 9, 9], 1, 0),  # reset by the peer
        (POLLERR, [115, 114, 9, 9], 0, 1),  # aborted by lwIP, which had no answer
        (POLLOUT, [115, 106, 106, 106], 0, 0),  # an open port
        (0, [115, 114, 114, 114], 0, 1),  # closed while unanswered
        (0, [110, 114, 114], 0, 1),  # a blocking connect that timed out
    )
    for events, connect, refused, failed in cases:
        s = scripted(events, connect=list(connect))
        with Counted() as c:
            assert [error_of(s.connect, to) for _ in connect] == connect
            s.close()
        moved = {"connects": 1, "peers": 1, "ports": 1}
        if refused:
            moved["connects_refused"] = 1
        if failed:
            moved["connects_failed"] = 1
        assert {k: v for k, v in c.moved.items() if k != "peers_new"} == moved, (connect, c.moved)


def test_a_name_that_lwip_cannot_connect_to_counts_nothing():
    if not MICROPYTHON:
        return "scripts a native socket of MicroPython"

    class Native:
        def connect(self, address):
            raise ValueError("invalid arguments")

        sendto = connect

        def close(self):
            pass

    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, Native())
    with Counted() as c:
        assert outcome(s.connect, ("host.test", 80))[0] is ValueError
        s.close()
    c.expect()


def test_an_address_may_be_a_list_on_lwip():
    source = sockets.Sockets()
    source.contact(["10.0.0.1", 80], True)
    source.contact((b"10.0.0.1", 80), True)
    source.contact(("host.test", 80), True)
    source.contact((b"host.test", 80), True)
    values = [0] * 14
    source.read(values)
    assert values[10:] == [2, 2, 1, 2]  # lookups, peers, ports, peers_new
