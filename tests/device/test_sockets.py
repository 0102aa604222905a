"""The counting sockets over real loopback connections, by CPython and by
MicroPython.

Both ends of each connection live in this process and are counted, so bytes_out
equals bytes_in where all was read.
"""

import errno
import select
import sys

from inlier import sockets

source = sockets.install()

import asyncio
import socket

from outcomes import error_of

MICROPYTHON = sys.implementation.name == "micropython"
HOST = "127.0.0.1"


class Counted:
    """`with Counted() as c: …; c == {…}`: the counters that moved."""

    def __enter__(self):
        self._before = [0] * len(source.counters)
        source.read(self._before)
        return self

    def __exit__(self, *error):
        after = [0] * len(source.counters)
        source.read(after)
        self.moved = {
            name: after[i] - self._before[i]
            for i, name in enumerate(source.counters)
            if after[i] != self._before[i]
        }

    def expect(self, **moved):
        # depends on the tests before
        moved_but_new = {k: v for k, v in self.moved.items() if k != "peers_new"}
        assert moved_but_new == moved, self.moved


def test_installed_twice_it_counts_once():
    assert sockets.install() is source


def address(port, host=HOST, kind=socket.SOCK_STREAM):
    return socket.getaddrinfo(host, port, 0, kind)[0][-1]


def bound(kind=socket.SOCK_STREAM):
    """A socket bound to a free port, and the port: MicroPython's has no
    getsockname.
    """
    for port in range(42000, 42999):
        s = socket.socket(socket.AF_INET, kind)
        try:
            s.bind(address(port, kind=kind))
            return s, port
        except OSError:
            s.close()
    raise OSError("no free port")


def listening(backlog=5):
    s, port = bound()
    s.listen(backlog)
    return s, port


def pair():
    """Both ends of a connection."""
    server, port = listening()
    a = socket.socket()
    a.connect(address(port))
    b, _ = server.accept()
    server.close()
    return a, b


def wait(s, event, timeout_ms=2000):
    poller = select.poll()
    poller.register(s, event)
    return poller.poll(timeout_ms)


def begin(s, port):
    """A non-blocking connect; says whether it has ended at once."""
    s.setblocking(False)
    return error_of(s.connect, address(port)) != errno.EINPROGRESS


def test_blocking_connection_counts_calls_and_bytes():
    with Counted() as c:
        a, b = pair()
        assert a.send(b"12345") == 5
        (a.send if MICROPYTHON else a.sendall)(b"678")  # MicroPython's Unix port has no sendall
        assert b.recv(5) == b"12345"
        assert b.recv(9) == b"678"
        a.close()
        assert b.recv(9) == b""  # the end counts nothing
        b.close()
    c.expect(connects=1, accepts=1, sends=2, receives=2, bytes_out=8, bytes_in=8, peers=1, ports=1)


def test_would_block_counts_nothing():
    a, b = pair()
    a.setblocking(False)
    with Counted() as c:
        assert error_of(a.recv, 1) == errno.EAGAIN
        if MICROPYTHON:
            assert a.read(1) is None
            assert a.readinto(bytearray(1)) is None
            assert a.readline() is None
    a.close()
    b.close()
    c.expect()


def test_stream_methods_of_micropython():
    if not MICROPYTHON:
        return "CPython's sockets have no read and write"
    a, b = pair()
    buffer = bytearray(4)
    with Counted() as c:
        assert a.write(b"one\ntwo.....") == 12
        assert a.write(b"abcdef", 2) == 2  # MicroPython's (data, length) and (data, start, length)
        assert a.write(b"abcdef", 2, 3) == 3
        assert b.readline() == b"one\n"
        assert b.read(3) == b"two"
        assert b.readinto(buffer) == 4
        assert b.readinto(buffer, 1) == 1
        a.close()
        assert b.read() == b"abcde"
    b.close()
    c.expect(sends=3, receives=5, bytes_out=17, bytes_in=17)


def test_poll_works_through_the_wrapper():
    a, b = pair()
    assert not wait(b, select.POLLIN, 0)
    assert wait(b, select.POLLOUT, 0)
    a.send(b"x")
    ready = wait(b, select.POLLIN)
    assert ready[0][1] & select.POLLIN
    assert ready[0][0] is b or ready[0][0] == b.fileno()  # CPython gives descriptors
    a.close()
    b.close()


