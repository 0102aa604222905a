"""On MicroPython's Unix port: what its native socket has that the boards' has
not, and the other way round.
"""

import errno
import io
import socket as native

from .sockets_plain import CONNECT, FACTOR, HASH_MASK, note


def adapt(socket, sent, received):
    """socket: the counted class, as the boards need it. sent(socket, n) and
    received(socket, n) count.
    """
    File.sent = staticmethod(sent)
    File.received = staticmethod(received)
    sockets = type(socket._source)
    board_contact = sockets.contact

    def contact(self, address, chosen):
        """Addresses are sockaddrs: family, port, IPv4 address; or family, port,
        flow, IPv6 address, scope.
        """
        if isinstance(address, tuple) or isinstance(address, list):
            board_contact(self, address, chosen)
        elif len(address) in (16, 28):
            start, end = (4, 8) if len(address) == 16 else (8, 24)
            h = 0
            for i in range(start, end):
                h = h * FACTOR + address[i] & HASH_MASK
            port = address[2] << 8 | address[3] | chosen & CONNECT if chosen else -1
            note(self._bits, self.totals, h, port)

    sockets.contact = contact
    board_init, board_ioctl = socket.__init__, socket.ioctl

    def init(self, family=native.AF_INET, *args):
        board_init(self, family, *args)
        if family not in (native.AF_INET, native.AF_INET6):
            # Only IP is traffic: the others count where no one looks.
            elsewhere = type(self._source)()
            self._totals = elsewhere.totals
            self._contact = elsewhere.contact

    def ioctl(self, request, arg):
        if request == 10:  # MP_STREAM_GET_FILENO: this port polls descriptors
            return self._s.fileno()
        return board_ioctl(self, request, arg)

    del socket.sendall
    socket.__init__ = init
    socket.ioctl = ioctl
    socket.makefile = lambda self, *args: File(self._s.makefile(*args), self)


class File(io.IOBase):
    """The native file of a socket's descriptor, its reads and writes counted."""

    def __init__(self, file, counted):
        self._file = file
        self._counted = counted

    def _got(self, data):
        if data is not None:
            self.received(self._counted, len(data.encode() if isinstance(data, str) else data))
        return data

    def read(self, *n):
        return self._got(self._file.read(*n))

    def readline(self, *n):
        return self._got(self._file.readline(*n))

    def readlines(self):
        return list(self)

    def readinto(self, buffer, *n):
        n = self._file.readinto(buffer, *n)
        self.received(self._counted, n)
        return n

    def write(self, data, *part):
        n = self._file.write(data, *part)
        self.sent(self._counted, n)
        return n

    def __iter__(self):
        return self

    def __next__(self):
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def ioctl(self, request, arg):
        if request == 10:  # MP_STREAM_GET_FILENO
            return self._file.fileno()
        if request == 4:  # MP_STREAM_CLOSE
            self.close()
            return 0
        return -errno.EINVAL

    def __getattr__(self, name):
        return getattr(self._file, name)
