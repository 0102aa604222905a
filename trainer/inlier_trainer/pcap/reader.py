"""Streams a capture file: pcap and pcapng, either byte order, micro- and
nanoseconds, gzipped or not.

Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. Only record
headers are walked one by one; what is in the packets is decoded by columns
(packets.py).
"""

import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inlier_export.errors import BadInput
from inlier_export.inputs import MIB, open_input
from inlier_export.os_errors import said
from inlier_export.reference import Ints
from inlier_trainer.figures import number_of

CHUNK_BYTES = 2 * MIB
RECORD_MAX = MIB  # longer than any link's packet: a length beyond it is damage
HEAD_BYTES = 24  # of a pcap; a pcapng's first block is longer
TIME_NS_MAX = (1 << 63) - 1
INTERFACES_MAX = 1 << 12  # of a pcapng's section: more are damage, or made to fill the memory
_MAGICS = {  # of a pcap: byte order, nanoseconds of a fraction's unit
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_SECTION, _INTERFACE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 3, 6
_TSRESOL, _TSOFFSET = 9, 14


@dataclass
class Chunk:
    """Packets of one link type.

    data: uint8 (bytes,).
    at, captured, original: (n,) place in data and lengths in bytes.
    time_ns: (n,) since 1970.
    read: bytes of the file that were read so far.
    """

    link: int
    data: NDArray[np.uint8]
    at: Ints
    captured: Ints
    original: Ints
    time_ns: Ints
    read: int = field(init=False)


class Broken(Exception):
    """The file ends or is damaged here; what came before is good. Its text says
    where.
    """


File = gzip.GzipFile | io.BufferedReader
Table = Ints  # (5, n): link, place, captured and original length, time_ns


def chunks(path: Path) -> Iterator[Chunk]:
    """Raises BadInput where `path` is no capture, Broken after the last good
    packet of a damaged one.
    """
    try:
        with open_input(path, None, "capture") as raw:
            packed = raw.peek()[:2] == b"\x1f\x8b"
            file = gzip.GzipFile(fileobj=raw) if packed else raw
            for chunk in _chunks(path, file):
                chunk.read = raw.tell() if raw.seekable() else 0
                yield chunk
    except OSError as error:
        raise BadInput(said(error, path)) from None


def _chunks(path: Path, file: File) -> Iterator[Chunk]:
    try:
        data = _read(file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"{path}: not a gzip file all through ({error}); copy it again") from None
    if len(data) < HEAD_BYTES:
        raise BadInput(f"{path}: {len(data)} bytes are no capture; name a pcap or pcapng file")
    magic, place = data[:4], 0  # of data's first byte in the file
    if magic == _SECTION.to_bytes(4):
        walk: _Pcap | _Pcapng = _Pcapng()
    elif magic in _MAGICS:
        walk = _Pcap(*_MAGICS[magic], data)
        place, data = HEAD_BYTES, data[HEAD_BYTES:]
    else:
        raise BadInput(f"{path}: neither pcap nor pcapng; name a capture file")
    while True:
        table, used, broken = walk.records(data)
        yield from _by_link(data, table)
        if broken:
            raise Broken(
                f"{path}: broken at {broken}, {number_of(table.shape[1], 'packet')} "
                f"after byte {place}; what came before it is used"
            )
        place += used
        try:
            more = _read(file)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise Broken(
                f"{path}: the compressed file breaks off after {place} bytes of capture; what "
                f"came is used"
            ) from None
        if not more:
            if used < len(data):
                raise Broken(
                    f"{path}: the last packet is cut after {len(data) - used} bytes; what came "
                    f"before is used"
                )
            return
        data = data[used:] + more


def _read(file: File) -> bytes:
    """The next bytes, as many as come before damage; an error only where there
    are none.
    """
    parts: list[bytes] = []
    left = CHUNK_BYTES
    while left:
        try:
            part = file.read1(left)  # read() would drop what came before the damage
        except (EOFError, zlib.error, gzip.BadGzipFile):
            if parts:
                break
            raise
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _by_link(data: bytes, table: Table) -> Iterator[Chunk]:
    whole = np.frombuffer(data, np.uint8)
    for link in np.unique(table[0]):
        at, captured, original, time_ns = table[1:, table[0] == link]
        yield Chunk(int(link), whole, at, captured, original, time_ns)


class _Pcap:
    def __init__(self, order: str, unit_ns: int, head: bytes) -> None:
        (link,) = struct.unpack_from(order + "20xI", head)
        self._link = link & 0xFFFF
        self._order = order
        self._unit_ns = unit_ns

    def records(self, data: bytes) -> tuple[Table, int, str]:
        """The whole packets in data, the bytes used, and what is broken, if
        anything.
        """
        places: list[int] = []
        at, last = 0, len(data) - 16
        length, append = struct.Struct(f"{self._order}8xI").unpack_from, places.append
        while at <= last:  # no bytecode more than it takes; what is damaged leads out of the data
            append(at)
            (captured,) = length(data, at)
            at += 16 + captured
        place = np.array(places, np.int64)
        octets = np.frombuffer(data, np.uint8)[place[:, None] + np.arange(16)]
        seconds, fraction, captured, original = octets.view(f"{self._order}u4").astype(np.int64).T
        good = (captured <= RECORD_MAX) & (place + 16 + captured <= len(data))
        n, broken = len(place), ""
        if not good.all():
            n = int(good.argmin())
            at = places[n]
            if captured[n] > RECORD_MAX:
                broken = f"a packet that says it has {captured[n]} bytes"
        time_ns = seconds * 1_000_000_000 + fraction * self._unit_ns
        link = np.full(len(place), self._link)
        return (
            np.stack([link, place + 16, captured, np.maximum(captured, original), time_ns])[:, :n],
            at,
            broken,
        )


class _Pcapng:
    def __init__(self) -> None:
        self._section("<")
        self._time_ns = 0

    def _section(self, order: str) -> None:
        self._order = order
        self._block = struct.Struct(order + "II").unpack_from
        self._packet = struct.Struct(order + "IIIII").unpack_from
        # link, nanoseconds' numerator and denominator of a tick, and nanoseconds
        # that its first tick has been since 1970
        self._interfaces: list[tuple[int, int, int, int]] = []

    def records(self, data: bytes) -> tuple[Table, int, str]:
        """As of a pcap; its blocks differ, so that each is looked at."""
        out: list[tuple[int, int, int, int, int]] = []
        at, broken = 0, ""
        try:
            while at + 12 <= len(data):
                kind, length = self._block(data, at)
                if kind == _SECTION:  # reads the same in either order
                    self._section("<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">")
                    kind, length = self._block(data, at)
                if length < 12 or length % 4 or length > RECORD_MAX:
                    raise Broken(f"a block that says it has {length} bytes")
                if at + length > len(data):
                    break
                body = data[at + 8 : at + length - 4]
                if kind == _INTERFACE:
                    self._interface(body)
                elif kind == _ENHANCED:
                    i, high, low, captured, original = self._packet(body)
                    link, up, down, since_ns = self._interfaces[i]
                    if captured > len(body) - 20:
                        raise Broken("a packet that does not fit its block")
                    self._time_ns = since_ns + (high << 32 | low) * up // down
                    if not 0 <= self._time_ns <= TIME_NS_MAX:
                        raise Broken("a packet whose time is not between 1970 and 2262")
                    out.append((link, at + 28, captured, max(captured, original), self._time_ns))
                elif kind == _SIMPLE:  # has no time stamp of its own
                    (original,) = struct.unpack_from(self._order + "I", body)
                    link = self._interfaces[0][0]
                    captured = min(original, len(body) - 4)
                    out.append((link, at + 12, captured, original, self._time_ns))
                at += length
        except Broken as problem:
            broken = str(problem)
        except struct.error:
            broken = "a block too short for what it should hold"
        except IndexError:
            broken = "a packet of an interface that no block before it describes"
        return np.array(out, np.int64).reshape(len(out), 5).T, at, broken

    def _interface(self, body: bytes) -> None:
        if len(self._interfaces) == INTERFACES_MAX:
            raise Broken(f"an interface beyond {INTERFACES_MAX}")
        (link,) = struct.unpack_from(self._order + "H6x", body)
        up, down, since_s = 1000, 1, 0  # microseconds since 1970 by default
        at = 8
        while at + 4 < len(body):  # the last word is no option, or one without its value
            code, length = struct.unpack_from(self._order + "HH", body, at)
            if code == _TSRESOL and length:
                value = body[at + 4]
                up, down = 1_000_000_000, (1 << (value & 0x7F)) if value & 0x80 else 10**value
            elif code == _TSOFFSET and length >= 8:
                (since_s,) = struct.unpack_from(self._order + "q", body, at + 4)
            at += 4 + -(-length // 4) * 4
        self._interfaces.append((link, up, down, since_s * 1_000_000_000))
