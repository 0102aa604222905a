"""sockets_plain.py in native code, on any port with viper: the same integers."""

import micropython
from micropython import const

_CONNECTS = const(4)
_LOOKUPS = const(10)
_PEERS = const(11)
_PORTS = const(12)
_PEERS_NEW = const(13)

_HOSTS_AT = const(4)
_PORTS_AT = const(68)
_KNOWN_AT = const(132)
_WINDOW = const(63)
_KNOWN = const(511)

# Frozen code for ARMv6-M lies on halfwords, and would load a 32-bit literal
# from beside it: a mask is made in two steps. A store is at a variable's index
# or at 0: see kernels/viper.py.


@micropython.viper
def begin(bits: ptr32):
    if bits[0]:
        i = _KNOWN_AT >> 2
        while i:
            i -= 1
            bits[i] = 0


@micropython.viper
def host_hash(text: ptr8) -> int:
    # What plain.py keeps within bounds need not be before the end: the low bits
    # are the same.
    h = 0
    octet = 0
    other = 0  # 1: anything, 2: a colon
    c = int(text[0])
    while c:
        if c == 46:
            h = h * 1597 + (octet & 1023)
            octet = 0
        elif c < 48 or c > 57:
            h = h * 1597 + c
            if c == 58:
                other |= 2
            else:
                other |= 1
        else:
            octet = octet * 10 + c - 48
        text = ptr8(int(text) + 1)
        c = int(text[0])
    octet &= 1023
    c = 1 << 18
    h = h * 1597 + octet & c - 1
    if other == 1:
        h |= c
    return h


@micropython.viper
def note(bits: ptr8, totals: ptr32, host: int, port: int):
    bits[0] = 1
    mask = 1 << 29
    mask += mask - 1
    if host >> 18:
        i = _LOOKUPS
        totals[i] = totals[i] + 1 & mask
    bit = 1 << (host & 7)
    host >>= 3
    i = (host & _WINDOW) + _HOSTS_AT
    if not bits[i] & bit:
        bits[i] |= bit
        i = _PEERS
        totals[i] = totals[i] + 1 & mask
    i = (host & _KNOWN) + _KNOWN_AT
    if not bits[i] & bit:
        bits[i] |= bit
        i = _PEERS_NEW
        totals[i] = totals[i] + 1 & mask
    if port >= 0:
        if port >> 29:
            port &= mask >> 1
            i = _CONNECTS
            totals[i] = totals[i] + 1 & mask
        port ^= port >> 9
        bit = 1 << (port & 7)
        i = (port >> 3 & _WINDOW) + _PORTS_AT
        if not bits[i] & bit:
            bits[i] |= bit
            i = _PORTS
            totals[i] = totals[i] + 1 & mask
