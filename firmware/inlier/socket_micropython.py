"""Under the counted socket, on MicroPython: a stream around a native socket.

Polling a subclass of the native socket reads wrong memory (micropython issue 8461). A stream in Python is polled through
its `ioctl`, and read and written by TLS through `readinto` and `write`.
"""

import errno
import io
import select
import socket


class Stream(io.IOBase):
    """`_s` is the native socket. What is not counted is forwarded."""

    def __init__(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, proto=0, native=None):
        self._s = socket.socket(family, kind, proto) if native is None else native
        self._poller = None
        self._prepare(family, kind)

    def __getattr__(self, name):
        return getattr(self._s, name)

    def _accepted(self, native):
        return type(self)(self._family, socket.SOCK_STREAM, 0, native)

    def makefile(self, *args):
        return self

    def ioctl(self, request, arg):
        if request == 3:  # MP_STREAM_POLL: boards
            if self._poller is None:
                self._poller = select.poll()
                self._poller.register(self._s, arg)
            else:
                self._poller.modify(self._s, arg)
            for event in self._poller.ipoll(0):
                return event[1]
            return 0
        if request == 4:  # MP_STREAM_CLOSE: a TLS socket around this one was closed
            self.close()
            return 0
        if request == 10 and hasattr(
            self._s, "fileno"
        ):  # MP_STREAM_GET_FILENO: the Unix port polls descriptors
            return self._s.fileno()
        return -errno.EINVAL

    # Streams: None where the native call would block.

    def write(self, data, *part):
        if part:
            data = (
                memoryview(data)[: part[0]]
                if len(part) == 1
                else memoryview(data)[part[0] :][: part[1]]
            )
        n = self._first(self._s.write, data) if self._pending else self._s.write(data)
        if n is not None:
            self._sent(n)
        return n

    def read(self, n=-1):
        data = self._first(self._s.read, n) if self._pending else self._s.read(n)
        if data is not None:
            self._received(len(data))
        return data

    def readinto(self, buffer, n=-1):
        if n >= 0:
            buffer = memoryview(buffer)[:n]
        n = self._first(self._s.readinto, buffer) if self._pending else self._s.readinto(buffer)
        if n is not None:
            self._received(n)
        return n

    def readline(self, n=-1):
        data = self._first(self._s.readline, n) if self._pending else self._s.readline(n)
        if data is not None:
            self._received(len(data))
        return data

    def _writable(self):
        """Whether a pending connect has ended, well or not."""
        return self.ioctl(3, 4) != 0
