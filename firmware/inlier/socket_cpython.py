"""On CPython: the methods of `socket.socket` that move bytes or begin and end
connections, each with its call counted. sockets.py says what is counted.

The class stays the native one, with methods of the same name that call the
native method with the arguments as they came: its results, exceptions, types
and subclasses, such as ssl's, are the native ones, and it does not matter who
imported what before.
"""

import _socket
import errno
import functools
import os
import select
import socket
import sys
import warnings
import weakref

_base = _socket.socket
_family = _base.family.__get__  # of a socket, as a plain int
_kind = _base.type.__get__

_UNREAD = getattr(socket, "MSG_PEEK", 0) | getattr(socket, "MSG_ERRQUEUE", 0)
_FAST_OPEN = getattr(socket, "MSG_FASTOPEN", 0)

# While these come, a connect is undecided. EAGAIN is how connect_ex says that
# its time is over; EALREADY and EISCONN answer a connect that was begun before.
_UNDECIDED = (errno.EINPROGRESS, errno.EALREADY, errno.EAGAIN, errno.ENOTCONN, errno.EINTR)
_REFUSED = (errno.ECONNREFUSED, errno.ECONNRESET)
_NOT_BEGUN = (errno.EALREADY, errno.EISCONN, errno.EBADF, errno.EINVAL, errno.EOPNOTSUPP)

_NOT_COUNTED = (
    "inlier counts the sockets of the standard library, and socket.socket is %r now: "
    "its traffic is not counted"
)


class _Attempt(weakref.ref):
    """A connect of a socket whose end is not known, or was given up: a weak
    reference, as a socket.socket has no room for attributes."""

    __slots__ = ("given_up",)


class Counting:
    """Counts into `source` what it is told of sockets."""

    def __init__(self, source):
        self.source = source
        self.attempts = {}  # id of a socket -> _Attempt
        self._place = {name: i for i, name in enumerate(source.counters)}
        self._mask = (1 << source.bits) - 1

    def add(self, name, n=1):
        totals, i = self.source.totals, self._place[name]
        totals[i] = totals[i] + n & self._mask

    def moved(self, s, n, direction, address=None):
        """direction: "out" or "in". address: the other side's, if the call says so."""
        if _family(s) not in (socket.AF_INET, socket.AF_INET6):
            return
        self.moved_by(_kind(s), n, direction, address)

    def moved_by(self, kind, n, direction, address=None):
        if kind == socket.SOCK_STREAM:
            if not n:
                return  # end of a stream
            calls = "sends" if direction == "out" else "receives"
        else:
            calls = "datagrams_" + direction
            if address is not None:
                self.contact(address, direction == "out")
        self.add("bytes_" + direction, n)
        self.add(calls)

    def contact(self, address, chosen):
        host = address[0]
        if not isinstance(host, str):
            host = bytes(host).decode("latin-1")
        host = {"": "0.0.0.0", "<broadcast>": "255.255.255.255"}.get(host, host)
        self.source.contact((host, address[1]), chosen)

    # How a connect ends.

    def connecting(self, s, call, args, kwargs):
        """connect or connect_ex."""
        if _family(s) not in (socket.AF_INET, socket.AF_INET6):
            return call(s, *args, **kwargs)
        stream = _kind(s) == socket.SOCK_STREAM
        # A name is looked up first: its connect is counted when that is over.
        if stream and id(s) not in self.attempts and _is_numeric(s, args) and not _is_connected(s):
            self._begin(s, args[0])
        try:
            code = call(s, *args, **kwargs)
        except socket.gaierror:
            self.source.lookup(args[0][0])
            raise
        except OSError as error:
            # "timed out" has no number
            self._answer(s, stream, args, errno.EAGAIN if error.errno is None else error.errno)
            raise
        self._answer(s, stream, args, code or 0)
        return code

    def _begin(self, s, address):
        self.add("connects")
        self.contact(address, True)
        me, attempts = id(s), self.attempts
        attempts[me] = attempt = _Attempt(s, lambda _: attempts.pop(me, None))
        attempt.given_up = False

    def _answer(self, s, stream, args, code):
        if not stream:  # only remembers where to send
            if not code:
                self.contact(args[0], True)
            return
        if id(s) not in self.attempts:
            if code in _NOT_BEGUN or _is_out_of_ports(s, code):
                return
            self._begin(s, args[0])
        if code == errno.EAGAIN and s.gettimeout() != 0:
            self._give_up(s)
        elif code not in _UNDECIDED:
            self.ended(s, code)

    def _give_up(self, s):
        attempt = self.attempts[id(s)]
        if not attempt.given_up:
            attempt.given_up = True  # asked again, it is the same connect
            self.add("connects_failed")

    def ended(self, s, code):
        """code: an errno, 0 of a connect that succeeded."""
        attempt = self.attempts.pop(id(s), None)
        if attempt is None or attempt.given_up or code in (0, errno.EISCONN):
            return
        self.add("connects_refused" if code in _REFUSED else "connects_failed")

    def used(self, s, call, args, kwargs):
        """Any read or write: the first one after a non-blocking connect tells how that ended."""
        if not self.attempts or id(s) not in self.attempts:
            return call(s, *args, **kwargs)
        try:
            result = call(s, *args, **kwargs)
        except OSError as error:
            if error.errno is not None and error.errno not in _UNDECIDED:
                self.ended(s, error.errno)
            raise
        self.ended(s, 0)
        return result

    def closing(self, s):
        """Nobody will ask any more how the connect ended, so that asking changes nothing."""
        if id(s) in self.attempts:
            try:
                code = _base.getsockopt(s, socket.SOL_SOCKET, socket.SO_ERROR)
                if not code and not _is_writable(s):
                    code = errno.ETIMEDOUT
            except OSError as error:
                code = error.errno
            self.ended(s, code)


