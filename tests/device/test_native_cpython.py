"""The counted socket beside CPython's own: same results, exceptions and
attributes; what only it must do is count.

Each case once went wrong.
"""

import errno
import select  # a bare board has none: it skips this file
import sys

from inlier import sockets

sockets.install()

import socket

if sys.implementation.name == "micropython":
    raise ImportError("these test CPython's 'socket'")

from outcomes import error_of, outcome
from test_sockets import HOST, Counted, address, bound, listening, pair, wait

NATIVE = sockets.native[0]  # of the same methods, uncounted


def unanswered():
    """The port of a listener whose backlog is full: connects to it wait. And
    what keeps it so.
    """
    server, port = listening(0)
    held = [server]
    for _ in range(20):
        a = NATIVE()
        held.append(a)
        a.setblocking(False)
        if error_of(a.connect, address(port)) and not wait(a, select.POLLOUT, 200):
            return port, held
    return None, held


def test_ssl_connect_ex_gives_an_errno():
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    s, port = bound()  # not listening
    with Counted() as c, context.wrap_socket(socket.socket()) as a:
        assert a.connect_ex(address(port)) == errno.ECONNREFUSED
    s.close()
    c.expect(connects=1, connects_refused=1, peers=1, ports=1)


def test_sockets_that_are_no_ip_give_what_native_ones_give_and_count_nothing():
    with Counted() as c:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_STREAM):
            a, b = socket.socketpair(socket.AF_UNIX, kind)
            a.send(b"hi")
            assert b.recvfrom(9) == (b"hi", None)
            a.sendmsg([b"h", b"i"])
            assert b.recvmsg(9)[0] == b"hi"
            a.sendall(b"hi")
            assert b.recvfrom_into(bytearray(9)) == (2, None)
            a.close()
            b.close()
        if hasattr(socket, "AF_NETLINK"):
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s, NATIVE(16, 3, 0) as n:
                message = bytes([16, 0, 0, 0, 3, 0, 0, 0]) + bytes(8)  # NLMSG_DONE
                assert (
                    outcome(s.sendto, message, (0, 0)) == outcome(n.sendto, message, (0, 0)) == 16
                )
        for family, kind, to in (
            ("AF_VSOCK", socket.SOCK_STREAM, (1, 5)),
            ("AF_PACKET", socket.SOCK_RAW, ("lo", 0)),
        ):
            results = []
            for make in (socket.socket, NATIVE):
                try:
                    s = make(getattr(socket, family), kind)
                except (AttributeError, OSError):  # no such family here, or not allowed
                    continue
                with s:
                    s.setblocking(False)
                    results.append(outcome(s.connect_ex, to))
            assert not results or results[0] == results[1], family
    c.expect()


def test_packet_sockets_count_no_peer():
    try:
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    except (AttributeError, PermissionError):
        return "AF_PACKET is root's, on Linux"
    with s, NATIVE(socket.AF_INET, socket.SOCK_DGRAM) as u:
        s.bind(("lo", 0))
        s.settimeout(2)
        with Counted() as c:
            u.sendto(b"x", (HOST, 9))
            assert s.recvfrom(2000)[1][0] == "lo"
        c.expect()


def test_hosts_of_every_type_and_spelling():
    server, port = listening()
    u, uport = bound(socket.SOCK_DGRAM)
    for host in (HOST, HOST.encode(), bytearray(HOST.encode())):
        with Counted() as c:
            with socket.socket() as a:
                a.connect((host, port))
            b, _ = server.accept()
            b.close()
        c.expect(connects=1, accepts=1, peers=1, ports=1)
        with Counted() as c:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a:
                a.sendto(b"x", (host, uport))
            u.recv(9)
        c.expect(datagrams_out=1, datagrams_in=1, bytes_out=1, bytes_in=1, peers=1, ports=1)
    for host, lookups in (("", 0), ("<broadcast>", 0), ("localhost", 1), (b"localhost", 1)):
        with Counted() as c, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a:
            a.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            outcome(a.connect, (host, uport))
        assert c.moved.get("lookups", 0) == lookups, host
    server.close()
    u.close()


def test_ipv6_is_counted():
    if not socket.has_ipv6:
        return "no IPv6 here"
    server = socket.socket(socket.AF_INET6)
    try:
        server.bind(("::1", 0))
    except OSError:
        server.close()
        return "no IPv6 here"
    server.listen()
    with Counted() as c:
        a = socket.create_connection(server.getsockname()[:2])
        b, _ = server.accept()
        a.sendall(b"six")
        assert b.recv(9) == b"six"
    for s in (a, b, server):
        s.close()
    c.expect(connects=1, accepts=1, sends=1, receives=1, bytes_out=3, bytes_in=3, peers=1, ports=1)