def test_board_style_poll():
    """The boards poll by ioctl; Unix asks for a descriptor first."""
    if not MICROPYTHON:
        return "CPython polls descriptors"
    a, b = pair()
    assert b.ioctl(3, select.POLLIN) == 0
    a.write(b"x")
    wait(b, select.POLLIN)
    assert b.ioctl(3, select.POLLIN) == select.POLLIN
    assert b.ioctl(3, select.POLLIN | select.POLLOUT) == select.POLLIN | select.POLLOUT
    assert b.ioctl(99, 0) < 0
    assert b.ioctl(4, 0) == 0  # what closing a TLS socket around it does
    assert error_of(b.send, b"x") == errno.EBADF
    a.close()


def test_refused_is_counted_once():
    s, port = bound()  # bound, not listening: connects to it are refused
    a = socket.socket()
    with Counted() as c:
        assert error_of(a.connect, address(port)) == errno.ECONNREFUSED
        error_of(a.send, b"x")
        error_of(a.recv, 1)
        a.close()
    s.close()
    c.expect(connects=1, connects_refused=1, peers=1, ports=1)


def test_refused_later_is_counted_once_by_the_first_read_or_write():
    s, port = bound()
    for use in ("send", "recv", "close"):
        a = socket.socket()
        with Counted() as c:
            ended = begin(a, port)
            wait(a, select.POLLOUT)
            if use == "send":
                assert error_of(a.send, b"x") is not None
                error_of(a.send, b"x")
            elif use == "recv":
                assert ended or error_of(a.recv, 1) is not None
            a.close()
            a.close()
        c.expect(connects=1, connects_refused=1, peers=1, ports=1)
    s.close()


def test_unanswered_is_counted_as_failed_when_given_up():
    server, port = listening(0)
    waiting = []
    pending = None
    for _ in range(20):  # until the backlog is full and the next connect is left unanswered
        a = socket.socket()
        if not begin(a, port) and not wait(a, select.POLLOUT, 200):
            pending = a
            break
        waiting.append(a)
    if pending is None:
        return "this kernel answers beyond the backlog"
    with Counted() as c:
        pending.close()
        pending.close()
    for a in waiting:
        a.close()
    server.close()
    c.expect(connects_failed=1)


def test_nonblocking_connect_that_succeeds_is_no_failure():
    server, port = listening()
    for use in ("send", "close", "reset"):
        with Counted() as c:
            a = socket.socket()
            begin(a, port)
            wait(a, select.POLLOUT)
            b, _ = server.accept()
            if use != "close":
                a.send(b"x")
            if use == "reset":
                b.close()  # with a byte unread: resets the connection
                wait(a, select.POLLIN)
                error_of(a.recv, 1)
            a.close()
            a.close()
            b.close()
        assert c.moved["connects"] == c.moved["accepts"] == 1
        assert "connects_refused" not in c.moved and "connects_failed" not in c.moved
    server.close()


