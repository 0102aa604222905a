"""Source `packets` on Linux: a Raspberry Pi counts its own packets, on CPython
or on MicroPython with ffi. It needs the capability CAP_NET_RAW.

The kernel writes the first 190 bytes of each packet into a ring of slots that
is mapped into our memory (TPACKET_V2, Documentation/networking/packet_mmap.rst
of Linux), so that no packet costs a system call. Integers are those of
inlier/packet_counters.py, as from a capture that this machine takes of itself:
what the network card leaves to segment or has put together is one packet, a
VLAN tag that it took off is counted. When a connection began and ended is known
to DRAIN_MS.

A packet that the kernel had to drop counts as one in and one out, more than it
was: dropping them hides no flood.
"""

import asyncio
import errno
import struct
import sys

from .packet_counters import KNOWN, PEERS, PORTS, UNANSWERED_MS, WAITING, Packets, mix
from .ticker import sleep_ms, ticks_diff, ticks_ms

if sys.implementation.name == "micropython":
    from .packet_socket_micropython import PacketSocket, index_of
else:
    from .packet_socket_cpython import PacketSocket, index_of

DRAIN_MS = 200
SLOT = 256
SLOTS = 1 << 14
_BLOCK = 1 << 16  # a multiple of any page size
_SOL_PACKET, _RX_RING, _STATISTICS, _VERSION = 263, 5, 6, 10
_ETHERNET = 1
_FREE = b"\0\0\0\0"
_VLAN_VALID = 0x10
_OUTGOING = 4
_HEADERS = 48  # Ethernet, IPv4 without options, TCP up to its flags
# tpacket2_hdr: status, length, length kept, the frame's place; sockaddr_ll:
# packet type; then of a frame that begins at _PLACE: first octet, Ethertype
# with IPv4's version, fragment, protocol, target, ports, TCP's flags
_SLOT = "<IIIH28xB23xB11x3s5x2sxB6x4s2s2s9xB"
_HEAD = "<IIIH28xB"
# TPACKET_ALIGN(52 + 16) - 14; one that is sent with tags begins before that
_PLACE = 66
_IP4, _IP6, _ARP, _VLAN, _QINQ = b"\x08\x00", b"\x86\xdd", b"\x08\x06", b"\x81\x00", b"\x88\xa8"
_PLAIN_IP4 = b"\x08\x00\x45"  # its Ethertype, version and length without options
_ICMP, _TCP, _UDP, _ICMP6 = 1, 6, 17, 58
_SYN, _RST, _ACK = 2, 4, 16
_NOBODY, _MANY, _EVERYBODY = b"\0\0\0\0", b"\xe0", b"\xff\xff\xff\xff"  # of IPv4
_DNS = b"\0\x35"

_BYTES_OUT, _BYTES_IN, _PACKETS_OUT, _PACKETS_IN, _SYN_OUT, _SYN_IN, _SYNACK_IN = range(7)
_RST_IN, _UDP_OUT, _UDP_IN, _ICMPS, _ARPS, _LOOKUPS, _BROADCAST, _PEERS = range(7, 15)
_PORTS, _PEERS_NEW, _FAILED = range(15, 18)
_DISTINCT_MAX = 4096  # hosts or ports, before they go into the bitmaps


def default_interface(root="/proc/net"):
    """That of the default route, of IPv4 before IPv6. Raises OSError."""
    for name, host, mask, metric in (("route", 1, 7, 6), ("ipv6_route", 0, 1, 5)):
        found = []
        try:
            with open(root + "/" + name) as f:
                for line in f:
                    words = line.split()
                    interface = words[0] if name == "route" else words[-1]
                    if (
                        len(words) > 7
                        and interface != "lo"
                        and not words[host].strip("0")
                        and not words[mask].strip("0")
                    ):
                        # decimal of IPv4, whose order is the same
                        found.append((int(words[metric], 16), interface))
        except OSError:
            pass
        if found:
            return min(found)[1]
    raise OSError(
        errno.ENODEV,
        "no interface has a default route: say which one to count, such as "
        "--interface eth0, or packets.source('eth0')",
    )


