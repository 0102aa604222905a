"""A sink's own connections: over the native socket, never waited for by the
scoring, closed whatever happens.
"""

import asyncio
import errno
import io
import socket
import sys

from inlier.sinks import connection

MICROPYTHON = sys.implementation.name == "micropython"
HOST = "127.0.0.1"


def listening():
    """A socket at a free port, and the port: MicroPython's has no
    getsockname.
    """
    for port in range(43000, 43999):
        s = socket.socket()
        try:
            s.bind(socket.getaddrinfo(HOST, port, 0, 1)[0][-1])
            s.listen(1)
            return s, port
        except OSError:
            s.close()
    raise OSError("no free port")


class Fake:
    """A socket without a host that can be reached. said: what it was told."""

    said = []

    def __init__(self, *arguments):
        Fake.said = ["socket", arguments]

    def setblocking(self, flag):
        Fake.said += ["blocking", flag]

    def connect(self, address):
        Fake.said += ["connect", address]
        raise OSError(errno.EHOSTUNREACH, "no route")

    def close(self):
        Fake.said += ["close"]


def found(*arguments):
    """Stands for getaddrinfo: the first is the one to take."""
    assert arguments == ("name", 1883, 0, 1), "any family, and a stream"
    return [(2, 1, 6, "", ("first", 1883)), (2, 1, 6, "", ("second", 1883))]


def opened(main, uncounted):
    """Run the coroutine `main` with these for (socket, getaddrinfo); the
    OSError it raises, or None.
    """
    former = connection._uncounted
    connection._uncounted = lambda: uncounted
    try:
        asyncio.run(main)
    except OSError as error:
        return error
    finally:
        connection._uncounted = former
    return None


def test_a_stream_reads_and_writes_and_ends_when_it_is_closed():
    server, port = listening()

    async def main():
        reader, writer = await connection.open_stream(HOST, port)
        theirs, _ = server.accept()
        writer.write(b"ping")
        await writer.drain()
        assert theirs.recv(9) == b"ping"
        theirs.send(b"pong")
        assert await reader.readexactly(4) == b"pong"
        await connection.close_stream(writer)
        await asyncio.sleep(0)
        theirs.setblocking(False)
        assert theirs.recv(9) == b"", "closed, not only dropped"
        theirs.close()

    asyncio.run(main())
    server.close()


def test_a_host_that_cannot_be_reached_is_told_and_its_socket_closed():
    async def main():
        if not MICROPYTHON:  # its sock_connect asks a true socket for its descriptor
            asyncio.get_running_loop().sock_connect = connect
        await connection.open_stream("name", 1883)

    async def connect(s, address):
        s.connect(address)

    error = opened(main(), (Fake, found))
    assert error is not None and error.errno == errno.EHOSTUNREACH
    begun = ["socket", (2, 1, 6), "blocking", False, "connect", ("first", 1883)]
    assert Fake.said == begun + ["close"]


def test_tls_is_given_the_host_s_name():
    if MICROPYTHON:
        told, asked = [], []

        class Wrapped(io.IOBase):
            def setblocking(self, flag):
                told.append(flag)

            def ioctl(self, request, flags):
                asked.append(request)
                return flags if request == 3 else -1  # ready; no descriptor

        class Begins(Fake):
            def connect(self, address):
                raise OSError(errno.EINPROGRESS, "begun")

        class Tls:
            def wrap_socket(self, s, **options):
                assert isinstance(s, Begins)
                told.append(sorted(options.items()))
                return Wrapped()

        error = opened(connection.open_stream("name", 1883, Tls()), (Begins, found))
        assert error is None and "close" not in Fake.said
        options = [("do_handshake_on_connect", False), ("server_hostname", "name")]
        assert told == [options, False], "nor does its handshake wait"
        assert 3 in asked, "MP_STREAM_POLL: it was waited for until it could be written to"
        return
    from types import SimpleNamespace

    told = []

    class Here(Fake):
        def connect(self, address):
            pass

    async def opens(**options):
        told.append(options)

    async def main():
        loop = asyncio.get_running_loop()
        loop.sock_connect = connect
        connection.asyncio = SimpleNamespace(open_connection=opens, get_running_loop=lambda: loop)
        try:
            for tls in ("a context", None):
                await connection.open_stream("name", 1883, tls)
        finally:
            connection.asyncio = asyncio

    async def connect(s, address):
        s.connect(address)

    assert opened(main(), (Here, found)) is None and "close" not in Fake.said
    seen = [(options["ssl"], options["server_hostname"]) for options in told]
    assert seen == [("a context", "name"), (None, None)]


def test_a_connection_that_is_gone_is_closed_without_a_word():
    class Gone:
        def __init__(self, fails):
            self.said = []
            self.fails = fails

        def close(self):
            self.said.append("close")
            if self.fails:
                raise OSError(errno.ECONNRESET, "reset")

        async def wait_closed(self):
            self.said.append("wait")

    for fails in (False, True):
        gone = Gone(fails)
        asyncio.run(connection.close_stream(gone))
        assert gone.said == ["close"] + ["wait"] * (MICROPYTHON and not fails)


def test_it_is_the_native_socket_also_once_sockets_are_counted():
    class Counting:
        native = None

    plain = socket.socket, socket.getaddrinfo
    former = sys.modules.pop("inlier.sockets", None)
    try:
        for counting, native, expected in (
            (None, None, plain),
            (Counting, None, plain),  # it is imported, and counts nothing yet
            (Counting, ("native", "asks"), ("native", "asks")),
        ):
            if counting is not None:
                sys.modules["inlier.sockets"] = counting
                counting.native = native
            assert tuple(connection._uncounted()) == expected
    finally:
        sys.modules.pop("inlier.sockets", None)
        if former is not None:
            sys.modules["inlier.sockets"] = former
