"""Counts a device's packets into windows of the source `packets`, as
inlier/packet_counters.py says.
"""

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from inlier.packet_counters import KNOWN, PEERS, PORTS, UNANSWERED_MS, WAITING
from inlier.packet_counters import Packets as Source
from inlier.sockets import Sockets
from inlier_export.errors import BadInput
from inlier_export.inputs import check_input
from inlier_export.reference import Ints
from inlier_trainer.figures import number_of
from inlier_trainer.progress import Progress, quiet

from .as_sockets import AsSockets
from .packets import (
    ICMP,
    ICMP6,
    LINKS,
    TCP,
    UDP,
    Bools,
    Fields,
    Hashes,
    Packets,
    address_hash,
    decode,
)
from .reader import Broken, Chunk, chunks
from .tally import Tally

TWINS = (Source.name, Sockets.name)  # sources whose counters a capture gives
TELNET = (23, 2323)  # as Mirai scans (Antonakakis et al., "Understanding the Mirai Botnet", 2017)
WINDOWS_MAX = 1 << 22  # more than a year of windows of 10 s: a time stamp far off is damage
_SYN, _RST, _ACK = 2, 4, 16
_AT = {name: i for i, name in enumerate(Source.counters)}
_SEEN = len(_AT)  # the column after the counters
SENDERS_MAX = 1 << 14  # of whom it is counted how busy they are


def device_address(text: str) -> int | Hashes:
    """A MAC address as an int, an IP address as its hash. Raises BadInput."""
    if re.fullmatch(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}", text):
        return int(re.sub("[:-]", "", text), 16)
    try:
        packed = ipaddress.ip_address(text).packed
    except ValueError:
        raise BadInput(
            f"--device {text}: give a MAC address such as 24:6f:28:d9:a7:64, or an IP address"
        ) from None
    return address_hash(np.frombuffer(packed, np.uint8)[None])


def mac_text(mac: int) -> str:
    return mac.to_bytes(6).hex(":")


@dataclass
class Counted:
    """windows: (n, counters) int64 from the first packet of the device on;
    seen: (n,) packets of the device in each. Both take the memory that their
    length needs: parts() does not.

    first_ns: since 1970.
    broken: "", or where the file ends too early.
    packets: of the whole file.
    telnet: connections that the device began to TELNET ports: no counter, since
        a device never sees them, but what a bot looks for first.
    """

    tally: Tally
    first_ns: int
    packets: int
    broken: str
    telnet: int

    def __len__(self) -> int:
        return self.tally.length

    def parts(self) -> Iterator[tuple[Ints, Ints]]:
        """Windows, and the packets seen in them, some thousands at a time."""
        for rows in self.tally.parts():
            yield rows[:, :-1], rows[:, -1]

    @cached_property
    def windows(self) -> Ints:
        return np.concatenate([windows for windows, _ in self.parts()])

    @cached_property
    def seen(self) -> Ints:
        return np.concatenate([seen for _, seen in self.parts()])


@dataclass
class _State:
    """What outlives a chunk, from the one with the device's first packet on."""

    first_ns: int
    latest_ns: int
    tally: Tally
    telnet: int = 0
    known: Bools = field(default_factory=lambda: np.zeros(KNOWN, np.bool_))
    pairs: dict[str, Ints] = field(
        default_factory=dict
    )  # of the newest windows, and what they counted as distinct: window * bits + bit
    waiting: dict[int, tuple[int, int]] = field(
        default_factory=dict
    )  # an unanswered SYN's slot -> key and ms since first_ns


class _Senders:
    """Who sends most, for as long as nothing of the device has been seen."""

    def __init__(self) -> None:
        self._sent: Counter[int] = Counter()
        self._names: dict[int, str] = {}

    def note(self, chunk: Chunk, p: Packets) -> None:
        by_mac, fields = bool((p.mac_from >= 0).any()), Fields(chunk)
        senders, first, counts = np.unique(
            p.mac_from if by_mac else p.host_from, return_index=True, return_counts=True
        )
        for sender, place, n in zip(senders.tolist(), first.tolist(), counts.tolist(), strict=True):
            if sender < 0 or not (by_mac or sender):
                continue
            if sender not in self._sent and len(self._sent) >= SENDERS_MAX:
                continue  # a flood under many names: whoever was there first is named
            self._sent[sender] += n
            self._names[sender] = mac_text(sender) if by_mac else fields.address(p, place, to=False)

    def said(self) -> str:
        busiest = self._sent.most_common(5)
        return ", ".join(f"{self._names[s]} ({number_of(n, 'packet')})" for s, n in busiest)


