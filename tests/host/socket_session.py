"""A scripted session over loopback, for strace to watch: prints the counters at
the end.

The same on CPython and on MicroPython's Unix port.
"""

from inlier import sockets

source = sockets.install()

import errno
import select
import socket

HOST = "127.0.0.1"


def address(port, kind=socket.SOCK_STREAM):
    return socket.getaddrinfo(HOST, port, 0, kind)[0][-1]


def bound(first, kind=socket.SOCK_STREAM):
    for port in range(first, first + 400):
        s = socket.socket(socket.AF_INET, kind)
        try:
            s.bind(address(port, kind))
            return s, port
        except OSError:
            s.close()
    raise OSError("no free port")


def writable(s):
    poller = select.poll()
    poller.register(s, select.POLLOUT)
    poller.poll(2000)


def connect(s, port):
    """The errno of a connect, or None."""
    try:
        s.connect(address(port))
    except OSError as error:
        return error.errno
    return None


def connected(server, port, blocking):
    a = socket.socket()
    a.setblocking(blocking)
    if connect(a, port) == errno.EINPROGRESS:
        writable(a)
        connect(a, port)  # how it fares: no new one
    b, _ = server.accept()
    return a, b


def streams(first):
    server, port = bound(first)
    server.listen(5)
    for i, blocking in enumerate((True, False, True)):
        a, b = connected(server, port, blocking)
        for n in (1, 100, 1000):
            a.send(bytes(n))
            got = 0
            while got < n:
                got += len(b.recv(600))
        b.send(b"bye" * (i + 1))
        b.close()
        writable(a)
        a.setblocking(True)
        while a.recv(4):
            pass
        a.close()
    server.close()


def refusals(first):
    s, port = bound(first)  # not listening
    for _ in range(3):
        a = socket.socket()
        assert connect(a, port) == errno.ECONNREFUSED
        a.close()
    a = socket.socket()
    a.setblocking(False)
    connect(a, port)
    writable(a)
    a.close()
    s.close()


def datagrams(first):
    u, port = bound(first, socket.SOCK_DGRAM)
    v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for n in (0, 1, 500):
        v.sendto(bytes(n), address(port, socket.SOCK_DGRAM))
        data, back = u.recvfrom(900)
        u.sendto(data, back)
        v.recv(900)
    u.close()
    v.close()


def unix_sockets():
    if hasattr(socket, "socketpair"):
        a, b = socket.socketpair()
        a.send(b"not traffic")
        b.recv(99)
        a.close()
        b.close()


streams(44000)
refusals(44400)
datagrams(44800)
unix_sockets()
values = [0] * len(source.counters)
source.read(values)
for name, value in zip(source.counters, values):
    print(name, value)
