"""Attack traffic to lay over benign windows: from an infected device's capture,
and synthetic.

An overlay is windows (n, counters) of the source `packets` that are added to
the benign ones. Sums of distinct hosts and ports are exact as long as the
attack's are others than the device's own; where they are not, the attack is
overstated by those.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inlier.packet_counters import UNANSWERED_MS, Packets
from inlier_export.errors import BadInput
from inlier_export.reference import Ints
from inlier_trainer.pcap.count import count

from . import overlays_sockets
from .infection_check import BEGUN, FAILED
from .sources import counters_of

DURATION_S = 1800
# Ethernet frames: a SYN with its options, an acknowledgement, a full segment
SYN_BYTES, ACK_BYTES, DATA_BYTES = (74, 66, 1514)
_AT = {name: i for i, name in enumerate(Packets.counters)}


@dataclass
class Overlay:
    """The attack's first packet falls into the first window, at its start."""

    name: str
    windows: Ints


def _empty(window_ms: int) -> Ints:
    return np.zeros((-(-DURATION_S * 1000 // window_ms), len(Packets.counters)), np.int64)


def _events(rate_per_s: float, windows: int, window_ms: int) -> Ints:
    """How many evenly spaced events fall into each window, the first at its
    very start.
    """
    ends = np.ceil(np.arange(windows + 1) * window_ms / 1000 * rate_per_s - 1e-9).astype(np.int64)
    return np.diff(ends)


def _add(windows: Ints, **columns: Ints | int) -> None:
    for name, values in columns.items():
        windows[:, _AT[name]] += values


def scan(rate_per_s: float, window_ms: int) -> Overlay:
    """SYNs to telnet's two ports, each to another host that does not answer."""
    w = _empty(window_ms)
    n = _events(rate_per_s, len(w), window_ms)
    _add(
        w,
        syn_out=n,
        packets_out=n,
        bytes_out=n * SYN_BYTES,
        peers=n,
        peers_new=n,
        ports=np.minimum(n, 2),
        connects_failed=n,
    )
    return Overlay(f"scan {rate_per_s:g}/s", w)


def beacon(per_minute: float, window_ms: int) -> Overlay:
    """Short TCP connections to one new host: 5 packets out, 4 in, 100 bytes of
    payload each way.
    """
    w = _empty(window_ms)
    n = _events(per_minute / 60, len(w), window_ms)
    size = SYN_BYTES + ACK_BYTES
    _add(
        w,
        syn_out=n,
        synack_in=n,
        packets_out=5 * n,
        packets_in=4 * n,
        peers=np.minimum(n, 1),
        ports=np.minimum(n, 1),
    )
    _add(w, bytes_out=n * (size + 3 * ACK_BYTES + 100), bytes_in=n * (size + 2 * ACK_BYTES + 100))
    w[0, _AT["peers_new"]] = 1
    return Overlay(f"beacon {per_minute:g}/min", w)


def flood(rate_per_s: float, window_ms: int) -> Overlay:
    """Datagrams of 100 bytes to one victim."""
    w = _empty(window_ms)
    n = _events(rate_per_s, len(w), window_ms)
    _add(w, udp_out=n, packets_out=n, bytes_out=n * 142, peers=1, ports=1)
    w[0, _AT["peers_new"]] = 1
    return Overlay(f"UDP flood {rate_per_s:g}/s", w)


def theft(kilobytes_per_s: float, window_ms: int) -> Overlay:
    """One upload to a new host over one connection, every second segment
    acknowledged.
    """
    w = _empty(window_ms)
    n = _events(kilobytes_per_s * 1000 / (DATA_BYTES - ACK_BYTES), len(w), window_ms)
    _add(
        w,
        packets_out=n,
        bytes_out=n * DATA_BYTES,
        packets_in=n // 2,
        bytes_in=n // 2 * ACK_BYTES,
        peers=np.minimum(n, 1),
    )
    w[0, [_AT[name] for name in ("peers_new", "syn_out", "synack_in", "ports")]] += 1
    return Overlay(f"theft {kilobytes_per_s:g} KB/s", w)


def retries(per_minute: float, window_ms: int) -> Overlay:
    """A bot whose server is dead: three SYNs each time, to one new host that
    does not answer.
    """
    w = _empty(window_ms)
    n = _events(per_minute / 60, len(w), window_ms)
    _add(w, syn_out=3 * n, packets_out=3 * n, bytes_out=3 * n * SYN_BYTES, connects_failed=n)
    _add(w, peers=np.minimum(n, 1), ports=np.minimum(n, 1))
    w[0, _AT["peers_new"]] = 1
    return Overlay(f"retries {per_minute:g}/min", w)


# a second, a minute, a minute, a second, kilobytes a second
SCANS, BEACONS, RETRIES, FLOODS, THEFTS = (0.1, 1, 5), (9, 1), (2,), (1000,), (1, 10, 100)


def synthetic(window_ms: int, source: str = Packets.name) -> list[Overlay]:
    """What a source counts of the made-up attacks."""
    made = [
        *(scan(rate, window_ms) for rate in SCANS),
        *(beacon(rate, window_ms) for rate in BEACONS),
        *(retries(rate, window_ms) for rate in RETRIES),
        *(flood(rate, window_ms) for rate in FLOODS),
        *(theft(rate, window_ms) for rate in THEFTS),
    ]
    if source == Packets.name:
        return made

    def events(per_s: float) -> Ints:
        return _events(per_s, len(_empty(window_ms)), window_ms)

    by_calls = overlays_sockets
    counted = [
        *(by_calls.scan(events(rate)) for rate in SCANS),
        *(by_calls.beacon(events(rate / 60)) for rate in BEACONS),
        *(by_calls.retries(events(rate / 60)) for rate in RETRIES),
        *(by_calls.flood(events(rate)) for rate in FLOODS),
        *(by_calls.theft(events(rate * 1000 / by_calls.DATA_BYTES)) for rate in THEFTS),
    ]
    return [
        Overlay(as_packets.name, windows) for as_packets, windows in zip(made, counted, strict=True)
    ]


BOT_WINDOWS_MIN = 3  # with a failed connection, before a scan, make a bot that retries


def infected(path: Path, device: str, window_ms: int, source: str = Packets.name) -> list[Overlay]:
    """What the infected device of a capture does: its scan, from the first
    window on in which it begins more than twice as many connections as in any
    before, five at least, of which some fail; and before that, or without, a
    bot that tries a server in vain, from its first failed connection on. Raises
    BadInput where there is neither.
    """
    w = count(path, device, window_ms, source=source).windows
    syn, failed = (
        w[:, [i for i, name in enumerate(counters_of(source)) if name in names]].sum(axis=1)
        for names in (BEGUN, FAILED)
    )
    failed = failed > 0
    for _ in range(-(-UNANSWERED_MS // window_ms)):  # so long after its SYN it is known
        failed[:-1] |= failed[1:]
    most_before = np.maximum.accumulate(np.concatenate([[0], syn[:-1]]))
    begun = np.flatnonzero((syn > 2 * most_before) & (syn >= 5) & failed)
    scan_at = int(begun[0]) if len(begun) else len(w)
    tried = np.flatnonzero((syn[:scan_at] > 0) & failed[:scan_at])
    found = []
    if len(begun):
        found.append(Overlay(f"real scan, {path.name}", w[scan_at:]))
    if len(tried) >= BOT_WINDOWS_MIN:
        found.append(Overlay(f"real bot, {path.name}", w[tried[0] : scan_at]))
    if not found:
        raise BadInput(
            f"{path}: {device} never begins to scan there, nor tries a server in vain; give a "
            "capture of an infected device"
        )
    return found
