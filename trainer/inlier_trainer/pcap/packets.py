"""Decodes packets by columns: link, VLAN tags, IPv4 and IPv6 with extensions
and fragments, TCP, UDP, ICMP, ARP.

Layouts: RFC 791, 8200, 9293, 768, 826; link types as at
www.tcpdump.org/linktypes.html.
"""

import ipaddress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inlier.packet_counters import mix
from inlier_export.reference import Bytes, Ints

from .reader import Chunk

ETHERNET, RAW, RAW_OTHER, COOKED, RADIOTAP, IPV4, IPV6, COOKED2 = (
    1,
    101,
    12,
    113,
    127,
    228,
    229,
    276,
)
LINKS = (ETHERNET, RAW, RAW_OTHER, COOKED, RADIOTAP, IPV4, IPV6, COOKED2)
_IP4, _IP6, _ARP, _VLAN, _QINQ = 0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8
_FRAGMENT = 44
_EXTENSIONS = (0, 43, _FRAGMENT, 60)  # hop-by-hop, routing, destination options
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
Bools = NDArray[np.bool_]
Hashes = NDArray[np.uint64]


@dataclass
class Packets:
    """Columns (n,) of packets. mac_*: -1 where there is none; host_*: hash of
    an IP address, 0 where there is none.

    protocol: of IP, -1 if none.
    flags: of TCP.
    ports: 0 where unknown.
    from_here: the capturing machine sent it.
    """

    time_ns: Ints
    length: Ints
    mac_from: Ints
    mac_to: Ints
    from_here: Bools
    arp: Bools
    host_from: Hashes
    host_to: Hashes
    many: Bools  # to a broadcast or multicast address
    protocol: Ints
    port_from: Ints
    port_to: Ints
    flags: Ints
    network: Ints  # places in the chunk of IP's header and of what it carries, -1: none
    transport: Ints
    end: Ints  # behind the packet, as its IP header has it

    def taken(self, rows: Ints | Bools) -> "Packets":
        return Packets(*(column[rows] for column in vars(self).values()))

    def connections(self, out: Bools) -> tuple[Hashes, Ints, Ints, Hashes]:
        """The peer's host and port, this end's port, and the key that
        inlier/packet_counters.py makes of them.

        out: which the device sent.
        """
        host = np.where(out, self.host_to, self.host_from)
        remote = np.where(out, self.port_to, self.port_from)
        local = np.where(out, self.port_from, self.port_to)
        return host, remote, local, mix(host ^ (remote << 16 | local).astype(np.uint64))


def address_hash(octets: Bytes) -> Hashes:
    """`host` of inlier/packet_counters.py, of addresses (n, 4 or 16) uint8."""
    h = np.zeros(len(octets), np.uint64)
    for at in range(0, octets.shape[1], 4):
        word = np.zeros_like(h)
        for i in range(at, at + 4):
            word = word << np.uint64(8) | octets[:, i].astype(np.uint64)
        h = mix(h ^ word)
    return h


class Fields:
    """Big-endian numbers at places of the data; 0 beyond what was captured.

    What is beyond the data is read at its end instead: the file's own words
    about a packet alone are 16 bytes, and nothing that is asked for is longer.
    """

    def __init__(self, chunk: Chunk, rows: Ints | slice = slice(None)) -> None:
        self._data = chunk.data
        self._end = (chunk.at + chunk.captured)[rows]

    def number(self, at: Ints, size: int, which: Ints | slice = slice(None)) -> Ints:
        value = np.zeros(len(at), np.int64)
        inside = at + size <= self._end[which]
        place = np.minimum(at, len(self._data) - size)
        for i in range(size):
            value = value << 8 | self._data[place + i]
        return np.where(inside, value, 0)

    def octets(self, at: Ints, size: int, which: Ints) -> Bytes:
        inside = at + size <= self._end[which]
        place = np.minimum(at, len(self._data) - size)
        got: Bytes = self._data[place[:, None] + np.arange(size)]
        got[~inside] = 0
        return got

    def address(self, p: "Packets", row: int, to: bool) -> str:
        """Of the host that packet `row` of p is to, or from."""
        at = int(p.network[row])
        if self._data[at] >> 4 == 4:
            at, size = at + 12 + 4 * to, 4
        else:
            at, size = at + 8 + 16 * to, 16
        return str(ipaddress.ip_address(self._data[at : at + size].tobytes()))

    def question(self, at: int, row: int) -> int:
        """The type that the DNS message at a place asks for, 0 if unknown."""
        place, end = at + 12, int(self._end[row])
        while place < end and self._data[place]:
            place += 1 + int(self._data[place])
        if place + 5 > end:
            return 0
        return int(self._data[place + 1]) << 8 | int(self._data[place + 2])

    def holds(self, at: Ints, size: int, which: Ints | slice = slice(None)) -> Bools:
        held: Bools = at + size <= self._end[which]
        return held


def decode(chunk: Chunk) -> Packets:
    """A link type that is none of LINKS gives packets with nothing but a time
    and a length.
    """
    n = len(chunk.at)
    fields = Fields(chunk)
    p = Packets(
        chunk.time_ns, chunk.original, np.full(n, -1, np.int64), np.full(n, -1, np.int64),
        np.zeros(n, bool),
        np.zeros(n, bool), np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.zeros(n, bool),
        np.full(n, -1, np.int64),
        np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64),
        np.full(n, -1, np.int64), np.full(n, -1, np.int64), np.full(n, -1, np.int64),
    )  # fmt: skip
    kind, at = _link(chunk, fields, p)
    for _ in range(2):
        tagged = np.flatnonzero((kind == _VLAN) | (kind == _QINQ))
        kind[tagged] = fields.number(at[tagged] + 2, 2, tagged)
        at[tagged] += 4
    p.arp = kind == _ARP
    _ip4(fields, p, np.flatnonzero(kind == _IP4), at)
    _ip6(fields, p, np.flatnonzero(kind == _IP6), at)
    return p


