"""On MicroPython: what an application gets as `socket`, a native socket in a
stream that counts its calls. sockets.py says what is counted.

Polling a subclass of the native socket reads wrong memory (micropython issue
8461). A stream in Python is polled through its `ioctl`, and read and written
by TLS through `readinto` and `write`.

A name without an underscore here is one that the application sees.
"""

import errno as _errno
import io as _io
import select as _select
import socket as _native
import sys as _sys

from micropython import const

# Places in Sockets.counters; sockets.py has those of the others.
_BYTES_OUT = const(0)
_BYTES_IN = const(1)
_SENDS = const(2)
_RECEIVES = const(3)
_CONNECTS_REFUSED = const(5)
_CONNECTS_FAILED = const(6)
_ACCEPTS = const(7)
_DATAGRAMS_OUT = const(8)
_DATAGRAMS_IN = const(9)

_MASK = const(0x3FFFFFFF)  # counters wrap at 2^30
_CHOSEN = const(1)  # True would take MicroPython longer
_CONNECT = const(1 << 29)  # of sockets_plain.py

# While these come, a connect is undecided.
_UNDECIDED = (_errno.EINPROGRESS, _errno.EALREADY, _errno.EAGAIN, _errno.ENOTCONN)
# lwIP calls a reset in answer to a SYN ECONNRESET
_REFUSED = (_errno.ECONNREFUSED, _errno.ECONNRESET)
# A connect that these answer was begun before, or not at all. A connection that
# exists has no name in MicroPython's errno: it is 106 on Linux and on the
# Pico's lwIP, 127 in the ESP32's newlib, 56 on BSD.
_NOT_BEGUN = (0, 106, 127, 56, _errno.EALREADY, _errno.EBADF)

_PEEK = getattr(_native, "MSG_PEEK", 2)

# DTLS offers a buffer for its largest record and wants one datagram. A native
# readinto waits until the buffer is full: no one else means that of a buffer
# beyond what one Ethernet frame carries.
_FRAME = const(1472)

del const

_getaddrinfo = _native.getaddrinfo


# Functions: to find a method takes MicroPython eight times as long, and these
# are called whenever something moves.


def _count(totals, i):
    totals[i] = totals[i] + 1 & _MASK


def _sent(s, n):
    calls = s._out
    if n or n == 0 and calls == _DATAGRAMS_OUT:  # None: it would have blocked
        totals = s._totals
        totals[_BYTES_OUT] = totals[_BYTES_OUT] + n & _MASK
        totals[calls] = totals[calls] + 1 & _MASK


def _received(s, n, flags=()):
    calls = s._in
    if flags and flags[0] & _PEEK:
        return
    if n or n == 0 and calls == _DATAGRAMS_IN:  # else the end of a stream
        totals = s._totals
        totals[_BYTES_IN] = totals[_BYTES_IN] + n & _MASK
        totals[calls] = totals[calls] + 1 & _MASK


class _Caught:
    """What a native connect raised: with an `except` that names it the frame of
    connect would be one of 15 words, and to find room for it in a full heap
    takes as long as all that is counted.
    """

    __enter__ = bool  # nothing

    def __exit__(self, kind, error, trace):
        if kind and issubclass(kind, OSError):
            self.error = error
            return True


