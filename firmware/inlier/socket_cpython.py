"""On CPython: the methods of `socket.socket` that move bytes or begin and end
connections, each with its call counted. sockets.py says what is counted.

The class stays the native one, with methods of the same name that call the
native method with the arguments as they came: its results, exceptions, types
and subclasses, such as ssl's, are the native ones, and it does not matter who
imported what before.
"""

import _socket
import functools
import os
import socket
import sys
import warnings

from .counting_cpython import Counting, base, is_ip, is_writable, kind

_UNREAD = getattr(socket, "MSG_PEEK", 0) | getattr(socket, "MSG_ERRQUEUE", 0)
_FAST_OPEN = getattr(socket, "MSG_FASTOPEN", 0)

_NOT_COUNTED = (
    "inlier counts the sockets of the standard library, and socket.socket is %r now: "
    "its traffic is not counted"
)


def _argument(args, kwargs, place, name, default):
    return args[place] if len(args) > place else kwargs.get(name, default)


def _methods(counting):
    """Name -> function(native method, self, args, kwargs)."""
    used, moved = counting.used, counting.moved

    def connect(call, s, args, kwargs):
        return counting.connecting(s, call, args, kwargs)

    def _accept(call, s, args, kwargs):
        fd, address = call(s, *args, **kwargs)
        if is_ip(s):
            counting.add("accepts")
            counting.contact(address, False)
        return fd, address

    def getpeername(call, s, args, kwargs):
        return used(s, call, args, kwargs)

    def getsockopt(call, s, args, kwargs):
        value = call(s, *args, **kwargs)
        if args[:2] == (socket.SOL_SOCKET, socket.SO_ERROR) and id(s) in counting.attempts:
            code = value if isinstance(value, int) else int.from_bytes(value, sys.byteorder)
            if code or is_writable(s):
                counting.ended(s, code)  # asyncio learns here how its connect ended
        return value

    def _real_close(call, s, args, kwargs):
        counting.closing(s)
        return call(s, *args, **kwargs)

    def detach(call, s, args, kwargs):
        counting.attempts.pop(id(s), None)
        return call(s, *args, **kwargs)

    def send(call, s, args, kwargs):
        n = used(s, call, args, kwargs)
        moved(s, n, "out")
        return n

    def sendall(call, s, args, kwargs):
        used(s, call, args, kwargs)
        moved(s, memoryview(args[0]).nbytes, "out")

    def sendto(call, s, args, kwargs):
        n = used(s, call, args, kwargs)
        if len(args) > 2 and args[1] & _FAST_OPEN and kind(s) == socket.SOCK_STREAM:
            counting.begin(s, args[-1])  # RFC 7413: a connect that carries data
        moved(s, n, "out", args[-1])
        return n

    def sendmsg(call, s, args, kwargs):
        n = used(s, call, args, kwargs)
        moved(s, n, "out", _argument(args, kwargs, 3, "address", None))
        return n

    def recv(call, s, args, kwargs):
        data = used(s, call, args, kwargs)
        if not _argument(args, kwargs, 1, "flags", 0) & _UNREAD:
            moved(s, len(data), "in")
        return data

    def recv_into(call, s, args, kwargs):
        n = used(s, call, args, kwargs)
        if not _argument(args, kwargs, 2, "flags", 0) & _UNREAD:
            moved(s, n, "in")
        return n

    def recvfrom(call, s, args, kwargs):
        result = used(s, call, args, kwargs)
        if not _argument(args, kwargs, 1, "flags", 0) & _UNREAD:
            moved(s, len(result[0]), "in", result[1])
        return result

    def recvfrom_into(call, s, args, kwargs):
        result = used(s, call, args, kwargs)
        if not _argument(args, kwargs, 2, "flags", 0) & _UNREAD:
            moved(s, result[0], "in", result[1])
        return result

    def recvmsg(call, s, args, kwargs):
        result = used(s, call, args, kwargs)
        if not _argument(args, kwargs, 2, "flags", 0) & _UNREAD:
            n = result[0] if isinstance(result[0], int) else len(result[0])
            moved(s, n, "in", result[3])
        return result

    return {
        "connect": connect, "connect_ex": connect, "_accept": _accept, "detach": detach,
        "getpeername": getpeername, "getsockopt": getsockopt, "_real_close": _real_close,
        "send": send, "sendall": sendall, "sendto": sendto, "sendmsg": sendmsg,
        "recv": recv, "recv_into": recv_into, "recvfrom": recvfrom,
        "recvfrom_into": recvfrom_into, "recvmsg": recvmsg, "recvmsg_into": recvmsg,
    }  # fmt: skip


def _counted(native, count):
    @functools.wraps(native)
    def method(self, *args, **kwargs):
        return count(native, self, args, kwargs)

    return method


def _looking_up(source, native):
    @functools.wraps(native)
    def look_up(*args, **kwargs):
        source.lookup(args[0] if args else kwargs.get("host"))
        return native(*args, **kwargs)

    return look_up


def _sending_files(counting, native):
    """os.sendfile: what socket.sendfile, asyncio and aiohttp send files with."""

    @functools.wraps(native)
    def sendfile(*args, **kwargs):
        n = native(*args, **kwargs)
        try:
            s = base(fileno=_argument(args, kwargs, 0, "out_fd", -1))
        except OSError:  # a file, or a pipe
            return n
        try:
            counting.moved(s, n, "out")
        finally:
            s.detach()
        return n

    return sendfile


def _watched(read, cls):
    """Reading a window, with a look at who has taken counting away."""

    def read_and_look(values):
        read(values)
        now = socket.socket
        if not (isinstance(now, type) and issubclass(now, cls)):
            warnings.warn(_NOT_COUNTED % now, RuntimeWarning, stacklevel=2)

    return read_and_look


def _stand_in(source):
    """Count into `source`; returns what counts nothing: (socket class,
    getaddrinfo).
    """
    cls = next((c for c in socket.socket.__mro__ if c.__module__ == "socket"), None)
    if cls is None:
        warnings.warn(_NOT_COUNTED % socket.socket, RuntimeWarning, stacklevel=3)
        return socket.socket, socket.getaddrinfo
    counting = Counting(source)
    native = {}
    for name, count in _methods(counting).items():
        if hasattr(cls, name):
            native[name] = getattr(cls, name)
            setattr(cls, name, _counted(native[name], count))
    look_up = _socket.getaddrinfo  # what socket.getaddrinfo calls
    _socket.getaddrinfo = _looking_up(source, look_up)
    for name in ("gethostbyname", "gethostbyname_ex"):
        counted = _looking_up(source, getattr(_socket, name))
        setattr(_socket, name, counted)
        setattr(socket, name, counted)
    if hasattr(os, "sendfile"):
        os.sendfile = _sending_files(counting, os.sendfile)
    source.read = _watched(source.read, cls)
    return type("socket", (cls,), dict(native, __slots__=())), look_up