def test_a_connect_that_times_out():
    port, held = unanswered()
    if port is None:
        return "this kernel answers beyond the backlog"
    for call, expected in (
        ("connect_ex", errno.EAGAIN),
        ("connect", (TimeoutError, ("timed out",))),
    ):
        with Counted() as c, socket.socket() as a:
            a.settimeout(0.1)
            assert outcome(getattr(a, call), (HOST, port)) == expected
            again = outcome(getattr(a, call), (HOST, port))  # the same connect, asked again
            already = BlockingIOError, (errno.EALREADY, "Operation already in progress")
            assert again in (errno.EALREADY, expected, already)
        c.expect(connects=1, connects_failed=1, peers=1, ports=1)
    for s in held:
        s.close()


def test_a_connect_counts_once_however_often_a_system_is_asked_about_it():
    """Linux says EALREADY where others time out again, and interrupts none."""
    from inlier.counting_cpython import Counting

    for timeout, answers, failed in (
        (9, [errno.EAGAIN, errno.EAGAIN], 1),
        (9, [errno.EAGAIN, 0], 1),
        (0, [errno.EAGAIN, errno.EALREADY, 0], 0),
        (0, [errno.EINTR, errno.EISCONN], 0),
        (0, [errno.EINTR, errno.EHOSTUNREACH], 1),
    ):
        counts = sockets.Sockets()
        counting = Counting(counts)
        with socket.socket() as a:
            a.settimeout(timeout)
            for answer in answers:
                counting.connecting(a, lambda s, address: answer, ((HOST, 9),), {})
        found = [counts.totals[counts.counters.index(n)] for n in ("connects", "connects_failed")]
        assert found == [1, failed], answers


def test_an_address_that_is_none_begins_no_connect():
    for to in (("127.0.0.1", 70_000), ("127.0.0.1", -1), ("127.0.0.1", "80"), ("127.0.0.1",)):
        with Counted() as c, socket.socket() as a, NATIVE() as n:
            assert outcome(a.connect, to) == outcome(n.connect, to), to
        c.expect()


def test_a_socket_that_is_dropped_while_it_connects_leaves_nothing_of_it():
    """Else the next one at its place in memory would go on with its connect."""
    import gc

    from inlier.counting_cpython import Counting

    counting = Counting(sockets.Sockets())
    a = NATIVE(socket.AF_INET, socket.SOCK_STREAM)
    counting.begin(a, (HOST, 9))
    assert len(counting.attempts) == 1
    del a
    gc.collect()
    assert not counting.attempts


def test_who_takes_a_descriptor_away_takes_its_connect_along():
    port, held = unanswered()
    if port is None:
        return "this kernel answers beyond the backlog"
    with Counted() as c:
        a = socket.socket()
        a.setblocking(False)
        error_of(a.connect, (HOST, port))
        other = NATIVE(fileno=a.detach())
        a.close()
    c.expect(connects=1, peers=1, ports=1)
    NATIVE.close(other)
    for s in held:
        s.close()


def test_a_connect_that_carries_data_is_one():
    """RFC 7413, TCP Fast Open."""
    if not hasattr(socket, "MSG_FASTOPEN"):
        return "no TCP Fast Open here"
    server, port = listening()
    with Counted() as c, socket.socket() as a:
        if error_of(a.sendto, b"hi", socket.MSG_FASTOPEN, (HOST, port)):
            return "this kernel has it switched off"
    server.close()
    c.expect(connects=1, sends=1, bytes_out=2, peers=1, ports=1)


def test_a_datagram_that_comes_back_as_undeliverable_did_not_come_in():
    if not hasattr(socket, "MSG_ERRQUEUE"):
        return "only Linux hands it back"
    closed, port = bound(socket.SOCK_DGRAM)
    closed.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
        u.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
        u.sendto(b"knock", (HOST, port))
        wait(u, select.POLLERR)
        with Counted() as c:
            assert u.recvmsg(9, 99, socket.MSG_ERRQUEUE)[0] == b"knock"
    c.expect()


def test_a_name_given_by_keyword_is_looked_up():
    import _socket

    with Counted() as c:
        _socket.getaddrinfo(host="localhost", port=80)
    c.expect(lookups=1)


def test_a_name_that_nobody_knows_is_a_lookup_and_no_connect():
    for call in ("connect", "connect_ex"):
        with Counted() as c, socket.socket() as a, NATIVE() as n:
            mine = outcome(getattr(a, call), ("nosuchhost.invalid", 80))
            assert (
                mine == outcome(getattr(n, call), ("nosuchhost.invalid", 80))
                and mine[0] is socket.gaierror
            )
        c.expect(lookups=1)