def count(
    path: Path,
    device: str,
    window_ms: int,
    progress: Progress = quiet,
    source: str = Source.name,
) -> Counted:
    """Windows of `device` in the capture, as a source on it would have counted
    them: packets, or sockets. Raises BadInput where it has no packet there.
    """
    wanted = device_address(device)
    check_input(path, "capture")
    size = path.stat().st_size
    twin = AsSockets(window_ms) if source == Sockets.name else None
    state: _State | None = None
    senders = _Senders()
    packets, broken = 0, ""
    try:
        for chunk in chunks(path):
            packets += len(chunk.at)
            if chunk.link not in LINKS:
                raise BadInput(
                    f"{path}: link type {chunk.link} is not read; capture on Ethernet, or with "
                    f"'tcpdump -i any'"
                )
            p = decode(chunk)
            out, into = _directions(p, wanted)
            if state is None:
                own = out | into
                if own.any():
                    first_ns = int(p.time_ns[own].min())
                    state = _State(first_ns, first_ns, twin.tally if twin else Tally(_SEEN + 1))
                else:
                    senders.note(chunk, p)
            if state is not None:
                state.latest_ns = max(state.latest_ns, int(p.time_ns.max()))
                into |= ~out & p.many & ~p.from_here & (p.time_ns >= state.first_ns)
                found = _of_device(state, p, out | into, window_ms, path)
                if found is not None:
                    mine, window = found
                    p, out, into = p.taken(mine), out[mine], into[mine]
                    if twin:
                        now_ms = (p.time_ns - state.first_ns) // 1_000_000
                        twin.add(Fields(chunk, mine), p, out, window, now_ms)
                    else:
                        _add(state, p, out, into, window, window_ms)
            progress(path.name, chunk.read, size)
    except Broken as problem:
        broken = str(problem)
    if state is None:
        if broken:
            raise BadInput(f"{broken}, but no packet of {device} is in it; capture again")
        if not packets:
            raise BadInput(f"{path}: it holds no packet; capture again")
        raise BadInput(
            f"{path}: no packet of {device} in {packets}; the busiest senders are "
            f"{senders.said() or 'nobody'}"
        )
    latest_ms = (state.latest_ns - state.first_ns) // 1_000_000
    if twin:
        twin.end(latest_ms)
    for _, then_ms in state.waiting.values():
        if then_ms + UNANSWERED_MS <= latest_ms:
            _fail(state, then_ms + UNANSWERED_MS, window_ms)
    return Counted(state.tally, state.first_ns, packets, broken, state.telnet)


def _directions(p: Packets, wanted: int | Hashes) -> tuple[Bools, Bools]:
    """Which packets the device sent, be it to itself, and which went to it
    alone.
    """
    if isinstance(wanted, int):
        out, into = p.mac_from == wanted, p.mac_to == wanted
    else:
        out, into = p.host_from == wanted, p.host_to == wanted
    return out, into & ~out