class socket(_io.IOBase):
    """The native socket `_s` with its calls counted in `_source`, the Sockets.

    Frames stay within 11 words: beyond, MicroPython takes them from the heap.
    """

    def __init__(self, family=_native.AF_INET, kind=_native.SOCK_STREAM, proto=0, native=None):
        self._s = _native.socket(family, kind, proto) if native is None else native
        self._family = family
        self._poller = None
        stream = kind == _native.SOCK_STREAM
        self._out = _SENDS if stream else _DATAGRAMS_OUT
        self._in = _RECEIVES if stream else _DATAGRAMS_IN
        # a datagram socket only remembers where to send
        self._connect = _CONNECT if stream else _CHOSEN
        self._pending = False  # a connect whose end is not known yet
        self._totals = self._source.totals
        self._contact = self._source.contact
        self._caught = _Caught()

    # How a connect ends.

    def connect(self, address):
        with self._caught:
            self._s.connect(address)
            if self._pending:  # asking again how a connect fares is no new one
                self._pending = False
            else:
                self._contact(address, self._connect)
            return
        self._raised(address)

    def _raised(self, address):
        error = self._caught.error
        self._caught.error = None  # whoever catches it may free it
        code = error.errno
        if not self._pending:
            if self._out != _SENDS or code in _NOT_BEGUN:
                raise error
            self._contact(address, _CONNECT)
            self._pending = True
        if code == _errno.EBADF:
            # lwIP has dropped the connection. Polled, it has POLLHUP (16) where
            # the peer reset it, else only POLLERR (8).
            code = _errno.ETIMEDOUT if self._events(4) & 24 == 8 else _errno.ECONNRESET
        self._ended(code)
        raise error

    def _ended(self, code):
        if self._pending and code not in _UNDECIDED:
            self._pending = False
            if code not in _NOT_BEGUN:
                _count(self._totals, _CONNECTS_REFUSED if code in _REFUSED else _CONNECTS_FAILED)

    def _first(self, call, *args):
        """The first read or write after a non-blocking connect tells how it
        ended.
        """
        # lwIP queues what is written to a connection that does not exist yet.
        ended = self._events(4)
        try:
            result = call(*args)
        except OSError as error:
            self._ended(error.errno)
            raise
        if ended and result is not None:
            self._pending = False
        return result

    def close(self):
        if self._pending:  # nothing was read or written: ask how the connect ended
            code = _errno.ETIMEDOUT
            if self._events(4):
                code = 0
                try:
                    self._s.setblocking(False)
                    # Reading nothing leaves unread what the peer sent: closing
                    # then resets the connection, as it would have done.
                    self._s.recv(0)
                except OSError as error:
                    code = error.errno
            self._ended(code)
            self._pending = False
        self._s.close()

    # Calls that move bytes. Those of a stream give None where they would block.

    def accept(self):
        native, address = self._s.accept()
        _count(self._totals, _ACCEPTS)
        self._contact(address, False)
        return socket(self._family, _native.SOCK_STREAM, 0, native), address

    def send(self, data, *flags):
        n = (
            self._first(self._s.send, data, *flags)
            if self._pending or flags
            else self._s.send(data)
        )
        _sent(self, n)
        return n

    def sendall(self, data, *flags):
        if self._pending or flags:
            self._first(self._s.sendall, data, *flags)
        else:
            self._s.sendall(data)
        _sent(self, len(data.encode() if isinstance(data, str) else data))

    def sendto(self, data, to, *address):
        """sendto(data, address) or sendto(data, flags, address)."""
        n = self._s.sendto(data, to, *address) if address else self._s.sendto(data, to)
        if self._out == _DATAGRAMS_OUT:
            self._contact(address[0] if address else to, _CHOSEN)
        _sent(self, n)
        return n

    def write(self, data, *part):
        n = (
            self._first(self._s.write, data, *part)
            if self._pending or part
            else self._s.write(data)
        )
        _sent(self, n)
        return n

    def recv(self, n, *flags):
        data = self._first(self._s.recv, n, *flags) if self._pending or flags else self._s.recv(n)
        _received(self, len(data), flags)
        return data

    def recvfrom(self, n, *flags):
        result = self._s.recvfrom(n, *flags) if flags else self._s.recvfrom(n)
        if self._in == _DATAGRAMS_IN:
            self._contact(result[1], False)
        _received(self, len(result[0]), flags)
        return result

    def read(self, *n):
        data = self._first(self._s.read, *n) if self._pending or n else self._s.read()
        return self._got(data)

    def readline(self, *n):
        data = self._first(self._s.readline, *n) if self._pending or n else self._s.readline()
        return self._got(data)

    def _got(self, data):
        if data is not None:
            _received(self, len(data))
        return data

    def readinto(self, buffer, *n):
        if self._in == _DATAGRAMS_IN and len(buffer) > _FRAME:
            return self._datagram(buffer)
        n = (
            self._first(self._s.readinto, buffer, *n)
            if self._pending or n
            else self._s.readinto(buffer)
        )
        _received(self, n)
        return n

    def _datagram(self, buffer):
        try:
            data = self.recv(len(buffer))
        except OSError as error:
            if error.errno != _errno.EAGAIN:
                raise
            return None
        buffer[: len(data)] = data
        return len(data)

    def makefile(self, *args):
        return self

    # The stream that poll and TLS see.

    def _events(self, events):
        """Which of `events` the native socket has now: 4 also where a connect
        has ended.
        """
        if self._poller is None:
            self._poller = _select.poll()
            self._poller.register(self._s, events)
        else:
            self._poller.modify(self._s, events)
        for event in self._poller.ipoll(0):
            return event[1]
        return 0

    def ioctl(self, request, arg):
        if request == 3:  # MP_STREAM_POLL: boards
            return self._events(arg)
        if request == 4:  # MP_STREAM_CLOSE: a TLS socket around this one was closed
            self.close()
            return 0
        return -_errno.EINVAL


def getaddrinfo(host, *args):
    socket._source.lookup(host)
    return _getaddrinfo(host, *args)


def _forward(name):
    return lambda self, *args: getattr(self._s, name)(*args)


def _stand_in(source):
    """Take the name of the native module, which is read-only; returns what
    counts nothing: (socket, getaddrinfo).
    """
    socket._source = source
    native = _native.socket
    for name in dir(native):
        if name[0] != "_" and not hasattr(socket, name):
            setattr(socket, name, _forward(name))
    if not hasattr(native, "sendall"):
        from .socket_unix import adapt

        adapt(socket, _sent, _received)
    this = _sys.modules[__name__]
    for name in dir(_native):
        if name not in globals():
            setattr(this, name, getattr(_native, name))
    _sys.modules["socket"] = _sys.modules["usocket"] = this
    return native, _getaddrinfo