def test_a_name_is_looked_up_before_it_is_connected():
    server, port = listening()
    with Counted() as c, socket.socket() as a:
        a.connect(("localhost", port))
    server.close()
    c.expect(connects=1, lookups=1, peers=1, ports=1)


def started():
    """A non-blocking connect that has succeeded, nothing asked yet; the other
    end; its listener.
    """
    server, port = listening()
    a = socket.socket()
    a.setblocking(False)
    error_of(a.connect, address(port))
    b, _ = server.accept()
    wait(a, select.POLLOUT)
    server.close()
    return a, b


def test_the_first_call_after_a_connect_keeps_its_flags():
    a, b = started()
    b.sendall(b"abc")
    wait(a, select.POLLIN)
    with Counted() as c:
        assert a.recv(3, socket.MSG_PEEK) == a.recv(3, socket.MSG_PEEK) == b"abc"
        assert a.recv(3) == b"abc"
    c.expect(receives=1, bytes_in=3)
    a.close()
    b.close()
    a, b = started()
    assert a.send(b"u", socket.MSG_OOB) == 1
    assert wait(b, select.POLLPRI) and b.recv(1, socket.MSG_OOB) == b"u"
    a.close()
    b.close()


def test_what_is_peeked_at_counts_when_it_is_read():
    peek = socket.MSG_PEEK
    calls = (
        ("recv", (9, peek)),
        ("recv_into", (bytearray(9), 9, peek)),
        ("recvfrom", (9, peek)),
        ("recvfrom_into", (bytearray(9), 9, peek)),
        ("recvmsg", (9, 0, peek)),
        ("recvmsg_into", ([bytearray(9)], 0, peek)),
    )
    a, b = pair()
    u, port = bound(socket.SOCK_DGRAM)
    a.sendall(b"abc")
    with NATIVE(socket.AF_INET, socket.SOCK_DGRAM) as n:
        n.sendto(b"abc", (HOST, port))
    wait(b, select.POLLIN)
    with Counted() as c:
        for name, args in calls:
            getattr(b, name)(*args)
            getattr(u, name)(*args)
        b.recv_into(bytearray(9), flags=peek)
    c.expect()
    with Counted() as c:
        assert b.recv(9) == u.recv(9) == b"abc"
    c.expect(receives=1, datagrams_in=1, bytes_in=6)
    for s in (a, b, u):
        s.close()


def test_every_way_to_receive_and_send_is_counted():
    a, b = pair()
    with Counted() as c:
        a.send(b"abc")
        a.sendall(memoryview(b"abcdefgh").cast("I"))  # of 4 bytes each
        a.sendmsg([b"ab", b"c"])
        buffer = bytearray(5)
        assert b.recv(2) == b"ab" and b.recv_into(buffer) == 5
        assert b.recvmsg(2)[0] == b"ef" and b.recvmsg_into([bytearray(1)])[0] == 1
        assert b.recvfrom(2) == (b"ha", None) and b.recvfrom_into(buffer)[0] == 2
        with a.makefile("wb") as f:
            f.write(b"line\n")
        with b.makefile("rb") as f:
            assert f.readline() == b"line\n"
    a.close()
    b.close()
    c.expect(sends=4, receives=7, bytes_out=19, bytes_in=19)


def test_closing_leaves_what_a_file_of_the_socket_has_to_read():
    with Counted() as c:
        a, b = started()
        b.sendall(b"220 hello\n")
        wait(a, select.POLLIN)
        f = a.makefile("rb")
        a.close()
        a_line = None
        for _ in range(100):
            a_line = f.readline()
            if a_line:
                break
        assert a_line == b"220 hello\n"
        f.close()
        b.close()
    c.expect(
        connects=1, accepts=1, sends=1, receives=1, bytes_out=10, bytes_in=10, peers=1, ports=1
    )


def test_files_sent_are_counted():
    import asyncio
    import os
    import tempfile
    import threading

    with tempfile.TemporaryFile() as f, tempfile.TemporaryFile() as copy:
        f.write(bytes(50_000))
        f.flush()
        f.seek(0)
        for how in ("socket", "os", "asyncio"):
            a, b = pair()
            reader = threading.Thread(
                target=lambda: [None for _ in iter(lambda: NATIVE.recv(b, 9999), b"")]
            )
            reader.start()
            with Counted() as c:
                if how == "socket":
                    assert a.sendfile(f) == 50_000
                elif how == "os":
                    sent = 0
                    while sent < 50_000:
                        sent += os.sendfile(a.fileno(), f.fileno(), sent, 50_000 - sent)
                else:

                    async def send():
                        a.setblocking(False)
                        await asyncio.get_running_loop().sock_sendfile(a, f, 0)

                    asyncio.run(send())
            assert c.moved["bytes_out"] == 50_000 and c.moved["sends"] >= 1, (how, c.moved)
            a.close()
            reader.join()
            b.close()
        with Counted() as c:
            os.sendfile(copy.fileno(), f.fileno(), 0, 50_000)  # from file to file
        c.expect()


