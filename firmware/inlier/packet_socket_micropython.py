"""On MicroPython's Unix port: what packets_linux.py asks of Linux. Its socket
has neither getsockopt nor a memory map: those are the C library's, by ffi.
"""

import os
import socket
import struct

import uctypes

try:
    import ffi
except ImportError:
    raise ImportError(
        "this MicroPython has no ffi, which counting packets needs: install Debian's micropython, "
        "or build it with MICROPY_PY_FFI=1"
    )

AF_PACKET, ETH_P_ALL = 17, 3
_SOCK_RAW = 3
_PROTECTION = 3  # PROT_READ | PROT_WRITE
_MAP_SHARED = 1
_FAILED = -1

_libc = ffi.open("libc.so.6")
_getsockopt = _libc.func("i", "getsockopt", "iiipp")
_getsockname = _libc.func("i", "getsockname", "ipp")
_mmap = _libc.func("l", "mmap", "Pliiil")
_munmap = _libc.func("i", "munmap", "Pl")
index_of = _libc.func("I", "if_nametoindex", "s")


def _checked(result):
    if result == _FAILED:
        raise OSError(os.errno())
    return result


class PacketSocket:
    """As on CPython."""

    def __init__(self):
        self._s = socket.socket(AF_PACKET, _SOCK_RAW, 0)
        self.set = self._s.setsockopt
        self._at = self._size = 0

    def get(self, level, option, size):
        value = bytearray(size)
        _checked(_getsockopt(self._s.fileno(), level, option, value, struct.pack("I", size)))
        return value

    def map(self, size):
        self._at = _checked(_mmap(0, size, _PROTECTION, _MAP_SHARED, self._s.fileno(), 0))
        self._size = size
        return uctypes.bytearray_at(self._at, size)

    def bind(self, interface):
        # sockaddr_ll: family, protocol in network order, index, type, kind,
        # address
        index = index_of(interface)
        self._s.bind(struct.pack("<HHiHBB8s", AF_PACKET, ETH_P_ALL << 8, index, 0, 0, 0, b""))
        name = bytearray(20)
        _checked(_getsockname(self._s.fileno(), name, struct.pack("I", len(name))))
        return struct.unpack_from("<H", name, 8)[0]

    def close(self):
        if self._at:
            _munmap(self._at, self._size)
            self._at = 0
        self._s.close()