def _link(chunk: Chunk, fields: Fields, p: Packets) -> tuple[Ints, Ints]:
    """Ethertype and place of what the link carries; fills in what the link says
    of addresses.
    """
    at, link = chunk.at, chunk.link
    if link == ETHERNET:
        held = fields.holds(at, 12)
        p.mac_to = np.where(held, fields.number(at, 6), -1)
        p.mac_from = np.where(held, fields.number(at + 6, 6), -1)
        p.many = held & (fields.number(at, 1) & 1 == 1)
        return fields.number(at + 12, 2), at + 14
    if link in (COOKED, COOKED2):
        kind, mac, protocol, size = (0, 6, 14, 16) if link == COOKED else (10, 12, 0, 20)
        how = fields.number(at + kind, 2 if link == COOKED else 1)
        sender = np.where(fields.holds(at + mac, 6), fields.number(at + mac, 6), -1)
        p.mac_from = sender
        p.from_here = how == 4
        p.many = (how == 1) | (how == 2)
        return fields.number(at + protocol, 2), at + size
    if link == RADIOTAP:
        return _radio(fields, p, at)
    if link not in LINKS:
        return np.zeros_like(at), at
    version = fields.number(at, 1) >> 4
    return np.select([version == 4, version == 6], [_IP4, _IP6]), at


def _radio(fields: Fields, p: Packets, at: Ints) -> tuple[Ints, Ints]:
    """Unencrypted 802.11 data frames with an LLC/SNAP header; encrypted ones
    give their addresses alone.
    """
    at = at + (
        fields.number(at + 2, 1) | fields.number(at + 3, 1) << 8
    )  # radiotap's length is little-endian
    control, flags = fields.number(at, 1), fields.number(at + 1, 1)
    data = control & 0x0F == 0x08  # of the one version there is
    first, second, third, fourth = (fields.number(at + place, 6) for place in (4, 10, 16, 24))
    to_ds, from_ds = flags & 1 == 1, flags & 2 == 2
    source = np.where(to_ds, fourth, third)  # of what comes from the distribution system
    p.mac_to = np.where(data, np.where(to_ds, third, first), -1)
    p.mac_from = np.where(data, np.where(from_ds, source, second), -1)
    p.many = data & (p.mac_to >> 40 & 1 == 1)
    body = at + 24 + (control >> 7) * 2 + np.where(to_ds & from_ds, 6, 0)
    clear = data & (flags & 0x40 == 0) & (fields.number(body, 3) == 0xAAAA03)
    return np.select([clear], [fields.number(body + 6, 2)]), body + 8


def _ip4(fields: Fields, p: Packets, rows: Ints, places: Ints) -> None:
    at = places[rows]
    whole = fields.holds(at, 20, rows)
    rows, at = rows[whole], at[whole]
    p.host_from[rows] = address_hash(fields.octets(at + 12, 4, rows))
    p.host_to[rows] = address_hash(fields.octets(at + 16, 4, rows))
    top = fields.number(at + 16, 1, rows)
    p.many[rows] |= (top >> 4 == 14) | (fields.number(at + 16, 4, rows) == 0xFFFFFFFF)
    protocol = fields.number(at + 9, 1, rows)
    p.protocol[rows] = protocol
    p.network[rows], p.end[rows] = at, at + fields.number(at + 2, 2, rows)
    later = fields.number(at + 6, 2, rows) & 0x1FFF > 0
    _transport(fields, p, rows[~later], (at + (fields.number(at, 1, rows) & 15) * 4)[~later])


def _ip6(fields: Fields, p: Packets, rows: Ints, places: Ints) -> None:
    at = places[rows]
    whole = fields.holds(at, 40, rows)
    rows, at = rows[whole], at[whole]
    p.host_from[rows] = address_hash(fields.octets(at + 8, 16, rows))
    p.host_to[rows] = address_hash(fields.octets(at + 24, 16, rows))
    p.many[rows] |= fields.number(at + 24, 1, rows) == 0xFF
    p.network[rows], p.end[rows] = at, at + 40 + fields.number(at + 4, 2, rows)
    following, at = fields.number(at + 6, 1, rows), at + 40
    later = np.zeros(len(rows), bool)
    for _ in range(4):
        more = np.flatnonzero(np.isin(following, _EXTENSIONS) & ~later)
        here, which = at[more], rows[more]
        fragment = following[more] == _FRAGMENT
        later[more] = fragment & (fields.number(here + 2, 2, which) >> 3 > 0)
        following[more] = fields.number(here, 1, which)
        at[more] += np.where(fragment, 8, (fields.number(here + 1, 1, which) + 1) * 8)
    p.protocol[rows] = following
    _transport(fields, p, rows[~later], at[~later])


def _transport(fields: Fields, p: Packets, rows: Ints, at: Ints) -> None:
    protocol = p.protocol[rows]
    ported = (protocol == TCP) | (protocol == UDP)
    rows, at = rows[ported], at[ported]
    p.transport[rows] = at
    p.port_from[rows] = fields.number(at, 2, rows)
    p.port_to[rows] = fields.number(at + 2, 2, rows)
    p.flags[rows] = np.where(p.protocol[rows] == TCP, fields.number(at + 13, 1, rows), 0)