def reset(s):
    """Close so that the peer gets a reset: SO_LINGER of no seconds."""
    linger = getattr(socket, "SO_LINGER", 13)  # MicroPython has no name for Linux's 13
    s.setsockopt(socket.SOL_SOCKET, linger, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    s.close()


def test_a_connect_that_ended_well_is_over_whatever_becomes_of_its_connection():
    for use in ("recv", "send", "close"):
        with Counted() as c:
            a, b = pair()
            if use == "close":
                b.close()
            else:
                reset(b)
                wait(a, select.POLLIN)
                error = error_of(a.recv, 1) if use == "recv" else error_of(a.send, b"x")
                assert error in (errno.ECONNRESET, 32), "as the native socket has it"  # 32: EPIPE
            a.close()
        c.expect(connects=1, accepts=1, peers=1, ports=1)


def test_asking_again_is_no_second_connect():
    server, port = listening()
    a = socket.socket()
    with Counted() as c:
        begin(a, port)
        wait(a, select.POLLOUT)
        # EISCONN: how MicroPython code asks whether it is connected
        error_of(a.connect, address(port))
        a.close()
    server.close()
    c.expect(connects=1, peers=1, ports=1)


def test_datagrams():
    a, port = bound(socket.SOCK_DGRAM)
    b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with Counted() as c:
        assert b.sendto(b"ping", address(port)) == 4
        data, peer = a.recvfrom(64)
        assert data == b"ping"
        a.sendto(b"pong!", peer)
        assert b.recv(64) == b"pong!"
    # ports: the one b chose and, as a answered it, b's own
    c.expect(datagrams_out=2, datagrams_in=2, bytes_out=9, bytes_in=9, peers=1, ports=2)
    with Counted() as c:
        b.connect(address(port))  # no connection: nothing is sent
        b.send(b"again")
        assert a.recv(64) == b"again"
    c.expect(datagrams_out=1, datagrams_in=1, bytes_out=5, bytes_in=5, peers=1, ports=1)
    a.close()
    b.close()


def test_lookups_are_of_names_only():
    cases = ((HOST, 0), ("0.0.0.0", 0), ("localhost", 1))
    for host, lookups in cases:
        with Counted() as c:
            socket.getaddrinfo(host, 80)
        c.expect(**({"lookups": lookups} if lookups else {}))
    for host, name in (
        ("::1", False),
        ("fe80::12%en0", False),
        ("10.1.2.3", False),
        ("a.b", True),
        ("3com.com", True),
    ):
        assert sockets.host_hash(host) >> 18 == name, host


def test_distinct_hosts_and_ports_of_a_window():
    fresh = sockets.Sockets()
    names = fresh.counters
    values = [0] * len(names)

    def contact(*addresses):
        for a in addresses:
            fresh.contact(a, True)
        fresh.read(values)
        return [values[names.index(name)] for name in ("peers", "ports", "peers_new", "lookups")]

    one = ("10.0.0.1", 80)
    other = ("10.0.0.2", 80)
    # address 10.0.0.1, port 80 as the Unix port has it: family, port
    # big-endian, address, padding
    as_bytes = bytes([2, 0, 0, 80, 10, 0, 0, 1]) + bytes(8)
    assert contact() == [0, 0, 0, 0]
    assert contact(one, one, as_bytes if MICROPYTHON else one) == [1, 1, 1, 0]
    assert contact(one) == [2, 2, 1, 0]  # a new window counts it again, but it is known
    assert contact(one, other, ("10.0.0.2", 443)) == [4, 4, 2, 0]
    assert contact(("device.example", 80)) == [5, 5, 3, 1]  # the boards resolve names in connect
    if MICROPYTHON:  # sockaddrs
        ip6 = bytes([10, 0, 0, 80, 0, 0, 0, 0]) + bytes(15) + b"\1" + bytes(4)  # ::1
        assert contact(ip6) == [6, 6, 4, 1]
        assert contact(bytes(9)) == [6, 6, 4, 1]  # AF_UNIX is no host
        assert contact(("10.0.0.3", 80)) == [7, 7, 5, 1]
    else:
        assert contact(("::1", 80), ("10.0.0.3", 80)) == [7, 6, 5, 1]
    # 200 hosts in a window: about 512 * (1 - exp(-200 / 512)) = 166
    peers = contact(*[("192.168.%d.%d" % (i % 7, i), 23) for i in range(200)])[0] - 7
    assert 140 <= peers <= 200, peers


def test_counters_wrap_at_their_bits():
    a, b = pair()
    source.totals[0] = (1 << source.bits) - 2
    a.send(b"12345")
    assert source.totals[0] == 3
    a.close()
    b.close()


def test_asyncio_streams():
    got = []

    async def serve(reader, writer):
        got.append(await reader.readline())
        got.append(await reader.read(4))
        writer.write(b"reply")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main(port):
        server = await asyncio.start_server(serve, HOST, port)
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"GET /\n")
        writer.write(b"body")
        await writer.drain()
        got.append(await reader.read(5))
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    s, port = bound()
    s.close()
    with Counted() as c:
        asyncio.run(main(port))
    assert got == [b"GET /\n", b"body", b"reply"]
    receives = c.moved.pop("receives")
    assert 2 <= receives <= 4  # the kernel may join segments
    c.expect(connects=1, accepts=1, sends=3, bytes_out=15, bytes_in=15, peers=1, ports=1)


def test_asyncio_refused_is_counted_once():
    async def main(port):
        try:
            reader, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            return
        # MicroPython's open_connection returns before the answer is known.
        try:
            writer.write(b"x")
            await writer.drain()
            await reader.read(1)
            raise AssertionError("connected to nobody")
        except OSError:
            pass
        writer.close()
        await writer.wait_closed()

    s, port = bound()
    with Counted() as c:
        asyncio.run(main(port))
    s.close()
    c.expect(connects=1, connects_refused=1, peers=1, ports=1)