def _of_device(
    state: _State, p: Packets, own: Bools, window_ms: int, path: Path
) -> tuple[Ints, Ints] | None:
    """Rows of the device's packets, in order of time, and their windows; None:
    there is none.
    """
    mine = np.flatnonzero(own)
    mine = mine[np.argsort(p.time_ns[mine], kind="stable")]  # stamps out of order, within a chunk
    if not len(mine):
        return None
    # An older packet than the first of all belongs to the first window.
    window = np.maximum(0, (p.time_ns[mine] - state.first_ns) // (window_ms * 1_000_000))
    last = int(window[-1])
    if last >= WINDOWS_MAX:
        raise BadInput(
            f"{path}: a time stamp is {last} windows after the first packet; take longer "
            f"windows, or cut the file"
        )
    state.tally.length = max(state.tally.length, last + 1)
    return mine, window


def _add(state: _State, p: Packets, out: Bools, into: Bools, window: Ints, window_ms: int) -> None:
    tcp, udp = p.protocol == TCP, p.protocol == UDP
    icmp = (p.protocol == ICMP) | (p.protocol == ICMP6)
    flags = p.flags & (_SYN | _ACK)
    syn = tcp & (flags == _SYN)
    state.telnet += int((syn & out & np.isin(p.port_to, TELNET)).sum())
    events = np.zeros((_SEEN + 1, len(window)), np.int64)
    events[_SEEN] = 1
    for name, column in (
        ("bytes_out", np.where(out, p.length, 0)), ("bytes_in", np.where(into, p.length, 0)),
        ("packets_out", out),
        ("packets_in", into), ("syn_out", syn & out), ("syn_in", syn & into),
        ("synack_in", tcp & into & (flags == _SYN | _ACK)),
        ("rst_in", tcp & into & (p.flags & _RST != 0)),
        ("udp_out", udp & out), ("udp_in", udp & into), ("icmp", icmp), ("arp", p.arp),
        ("dns", out & (p.port_to == 53)), ("broadcast", into & p.many),
    ):  # fmt: skip
        events[_AT[name]] = column
    windows, begins = np.unique(window, return_index=True)
    state.tally.add(windows, slice(None), np.add.reduceat(events, begins, axis=1).T)

    sent = np.flatnonzero(out & ~p.many & (p.host_to != 0))
    chosen = sent[(syn[sent] | udp[sent]) & (p.port_to[sent] > 0)]
    hosts, ports = p.host_to[sent].astype(np.int64), p.port_to[chosen]
    _distinct(state, "peers", window[sent], hosts & PEERS - 1, PEERS)
    _distinct(state, "ports", window[chosen], (ports ^ ports >> 12) & PORTS - 1, PORTS)
    bits, first = np.unique(hosts & KNOWN - 1, return_index=True)
    fresh = ~state.known[bits]
    state.tally.add(window[sent][first[fresh]], _AT["peers_new"], 1)
    state.known[bits] = True
    _connects(state, p, tcp & (p.flags & (_SYN | _RST) != 0), out, window_ms)


def _distinct(state: _State, name: str, window: Ints, bit: Ints, bits: int) -> None:
    """Count each bit once a window. What the newest windows had is kept: they
    may go on in the next chunk.
    """
    if not len(window):
        return
    before = state.pairs.get(name, window[:0])
    pairs = np.setdiff1d(window * bits + bit, before)
    state.tally.add(pairs // bits, _AT[name], 1)
    pairs = np.concatenate([before, pairs])
    state.pairs[name] = pairs[pairs >= (pairs.max() // bits - 1) * bits]


def _connects(state: _State, p: Packets, marked: Bools, out: Bools, window_ms: int) -> None:
    """Follow each SYN to its answer. Few packets of a device's are SYNs or
    answer one: a loop does.
    """
    chosen, sent = p.taken(marked), out[marked]
    _, _, _, keys = chosen.connections(sent)
    times = (chosen.time_ns - state.first_ns) // 1_000_000
    packets = zip(
        times.tolist(), chosen.flags.tolist(), sent.tolist(), keys.tolist(), strict=True
    )  # fmt: skip
    for now, flag, begun, key in packets:
        if begun and flag & (_SYN | _ACK) != _SYN:
            continue
        slot = key & WAITING - 1
        held, then = state.waiting.get(slot, (None, now))
        if held is not None and (begun or held == key):
            old = now - then >= UNANSWERED_MS
            if held == key and begun and not old:
                continue  # a repeated SYN is the same connection
            del state.waiting[slot]
            if old:
                _fail(state, then + UNANSWERED_MS, window_ms)
            elif held == key and flag & _RST:
                _fail(state, now, window_ms)
        if begun:
            state.waiting[slot] = key, now


def _fail(state: _State, at_ms: int, window_ms: int) -> None:
    """What is after the device's last packet is no window: the tally forgets
    it.
    """
    state.tally.add(np.array([max(0, at_ms // window_ms)]), _AT["connects_failed"], 1)
