"""Source: what the application does with its sockets, counted by standing in
for the native ones.

    from inlier import sockets
    source = sockets.install()    # before the application imports socket

Neither the ESP32 nor the Pico W port exposes packet counters, so the sockets
count for themselves (socket_micropython.py, socket_cpython.py).

What is counted, of IPv4 and IPv6
    bytes_out, bytes_in   payload that a call moved, over TCP and UDP; under TLS
                          the encrypted bytes; what is only peeked at counts
                          when it is read
    sends, receives       calls on a stream that moved at least one byte; one
                          that would block counts nothing
    connects              TCP connects begun; each ends at most once in
                          connects_refused (reset by the peer) or
    connects_failed       (no route, timed out, or closed by the application
                          while still unanswered)
    accepts               connections taken from a listening socket
    datagrams_out, _in    on any socket that is no stream
    lookups               names given to getaddrinfo, connect or sendto, on
                          CPython also gethostbyname; a numeric address is none
    peers, ports          sum over windows of the distinct hosts contacted
                          (connect, accept, datagram either way) and of the
                          distinct remote ports this device chose (connect,
                          sendto)
    peers_new             hosts never contacted since boot
A non-blocking connect that fails shows this only at the next call that asks:
it is counted then.

Distinct means by a hash into a fixed bitmap: of n hosts (or ports) in a window
about 512 * (1 - exp(-n / 512)) are counted, 30 as 29; a new host passes for a
known one with a chance of n / 4096 after n known hosts.

Not seen: ARP, ICMP, retransmissions, packets to closed ports, what C code or a
bare descriptor moves; a failed non-blocking connect whose socket is dropped
unclosed. On MicroPython also not: sockets made before install() or by C code,
and what webrepl accepts. On CPython: blocking TLS (OpenSSL reads the descriptor
itself), gevent's sockets (a warning says so); threads may lose a count.

Seen by the application, on MicroPython: `ioctl`, and `select.poll` gives the
counted socket; a datagram socket reads one datagram into a buffer of more than
1,472 bytes, as DTLS needs. The Pico W's lwIP has five TCP sockets, with or
without inlier: the sixth is OSError 12.
"""

import sys

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


# Places in `counters`; socket_micropython.py has those of the others.
_LOOKUPS = const(10)
_PEERS = const(11)
_PORTS = const(12)
_PEERS_NEW = const(13)

_MASK = const(0x3FFFFFFF)
_WINDOW_MASK = const(511)
_KNOWN_MASK = const(4095)


class Sockets:
    """The counters. One instance counts for the whole process: install()
    returns it.
    """

    name = "sockets"
    bits = 30  # the largest small int of a 31-bit board is 2^30 - 1
    counters = (
        "bytes_out", "bytes_in", "sends", "receives",
        "connects", "connects_refused", "connects_failed", "accepts",
        "datagrams_out", "datagrams_in", "lookups", "peers", "ports", "peers_new",
    )  # fmt: skip

    def __init__(self):
        self.totals = [0] * len(self.counters)
        self._hosts = bytearray(_WINDOW_MASK + 1 >> 3)
        self._ports = bytearray(_WINDOW_MASK + 1 >> 3)
        self._known = bytearray(_KNOWN_MASK + 1 >> 3)
        self._touched = False

    # Small functions: a frame beyond 11 words would come from MicroPython's
    # heap.

    def read(self, values):
        """Copy the cumulative counters and begin a window: its hosts and ports
        are distinct afresh.
        """
        totals = self.totals
        for i in range(len(totals)):
            values[i] = totals[i]
        if self._touched:
            self._touched = False
            clear(self._hosts)
            clear(self._ports)

    def lookup(self, host):
        """Count `host`, of any type, if it is a name."""
        host = text(host)
        if isinstance(host, str) and is_name(host):
            add(self.totals, _LOOKUPS)

    def contact(self, address, chosen):
        """Note the host of `address`, and its port if this device chose it.

        address: (host, port, ...), or a sockaddr as the Unix port has it.
        """
        if isinstance(address, tuple) or isinstance(address, list):
            host = text(address[0])
            self.lookup(host)
            host = host_hash(host)
            port = address[1]
        elif isinstance(address, str) or len(address) not in (16, 28):
            return
        else:
            # sockaddr_in: family, port, address;
            # sockaddr_in6: family, port, flow, address, scope
            start, end = (4, 8) if len(address) == 16 else (8, 24)
            host = bytes_hash(address, start, end)
            port = address[2] << 8 | address[3]
        self._note(host, port if chosen else -1)

    def _note(self, host, port):
        self._touched = True
        if add_bit(self._hosts, host & _WINDOW_MASK):
            add(self.totals, _PEERS)
        if add_bit(self._known, host & _KNOWN_MASK):
            add(self.totals, _PEERS_NEW)
        if port >= 0 and add_bit(self._ports, (port ^ port >> 9) & _WINDOW_MASK):
            add(self.totals, _PORTS)


def add(totals, i):
    totals[i] = totals[i] + 1 & _MASK


def add_bit(bitmap, i):
    """Set bit i; says whether it was clear."""
    if bitmap[i >> 3] & 1 << (i & 7):
        return False
    bitmap[i >> 3] |= 1 << (i & 7)
    return True


def clear(bitmap):
    for i in range(len(bitmap)):
        bitmap[i] = 0


def text(host):
    """Bytes are names and addresses as well."""
    return "".join(map(chr, host)) if isinstance(host, bytes) else host


def is_name(host):
    """Whether a host's text is a name: neither dotted digits nor IPv6."""
    for i in range(len(host)):
        if host[i] not in "0123456789.":
            return ":" not in host
    return False


def host_hash(host):
    """18-bit hash of a host's text; for a dotted address that of its four
    bytes.
    """
    h = 0
    octet = 0
    for i in range(len(host)):
        c = ord(host[i])
        if 48 <= c <= 57:
            octet = octet * 10 + c - 48 & 0x3FF
        elif c == 46:
            h = h * 1597 + octet & 0x3FFFF
            octet = 0
        else:
            h = h * 1597 + c & 0x3FFFF
    return h * 1597 + octet & 0x3FFFF


def bytes_hash(data, start, end):
    h = 0
    for i in range(start, end):
        h = h * 1597 + data[i] & 0x3FFFF
    return h


_installed = None
native = None  # from install() on: (socket, getaddrinfo) that count nothing


def install():
    """Count every socket made from now on, on CPython also those made before.

    Returns the one Sockets. Calling it again changes nothing.
    """
    global _installed, native
    if _installed is None:
        if sys.implementation.name == "micropython":
            from . import socket_micropython as platform
        else:
            from . import socket_cpython as platform
        _installed = Sockets()
        native = platform._stand_in(_installed)
    return _installed
