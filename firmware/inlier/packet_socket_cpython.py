"""On CPython: what packets_linux.py asks of Linux."""

import mmap
import socket

AF_PACKET, ETH_P_ALL = 17, 3


def index_of(interface):
    """Its number, 0 where there is none of that name."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return 0


class PacketSocket:
    """A raw packet socket that takes nothing until it is bound."""

    def __init__(self):
        self._s = socket.socket(AF_PACKET, socket.SOCK_RAW, 0)
        self.set = self._s.setsockopt  # level, option, bytes or int
        self.get = self._s.getsockopt  # level, option, size -> bytes

    def map(self, size):
        """The ring as a buffer."""
        self._memory = mmap.mmap(self._s.fileno(), size)
        return self._memory

    def bind(self, interface):
        """Take its packets; its hardware type, 1 of Ethernet and Wi-Fi."""
        self._s.bind((interface, ETH_P_ALL))
        return self._s.getsockname()[3]

    def close(self):
        self._s.close()
        if hasattr(self, "_memory"):
            self._memory.close()
