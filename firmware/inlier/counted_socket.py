"""A socket whose calls are counted. sockets.py says what is counted; this file is what an application gets as `socket`."""

import errno
import socket as _native
import sys

from .sockets import add

if sys.implementation.name == "micropython":
    from .socket_micropython import Stream
else:
    from .socket_cpython import Stream

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


# Places in Sockets.counters; sockets.py has those of the others.
_BYTES_OUT = const(0)
_BYTES_IN = const(1)
_SENDS = const(2)
_RECEIVES = const(3)
_CONNECTS = const(4)
_CONNECTS_REFUSED = const(5)
_CONNECTS_FAILED = const(6)
_ACCEPTS = const(7)
_DATAGRAMS_OUT = const(8)
_DATAGRAMS_IN = const(9)

_MASK = const(0x3FFFFFFF)  # counters wrap at 2^30

# While these come, a connect is undecided. A connection that exists has no name in MicroPython's errno: it is 106 on
# Linux and on the Pico's lwIP, 127 in the ESP32's newlib, 56 on BSD.
_UNDECIDED = (errno.EINPROGRESS, errno.EALREADY, errno.EAGAIN, errno.ENOTCONN)
_CONNECTED = (106, 127, 56)
_REFUSED = (
    errno.ECONNREFUSED,
    errno.ECONNRESET,
)  # lwIP calls a reset in answer to a SYN ECONNRESET

_getaddrinfo = _native.getaddrinfo

source = None  # the Sockets that counts, from install() on


class socket(Stream):
    """The native socket with its calls counted: same methods, results and exceptions.

    Frames stay below 11 words: beyond, MicroPython takes them from the heap.
    """

    def _prepare(self, family, kind):
        self._family = family
        local = family == getattr(
            _native, "AF_UNIX", None
        )  # not traffic; CPython's asyncio wakes itself with one
        self._source = source
        self._totals = [0] * len(source.totals) if local else source.totals
        stream = kind == _native.SOCK_STREAM
        self._out = _SENDS if stream else _DATAGRAMS_OUT
        self._in = _RECEIVES if stream else _DATAGRAMS_IN
        self._pending = False  # a connect whose end is not known yet

    def _sent(self, n):
        if not n and self._out == _SENDS:
            return
        totals = self._totals
        totals[_BYTES_OUT] = totals[_BYTES_OUT] + n & _MASK
        totals[self._out] = totals[self._out] + 1 & _MASK

    def _received(self, n):
        if not n and self._in == _RECEIVES:
            return  # end of a stream
        totals = self._totals
        totals[_BYTES_IN] = totals[_BYTES_IN] + n & _MASK
        totals[self._in] = totals[self._in] + 1 & _MASK

    def _received_from(self, n, address):
        if self._in == _DATAGRAMS_IN:
            self._source.contact(address, False)
        self._received(n)

    # How a connect ends.

    def connect(self, address):
        if self._out == _DATAGRAMS_OUT:  # only remembers where to send
            self._source.contact(address, True)
            return self._s.connect(address)
        if not self._pending:  # asking again how a non-blocking connect fares is no new one
            add(self._totals, _CONNECTS)
            self._source.contact(address, True)
            self._pending = True
        try:
            self._s.connect(address)
        except OSError as error:
            if error.errno not in _UNDECIDED:
                self._decide(error.errno)
            raise
        self._pending = False

    def _decide(self, code):
        self._pending = False
        if code not in _CONNECTED:
            add(self._totals, _CONNECTS_REFUSED if code in _REFUSED else _CONNECTS_FAILED)

    def _first(self, call, argument):
        """The first read or write after a non-blocking connect tells how that ended."""
        ended = (
            self._writable()
        )  # lwIP queues what is written to a connection that does not exist yet
        try:
            result = call(argument)
        except OSError as error:
            if error.errno not in _UNDECIDED:
                self._decide(error.errno)
            raise
        if ended and result is not None:
            self._pending = False
        return result

    def close(self):
        if self._pending:
            self._give_up()
        return self._s.close()

    def _give_up(self):
        """Closed before anything was read or written: ask the native socket how the connect ended."""
        if not self._writable():
            return self._decide(errno.ETIMEDOUT)
        try:
            self._s.setblocking(False)
            self._s.recv(1)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                return self._decide(error.errno)
        self._pending = False

    # The calls that MicroPython and CPython share.

    def accept(self):
        native, address = self._s.accept()
        add(self._totals, _ACCEPTS)
        self._source.contact(address, False)
        return self._accepted(native), address

    def send(self, data, flags=0):
        if self._pending:
            n = self._first(self._s.send, data)
        else:
            n = self._s.send(data, flags) if flags else self._s.send(data)
        self._sent(n)
        return n

    def sendall(self, data, flags=0):
        if self._pending:
            self._first(self._s.sendall, data)
        elif flags:
            self._s.sendall(data, flags)
        else:
            self._s.sendall(data)
        self._sent(len(data))

    def sendto(self, data, to, address=None):
        """sendto(data, address) or sendto(data, flags, address)."""
        self._source.contact(to if address is None else address, True)
        n = self._s.sendto(data, to) if address is None else self._s.sendto(data, to, address)
        self._sent(n)
        return n

    def recv(self, n, flags=0):
        if self._pending:
            data = self._first(self._s.recv, n)
        else:
            data = self._s.recv(n, flags) if flags else self._s.recv(n)
        self._received(len(data))
        return data

    def recvfrom(self, n, flags=0):
        result = self._s.recvfrom(n, flags) if flags else self._s.recvfrom(n)
        self._received_from(len(result[0]), result[1])
        return result


def getaddrinfo(host, *args, **kwargs):
    if host:
        source.lookup(str(host, "utf-8") if isinstance(host, bytes) else host)
    return _getaddrinfo(host, *args, **kwargs)


def stand_in():
    """Take the place of the `socket` module."""
    if sys.implementation.name == "micropython":  # its own is read-only: take its name
        this = sys.modules[__name__]
        for name in dir(_native):
            if name not in globals():
                setattr(this, name, getattr(_native, name))
        sys.modules["socket"] = sys.modules["usocket"] = this
    else:
        _native.socket = socket
        _native.getaddrinfo = getaddrinfo
