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
from array import array

for _name in ("thumb", "viper", "plain"):
    try:
        _loops = __import__("inlier.sockets_" + _name, None, None, ("note",))
        break
    except (ImportError, SyntaxError, ValueError, AttributeError):
        pass  # no such compiler, decorator or file here
begin = _loops.begin
host_hash = _loops.host_hash
note = _loops.note


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
        self.totals = self.live = array("i", bytes(4 * len(self.counters)))
        self._bits = bytearray(644)  # sockets_plain.py says of what
        self.known = memoryview(self._bits)[132:]

    def read(self, values):
        """Copy the cumulative counters and begin a window: its hosts and ports
        are distinct afresh.
        """
        begin(self._bits)
        live = self.live
        if values is not live:
            for i in range(len(live)):
                values[i] = live[i]

    def lookup(self, host):
        """Count `host`, of any type, if it is a name."""
        if isinstance(host, (str, bytes)) and host_hash(host) >> 18:
            self.totals[10] = self.totals[10] + 1 & 0x3FFFFFFF

    def contact(self, address, chosen):
        """Note the host of `address`, (host, port, ...), and its port if this
        device chose it; where `chosen` is sockets_plain.CONNECT, a connect too.
        """
        port = address[1] | chosen & 0x20000000 if chosen else -1
        note(self._bits, self.totals, host_hash(address[0]), port)


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
        native = platform._stand_in(_installed)  # a public name would be one of socket's
    return _installed
