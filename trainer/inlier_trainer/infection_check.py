"""Looks for an infection inside a recording that is called benign, before it is
learned as normal.

Only counters of what goes out are looked at, over a few windows at a time: what
an infected device adds is contacts. Big transfers, a silence, or a storm of
reconnections to the device's own hosts are no infection. Three looks:

    scan        a known pattern: many hosts never seen before, and at least
                half of the connections fail
    two halves  a counter that in one half of the recording goes far beyond all
                that it ever did in the other
    robust      several counters at once far beyond what they do nine tenths of
                the time, whatever the last tenth holds

What was infected all through without scanning, or is quieter than this, is not
found; thresholds are chosen so that a week of a real device's own traffic is
not accused.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from inlier_export.reference import Counts, Ints

# Counters by what they mean, under the names of all sources.
BEGUN = ("connects", "syn_out", "tcp_active_opens")
FAILED = ("connects_refused", "connects_failed", "tcp_attempt_fails")
FRESH = ("peers_new",)
OUTWARD = (
    *BEGUN,
    *FAILED,
    *FRESH,
    "peers",
    "ports",
    "datagrams_out",
    "udp_out",
    "udp_out_datagrams",
)

SPANS = (8, 64)  # windows: a quick scan stands out in few, a slow one gathers in many
SETTLED = 32  # windows after which a host that a device always talks to is new no more
SCAN_HOSTS = 16  # in one span; a reboot makes new ones of a device's own, and reaches them
FAR = 16  # times the most that is usual
FLOOR = 64  # and so many events more in a span
TOGETHER = 3  # counters at once
USUAL = 0.9  # part of the spans that an infection does not reach


@dataclass(frozen=True)
class Anomaly:
    """first, last: windows, from 0.
    what: the rest of a sentence that begins with them.
    """

    first: int
    last: int
    what: str

    def said(self) -> str:
        return f"windows {self.first + 1} to {self.last + 1} {self.what}"


def anomalies(windows: Counts, counters: tuple[str, ...]) -> list[Anomaly]:
    """What looks like an infection in windows (n, counters), two spans of them
    and more: at most one of each look.
    """
    found = []
    for look in (_scan, _halves, _robust):
        first = next(look(windows, counters), None)
        if first is not None:
            found.append(first)
    return found


def _sums(column: Counts, span: int) -> Ints:
    """Of each run of `span` windows, by its first one."""
    total = np.concatenate([[0], np.cumsum(column)])
    return total[span:] - total[:-span]


def _group(windows: Counts, counters: tuple[str, ...], names: tuple[str, ...]) -> Ints:
    """The sum of the counters of these names, by window."""
    return windows[:, [i for i, name in enumerate(counters) if name in names]].sum(axis=1)


def _outward(windows: Counts, counters: tuple[str, ...]) -> Iterator[tuple[str, Counts]]:
    for i, name in enumerate(counters):
        if name in OUTWARD:
            column = windows[:, i].copy()
            if name in FRESH:
                column[:SETTLED] = 0
            yield name, column


def _scan(windows: Counts, counters: tuple[str, ...]) -> Iterator[Anomaly]:
    for span in SPANS:
        begun, failed, fresh = (
            _sums(_group(windows, counters, names), span) for names in (BEGUN, FAILED, FRESH)
        )
        bad = (fresh >= SCAN_HOSTS) & (failed >= SCAN_HOSTS) & (2 * failed >= begun)
        if bad.any():
            first, last = _extent(bad, span)
            yield Anomaly(
                first,
                last,
                f"look like a scan (within {span} windows up to {int(fresh[bad].max())} hosts "
                f"never seen before, "
                f"and {int(failed[bad].max())} connections that fail)",
            )


def _halves(windows: Counts, counters: tuple[str, ...]) -> Iterator[Anomaly]:
    span = SPANS[0]
    for name, column in _outward(windows, counters):
        sums = _sums(column, span)
        middle = len(sums) // 2
        for mine, other, begin in (
            (sums[middle:], sums[:middle], middle),
            (sums[:middle], sums[middle:], 0),
        ):
            usual = int(other.max())
            bad = mine > FAR * usual + FLOOR
            if bad.any():
                first, last = _extent(bad, span)
                yield Anomaly(
                    begin + first,
                    begin + last,
                    f"are unlike the other half of the recording (up to {int(mine.max())} "
                    f"'{name}' within {span} windows, "
                    f"there at most {usual})",
                )


def _robust(windows: Counts, counters: tuple[str, ...]) -> Iterator[Anomaly]:
    span = SPANS[0]
    over = []
    for _, column in _outward(windows, counters):
        sums = _sums(column, span)
        over.append(sums > FAR * np.quantile(sums, USUAL) + FLOOR)
    together = np.sum(over, axis=0) >= TOGETHER
    if together.any():
        first, last = _extent(together, span)
        names = [
            name
            for (name, _), hit in zip(_outward(windows, counters), over, strict=True)
            if hit[together].any()
        ]
        yield Anomaly(
            first,
            last,
            f"go far beyond what is usual in the recording in several counters at once "
            f"({', '.join(names)})",
        )


def _extent(bad: np.ndarray, span: int) -> tuple[int, int]:
    """First and last window of the first stretch of spans that are bad; a gap
    of a span ends it.
    """
    at = np.flatnonzero(bad)
    gaps = np.flatnonzero(np.diff(at) > span)
    return int(at[0]), int(at[gaps[0]] if len(gaps) else at[-1]) + span - 1