def _is_numeric(s, args):
    """Whether connect has an address in order, of a host in numbers."""
    try:
        host, port = args[0][:2]
        socket.inet_pton(_family(s), host)
    except (TypeError, ValueError, OSError, IndexError):
        return False
    return isinstance(port, int) and 0 <= port <= 0xFFFF


def _is_connected(s):
    """Or closed: nothing is begun either way."""
    try:
        _base.getpeername(s)
    except OSError as error:
        return error.errno == errno.EBADF
    return True


def _is_out_of_ports(s, code):
    return code == errno.EAGAIN and s.gettimeout() == 0


def _is_writable(s):
    """Whether a connect has ended, well or not."""
    poller = select.poll()
    poller.register(_base.fileno(s), select.POLLOUT)
    return bool(poller.poll(0))


def _argument(args, kwargs, place, name, default):
    return args[place] if len(args) > place else kwargs.get(name, default)


def _methods(counting):
    """Name -> function(native method, self, args, kwargs)."""
    used, moved = counting.used, counting.moved

    def connect(call, s, args, kwargs):
        return counting.connecting(s, call, args, kwargs)

    def _accept(call, s, args, kwargs):
        fd, address = call(s, *args, **kwargs)
        if _family(s) in (socket.AF_INET, socket.AF_INET6):
            counting.add("accepts")
            counting.contact(address, False)
        return fd, address

    def getpeername(call, s, args, kwargs):
        return used(s, call, args, kwargs)

    def getsockopt(call, s, args, kwargs):
        value = call(s, *args, **kwargs)
        if args[:2] == (socket.SOL_SOCKET, socket.SO_ERROR) and id(s) in counting.attempts:
            code = value if isinstance(value, int) else int.from_bytes(value, sys.byteorder)
            if code or _is_writable(s):
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
        if len(args) > 2 and args[1] & _FAST_OPEN and _kind(s) == socket.SOCK_STREAM:
            counting._begin(s, args[-1])  # RFC 7413: a connect that carries data
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
            s = _base(fileno=_argument(args, kwargs, 0, "out_fd", -1))
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
    """Count into `source`; returns what counts nothing: (socket class, getaddrinfo)."""
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
