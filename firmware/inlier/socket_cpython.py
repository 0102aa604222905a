"""Under the counted socket, on CPython: a subclass of the native socket, with the calls that only CPython has."""

import select
import socket

_EISCONN = 106


class Stream(socket.socket):
    """`_s` calls the methods of the native class. What only CPython has is counted here."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._prepare(self.family, self.type)

    @property
    def _s(self):
        return super()

    def _accepted(self, native):
        return native  # CPython's accept() made it with this class

    def connect_ex(self, address):
        try:
            self.connect(address)
        except OSError as error:
            if error.errno is None:
                raise
            return error.errno
        return 0

    def getsockopt(self, level, option, *size):
        value = super().getsockopt(level, option, *size)
        if (
            self._pending
            and (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR)
            and self._writable()
        ):
            self._decide(value or _EISCONN)  # asyncio learns here how its connect ended
        return value

    def recv_into(self, buffer, nbytes=0, flags=0):
        def call(flags):
            return self._s.recv_into(buffer, nbytes, flags)

        n = self._first(call, flags) if self._pending else call(flags)
        self._received(n)
        return n

    def recvfrom_into(self, buffer, nbytes=0, flags=0):
        n, address = super().recvfrom_into(buffer, nbytes, flags)
        self._received_from(n, address)
        return n, address

    def recvmsg(self, bufsize, *args):
        result = super().recvmsg(bufsize, *args)
        self._received_from(len(result[0]), result[3])
        return result

    def sendmsg(self, buffers, ancdata=(), flags=0, address=None):
        def call(flags):
            return self._s.sendmsg(buffers, ancdata, flags, address)

        n = self._first(call, flags) if self._pending else call(flags)
        if address is not None:
            self._source.contact(address, True)
        self._sent(n)
        return n

    def _writable(self):
        """Whether a pending connect has ended, well or not."""
        poller = select.poll()
        poller.register(self, select.POLLOUT)
        return bool(poller.poll(0))