class Script:
    """A native socket whose calls end as scripted: numbers are errnos to raise,
    all else is returned.
    """

    def __init__(self, **script):
        self._script = script

    def __getattr__(self, name):
        def call(*args):
            steps = self._script.get(name)
            result = steps.pop(0) if steps else None
            if isinstance(result, int) and name != "ioctl":
                raise OSError(result)
            return result

        return call


def scripted(events, **script):
    """A counted socket on a scripted native one, which polls as `events`."""

    class Polled(type(socket.socket()).__bases__[0]):
        def __init__(self):
            self._script = Script(**script)

        def __getattr__(self, name):
            return getattr(self._script, name)

        def ioctl(self, request, arg):
            return events if request == 3 else -1

    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, Polled())


def test_how_a_connect_ends_on_the_boards():
    """The Pico's and the ESP32's lwIP: a refused connect shows as ECONNRESET,
    on the first use of the socket.
    """
    if not MICROPYTHON:
        return "scripts a native socket of MicroPython"
    busy = errno.EINPROGRESS
    pollout, pollerr = 4, 8
    to = ("10.0.0.1", 80)
    cases = (
        # polled events, connect, then recv: expected refused, failed
        (pollout | pollerr, [errno.ECONNRESET], [], 1, 0),
        (pollout | pollerr, [errno.ECONNREFUSED], [errno.ENOTCONN], 1, 0),
        (0, [errno.EHOSTUNREACH], [], 0, 1),
        (0, [errno.ETIMEDOUT], [], 0, 1),
        (0, [-2], [], 0, 1),  # the ESP32's connect could not resolve a name
        (pollerr, [busy], [errno.ECONNRESET, errno.ENOTCONN], 1, 0),
        (pollerr, [busy], [errno.ECONNABORTED, errno.ECONNRESET], 0, 1),
        (0, [busy], [errno.EAGAIN], 0, 1),  # closed while unanswered
        (0, [busy], [errno.ENOTCONN], 0, 1),  # the ESP32's answer while connecting
        (
            pollout,
            [busy],
            [errno.EAGAIN, errno.ECONNRESET],
            1,
            0,
        ),  # ESP32: select has no error flag, recv has
        (pollout, [busy], [b"x", errno.ECONNRESET], 0, 0),  # a reset after data is no refusal
        (pollout, [busy, 106], [errno.ECONNRESET], 0, 0),
    )
    for events, connect, recv, refused, failed in cases:
        case = (events, list(connect), list(recv))
        attempts = len(connect)
        s = scripted(events, connect=connect, recv=recv)
        with Counted() as c:
            for _ in range(attempts):
                error_of(s.connect, to)
            while recv:
                error_of(s.recv, 1)
            s.close()
            s.close()
        ends = c.moved.get("connects_refused", 0), c.moved.get("connects_failed", 0)
        assert ends == (refused, failed) and c.moved["connects"] == 1, (case, c.moved)


def test_a_call_allocates_nothing_of_its_own():
    """Nothing is left on the heap beyond what the native call leaves; with the
    heap locked the calls work all the same.

    MicroPython puts a call's frame on the heap if it is large, frees it on
    return, and uses the stack if the heap is locked: that is the interpreter's,
    not the wrapper's.
    """
    if not MICROPYTHON:
        return "CPython's heap cannot be locked"
    import gc

    import micropython

    gc.disable()
    a, b = pair()
    u, port = bound(socket.SOCK_DGRAM)
    v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    to = address(port, kind=socket.SOCK_DGRAM)
    data = b"0123456789abcdef"
    buffer = bytearray(16)
    values = [0] * len(source.counters)

    def taken(call, *args):
        call(*args)  # once before, so that names are interned
        before = gc.mem_alloc()
        call(*args)
        return gc.mem_alloc() - before

    def stream(a, b):
        a.send(data)
        b.readinto(buffer)
        a.write(data)
        b.recv(16)
        a.write(b"line\n")
        b.readline()

    def datagram(u, v):
        v.sendto(data, to)
        u.recvfrom(16)

    native = (a._s, b._s), (u._s, v._s)
    assert taken(stream, a, b) == taken(stream, *native[0])
    assert taken(datagram, u, v) == taken(datagram, *native[1])
    assert taken(source.read, values) == 0
    assert taken(source.contact, ("10.0.0.1", 80), True) == 0
    micropython.heap_lock()
    try:
        a.send(data)
        b.readinto(buffer)
        v.sendto(data, to)
        u.readinto(buffer)
        source.read(values)
    finally:
        micropython.heap_unlock()
        gc.enable()
    for s in (a, b, u, v):
        s.close()
