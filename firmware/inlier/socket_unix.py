"""On MicroPython's Unix port: the file that a counted socket's makefile() gives."""

import io


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
        if n is not None:
            self._counted._received(n)
        return n

    def write(self, data, *part):
        n = self._file.write(data, *part)
        if n is not None:
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
        return -22

    def __getattr__(self, name):
        return getattr(self._file, name)