def test_exceptions_are_the_native_ones():
    a, b = pair()
    native = NATIVE(fileno=a.detach())
    a = socket.socket(fileno=native.detach())
    n = NATIVE(a.family, a.type, a.proto, fileno=socket.dup(a.fileno()))
    calls = (
        ("connect", ()),
        ("connect", (5,)),
        ("connect", (None,)),
        ("connect", (("127.0.0.1",),)),
        ("connect", (("127.0.0.1", 70_000),)),
        ("connect", (("127.0.0.1", "80"),)),
        ("connect", (("a\0b", 80),)),
        ("connect_ex", ((5, 80),)),
        ("connect_ex", (("x" * 99, 80),)),
        ("connect", (("127.0.0.1", 9),)),
        ("sendto", (b"foo", None)),
        ("sendto", (b"foo",)),
        ("sendto", ("foo", (HOST, 9))),
        ("send", ("text",)),
        ("send", ()),
        ("send", (b"x", "flags")),
        ("sendall", (None,)),
        ("sendmsg", (5,)),
        ("recv", (-1,)),
        ("recv", ("x",)),
        ("recv_into", (b"read only",)),
        ("recvfrom", ()),
        ("recvfrom_into", (bytearray(1), 9)),
        ("recvmsg", (-1,)),
        ("recvmsg_into", (5,)),
        ("getsockopt", (1,)),
        ("getpeername", (1,)),
        ("accept", ()),
    )
    with Counted() as c:
        for name, args in calls:
            assert outcome(getattr(a, name), *args) == outcome(getattr(n, name), *args), (
                name,
                args,
            )
    c.expect(lookups=1)  # of "xx…x"
    for s in (a, b, n):
        s.close()
    import _socket

    for args in ((b"\xff", 80), ("x" * 99, 80), (5, 80), (), ("a\0b", 80), ("127.0.0.1", object())):
        one, other = (
            outcome(socket.getaddrinfo, *args),
            outcome(_socket.getaddrinfo.__wrapped__, *args),
        )
        assert args == () or one == other, args
    assert socket.getaddrinfo(host=HOST, port=80, type=socket.SOCK_STREAM)[0][-1] == (HOST, 80)


def test_a_socket_of_the_class_imported_before_is_counted():
    import _socket

    assert socket.socket.__module__ == "socket" and socket.socket.__base__ is _socket.socket
    assert repr(socket.socket.send.__wrapped__) == "<method 'send' of '_socket.socket' objects>"
    import http.client
    import ssl

    assert ssl.SSLSocket.__base__ is socket.socket and http.client.socket is socket


def test_sharing_a_socket_counts_no_connect_twice():
    server, port = listening()
    with Counted() as c:
        a = socket.socket()
        a.connect((HOST, port))
        b = a.dup()
        d = socket.fromfd(a.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        e = socket.socket(fileno=a.detach())
        for s in (b, d, e):
            assert s.send(b"x") == 1
            s.close()
        a.close()
    server.close()
    c.expect(connects=1, sends=3, bytes_out=3, peers=1, ports=1)


def test_so_error_tells_how_a_connect_ended():
    s, port = bound()
    for size, expected in (
        ((), errno.ECONNREFUSED),
        ((4,), errno.ECONNREFUSED.to_bytes(4, sys.byteorder)),
    ):
        with Counted() as c, socket.socket() as a:
            a.setblocking(False)
            assert a.connect_ex((HOST, port)) == errno.EINPROGRESS
            wait(a, select.POLLOUT)
            assert a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR, *size) == expected
        c.expect(connects=1, connects_refused=1, peers=1, ports=1)
    s.close()


def test_a_module_that_takes_counting_away_is_warned_of():
    """gevent's monkey.patch_all() puts a class of its own there, which calls
    `_socket` itself.
    """
    import warnings

    class Foreign:
        pass

    class Derived(socket.socket):  # PySocks and pytest-socket do so: it is counted
        pass

    own = socket.socket
    for cls, warned in ((Foreign, 1), (Derived, 0), (own, 0)):
        socket.socket = cls
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                with Counted():
                    pass
            finally:
                socket.socket = own
        assert [w.category for w in caught[:1]] == [RuntimeWarning] * warned, cls