class Linux(Packets):
    """Packets of one interface.

    said(text): is told what was not counted, and why; clock() -> ms.

    lost: packets that the kernel dropped in the window that was read last;
    more than 0 also where the interface was another one.
    """

    bits = 62

    def __init__(self, interface=None, said=print, clock=ticks_ms):
        self.interface = interface or default_interface()
        self.lost = self._missed = 0
        self.said = said
        self._clock = clock
        self._totals = [0] * len(self.counters)
        self._hosts = bytearray(PEERS >> 3)
        self._remote = bytearray(PORTS >> 3)
        self.known = bytearray(KNOWN >> 3)
        self._peers = set()  # addresses, and ports, that are in no bitmap yet
        self._ports = set()
        self._waiting = {}  # slot -> key, time
        self._draining = None
        self._socket = None
        self._index = 0
        self._open()

    def read(self, values):
        """Copy the counters and begin a window."""
        self.drain()
        self._statistics()
        self._distinct()
        self.lost, self._missed = self._missed, 0
        now = self._clock()
        for slot in [
            slot
            for slot, (_, then) in self._waiting.items()
            if ticks_diff(now, then) > UNANSWERED_MS
        ]:
            del self._waiting[slot]
            self._totals[_FAILED] += 1
        for i in range(len(values)):
            values[i] = self._totals[i]
        self._hosts = bytearray(PEERS >> 3)
        self._remote = bytearray(PORTS >> 3)
        if self._draining is None or self._draining.done():
            try:
                asyncio.current_task()
            except RuntimeError:  # no loop runs: whoever reads drains
                return
            self._draining = asyncio.create_task(self._drain_for_ever())

    def close(self):
        if self._draining is not None:
            self._draining.cancel()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _drain_for_ever(self):
        """A ring holds some tenths of a second of the fastest link."""
        while True:
            await sleep_ms(DRAIN_MS)
            self.drain()

    def _open(self):
        try:
            s = PacketSocket()
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES):
                raise
            raise OSError(
                error.errno,
                "counting packets needs the capability CAP_NET_RAW: run as root, or as the service "
                "boards/raspberry_pi/inlier.service, which is granted just that",
            )
        try:
            s.set(_SOL_PACKET, _VERSION, 1)  # TPACKET_V2
            size = SLOT * SLOTS
            s.set(_SOL_PACKET, _RX_RING, struct.pack("IIII", _BLOCK, size // _BLOCK, SLOT, SLOTS))
            ring = s.map(size)
            index = index_of(self.interface)
            if not index:
                raise OSError(
                    errno.ENODEV,
                    "no interface '%s': 'ip link' shows those there are" % self.interface,
                )
            kind = s.bind(self.interface)
            if kind != _ETHERNET:
                raise OSError(
                    errno.EINVAL,
                    "interface '%s' carries no Ethernet frames (hardware type %d): name one that "
                    "does, such as eth0 or wlan0" % (self.interface, kind),
                )
        except OSError:
            s.close()
            raise
        self._socket, self._ring, self._index, self._at = s, ring, index, 0

    def _follow(self):
        """An interface that is gone counts nothing; another of its name is
        opened. What it moved until then is not known.
        """
        index = index_of(self.interface)
        if index == self._index and self._socket is not None:
            return
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self.said("inlier: interface '%s' is gone" % self.interface)
        if index:
            try:
                self._open()
            except OSError:  # it went again
                return
            self._missed += 1
            self.said("inlier: interface '%s' is back" % self.interface)

    def _statistics(self):
        if self._socket is None:
            return
        dropped = struct.unpack("II", self._socket.get(_SOL_PACKET, _STATISTICS, 8))[1]
        if dropped:
            self._missed += dropped
            self._totals[_PACKETS_OUT] += dropped
            self._totals[_PACKETS_IN] += dropped
            self.said(
                "inlier: the kernel dropped %d packets of this window on '%s': they count as sent "
                "and received" % (dropped, self.interface)
            )

    def drain(self):
        """Count what is in the ring."""
        if self._socket is not None:
            self._count()
        self._follow()

    def _count(self):
        # One long function: a call a packet would double what it costs.
        ring, at, end, unpack = self._ring, self._at, SLOT * SLOTS, struct.unpack_from
        peers, ports, now = self._peers, self._ports, self._clock()
        bytes_out = bytes_in = packets_out = packets_in = udp_out = udp_in = lookups = 0
        left = SLOTS  # so that a link faster than we are does not keep us here
        while ring[at] & 1 and left:
            left -= 1
            # The kernel wrote the status last; on ARM the interpreter's own
            # hundreds of instructions keep what follows behind reading it.
            (
                status, length, kept, place, kind, first, what, fragment, protocol, host, near, far,
                flags,
            ) = unpack(_SLOT, ring, at)  # fmt: skip
            if (
                what == _PLAIN_IP4
                and place == _PLACE
                and kept >= _HEADERS
                and (fragment == b"\0\0" or fragment == b"\x40\0")
                and (protocol == _TCP or protocol == _UDP)
                and not first & 1
                and not status & _VLAN_VALID
                and _NOBODY < host < _MANY
            ):
                if kind == _OUTGOING:
                    packets_out += 1
                    bytes_out += length
                    peers.add(host)
                    if far == _DNS:
                        lookups += 1
                    if protocol == _UDP:
                        udp_out += 1
                        ports.add(far)
                    elif flags & (_SYN | _RST):
                        if flags & (_SYN | _ACK) == _SYN:
                            ports.add(far)
                        self._tcp(True, flags, host, near, far, now)
                elif kind == 0:
                    packets_in += 1
                    bytes_in += length
                    if protocol == _UDP:
                        udp_in += 1
                    elif flags & (_SYN | _RST):
                        there = bytes(ring[at + 92 : at + 96])
                        self._tcp(False, flags, there, far, near, now)
            else:
                self._slow(ring, at, now)
            ring[at : at + 4] = _FREE
            at += SLOT
            if at == end:
                at = 0
        self._at = at
        totals = self._totals
        totals[_BYTES_OUT] += bytes_out
        totals[_BYTES_IN] += bytes_in
        totals[_PACKETS_OUT] += packets_out
        totals[_PACKETS_IN] += packets_in
        totals[_UDP_OUT] += udp_out
        totals[_UDP_IN] += udp_in
        totals[_LOOKUPS] += lookups
        if len(peers) > _DISTINCT_MAX or len(ports) > _DISTINCT_MAX:
            self._distinct()

    def _slow(self, ring, at, now):
        """A packet of any kind."""
        status, length, kept, place, kind = struct.unpack_from(_HEAD, ring, at)
        f = bytes(ring[at + place : at + place + min(kept, SLOT - place)])
        sent = kind == _OUTGOING
        many = len(f) >= 12 and f[0] & 1
        what, at, tags = f[12:14], 14, 2
        if status & _VLAN_VALID:
            length += 4
            tags = 1
        while tags and (what == _VLAN or what == _QINQ):
            what, at, tags = f[at + 2 : at + 4], at + 4, tags - 1
        protocol, host, there, body = -1, b"", b"", 0
        if what == _IP4 and len(f) >= at + 20:
            protocol, there, host = f[at + 9], f[at + 12 : at + 16], f[at + 16 : at + 20]
            many = many or host[0] >> 4 == 14 or host == _EVERYBODY
            if not number(f, at + 6, 2) & 0x1FFF:
                body = at + (f[at] & 15) * 4
        elif what == _IP6 and len(f) >= at + 40:
            there, host = f[at + 8 : at + 24], f[at + 24 : at + 40]
            many = many or host[0] == 0xFF
            protocol, body = behind_extensions(f, at)
        if not (sent or kind == 0 or many):
            return  # to somebody else
        near = far = b"\0\0"
        flags = 0
        if body and (protocol == _TCP or protocol == _UDP):
            near, far = f[body : body + 2], f[body + 2 : body + 4]
            near, far = near if len(near) == 2 else b"\0\0", far if len(far) == 2 else b"\0\0"
            if protocol == _TCP:
                flags = number(f, body + 13, 1)
        totals = self._totals
        totals[_BYTES_OUT if sent else _BYTES_IN] += length
        totals[_PACKETS_OUT if sent else _PACKETS_IN] += 1
        if what == _ARP:
            totals[_ARPS] += 1
        if protocol == _ICMP or protocol == _ICMP6:
            totals[_ICMPS] += 1
        if many and not sent:
            totals[_BROADCAST] += 1
        if protocol == _UDP:
            totals[_UDP_OUT if sent else _UDP_IN] += 1
        if sent:
            if far == _DNS:
                totals[_LOOKUPS] += 1
            if host.strip(b"\0") and not many:
                self._peers.add(host)
                if far != b"\0\0" and (protocol == _UDP or flags & (_SYN | _ACK) == _SYN):
                    self._ports.add(far)
        if protocol == _TCP and flags & (_SYN | _RST):
            if sent:
                self._tcp(True, flags, host, near, far, now)
            else:
                self._tcp(False, flags, there, far, near, now)

    def _tcp(self, sent, flags, host, local, remote, now):
        """A packet with SYN or RST; host and remote port are the other side's."""
        totals = self._totals
        begins = flags & (_SYN | _ACK) == _SYN
        if begins:
            totals[_SYN_OUT if sent else _SYN_IN] += 1
        if sent and not begins:
            return
        if not sent:
            if flags & (_SYN | _ACK) == _SYN | _ACK:
                totals[_SYNACK_IN] += 1
            if flags & _RST:
                totals[_RST_IN] += 1
        key = mix(host_hash(host) ^ (number(remote, 0, 2) << 16 | number(local, 0, 2)))
        slot = key & WAITING - 1
        held = self._waiting.get(slot)
        if held and (sent or held[0] == key):
            old = ticks_diff(now, held[1]) >= UNANSWERED_MS
            if held[0] == key and sent and not old:
                return
            del self._waiting[slot]
            if old or held[0] == key and not sent and flags & _RST:
                totals[_FAILED] += 1
        if sent:
            self._waiting[slot] = key, now

    def _distinct(self):
        """Hosts and ports into their bitmaps."""
        totals = self._totals
        for address in self._peers:
            host = host_hash(address)
            totals[_PEERS] += set_bit(self._hosts, host & PEERS - 1)
            totals[_PEERS_NEW] += set_bit(self.known, host & KNOWN - 1)
        for port in self._ports:
            port = number(port, 0, 2)
            if port:
                totals[_PORTS] += set_bit(self._remote, (port ^ port >> 12) & PORTS - 1)
        self._peers.clear()
        self._ports.clear()


def set_bit(bits, i):
    """1 where it was clear."""
    mask = 1 << (i & 7)
    if bits[i >> 3] & mask:
        return 0
    bits[i >> 3] |= mask
    return 1


def number(f, at, size):
    """Big-endian; 0 beyond what was kept."""
    return int.from_bytes(f[at : at + size], "big") if at + size <= len(f) else 0


def host_hash(address):
    h = 0
    for i in range(0, len(address), 4):
        h = mix(h ^ number(address, i, 4))
    return h


def behind_extensions(f, at):
    """Protocol and place of what an IPv6 packet carries; the place is 0 in a
    later fragment (RFC 8200, section 4).
    """
    following, at, later = f[at + 6], at + 40, False
    for _ in range(4):
        fragment = following == 44
        # hop-by-hop, routing, destination options
        if not fragment and (later or following not in (0, 43, 60)):
            break
        if fragment and number(f, at + 2, 2) >> 3:
            later = True
        following, at = (
            number(f, at, 1),
            at + (8 if fragment else (number(f, at + 1, 1) + 1) * 8),
        )
    return following, 0 if later else at
