"""On MicroPython's Unix port: what its native socket has that the boards' has
not, and the other way round.
"""

import errno
import io
import socket as native


def adapt(socket):
    """socket: the counted class, as the boards need it."""
    board_init, board_ioctl = socket.__init__, socket.ioctl

    def init(self, family=native.AF_INET, *args):
        board_init(self, family, *args)
        if family not in (native.AF_INET, native.AF_INET6):
            # Only IP is traffic: the others count where no one looks.
            self._source = type(self._source)()

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
            self._counted._received(len(data.encode() if isinstance(data, str) else data))
        return data

    def read(self, *n):
        return self._got(self._file.read(*n))

    def readline(self, *n):
        return self._got(self._file.readline(*n))

    def readlines(self):
        return list(self)

    def readinto(self, buffer, *n):
        n = self._file.readinto(buffer, *n)
        self._counted._received(n)
        return n

    def write(self, data, *part):
        n = self._file.write(data, *part)
        self._counted._sent(n)
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
