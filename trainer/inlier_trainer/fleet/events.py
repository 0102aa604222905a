"""What befalls many devices at one time is one event: a firmware update, a
provider's outage. It counts once against the budget, and is told as such.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inlier_export.reference import Ints

from .engine import Summary
from .parts import date_of

SLOT_WINDOWS = 4
DEVICES_MIN = 5
SHARE = 0.03  # of the fleet, or of a type
CHANCE = 1e-6  # that so many devices alarm in one slot by themselves
CHANGED_SHARE = 0.5  # of its devices changed firmware: then it is that


@dataclass(frozen=True)
class Event:
    """begins, ends: ms, of the first alarm and of the last that it caused.
    devices: names.
    leading: counters that led most alarms.
    """

    begins: int
    ends: int
    types: tuple[str, ...]
    devices: frozenset[str]
    leading: tuple[str, ...]
    cause: str

    def summary(self) -> Summary:
        def when(ms: int) -> str:
            return str(np.datetime64(ms, "ms")) + "Z"

        return {
            "begins": when(self.begins),
            "ends": when(self.ends),
            "date": date_of(self.begins),
            "types": list(self.types),
            "devices": len(self.devices),
            "leading": list(self.leading),
            "cause": self.cause,
        }


def found(
    alarmed: Sequence[Summary],
    sizes: dict[str, int],
    window_ms: int,
    changed: dict[str, list[int]] | None = None,
) -> list[Event]:
    """Events among all devices' alarms (scoring.alarms), in order of time.

    sizes: devices of each type.
    changed: when firmware changed, by device.
    """
    rows = [
        (begin, end, told["device"], told["type"], leading)
        for told in alarmed
        for begin, end, _, leading in told["alarms"]
    ]
    if not rows:
        return []
    rows.sort()
    slot_ms = SLOT_WINDOWS * window_ms
    begins = np.array([row[0] for row in rows])
    slots = (begins - begins[0]) // slot_ms
    total = sum(sizes.values())
    counts = np.bincount(slots)
    least = _least(counts, DEVICES_MIN)
    high = set(np.flatnonzero(counts >= max(least, SHARE * total)).tolist())
    of_type: dict[str, Ints] = {}
    for type_, size in sizes.items():
        mine = np.array([row[3] == type_ for row in rows])
        of_type[type_] = np.bincount(slots[mine], minlength=len(counts))
        enough = max(_least(of_type[type_], DEVICES_MIN), SHARE * size)
        high |= set(np.flatnonzero(of_type[type_] >= enough).tolist())
    events = []
    for run in _runs(sorted(high)):
        inside = [
            row
            for row, slot in zip(rows, slots.tolist(), strict=True)
            if run[0] - 1 <= slot <= run[-1] + 1
        ]
        events.append(_event(inside, sizes, changed or {}, slot_ms))
    return events


def _least(counts: Ints, floor: int) -> int:
    """The least count that CHANCE does not explain, were alarms independent:
    of a Poisson law with the slots' usual mean.
    """
    from scipy.stats import poisson

    usual = float(np.minimum(counts, floor).mean())
    return max(floor, int(poisson.isf(CHANCE, max(usual, 1e-9))) + 1)


def _runs(slots: list[int]) -> list[list[int]]:
    """Slots less than three apart are one event's."""
    runs: list[list[int]] = []
    for slot in slots:
        if runs and slot - runs[-1][-1] <= 3:
            runs[-1].append(slot)
        else:
            runs.append([slot])
    return runs


def _event(
    rows: list[tuple[int, int, str, str, str]],
    sizes: dict[str, int],
    changed: dict[str, list[int]],
    near_ms: int,
) -> Event:
    devices = frozenset(row[2] for row in rows)
    by_type = Counter(row[3] for row in rows)
    types = tuple(sorted(t for t, n in by_type.items() if n >= max(2, SHARE * sizes[t] / 2)))
    leading = tuple(name for name, _ in Counter(row[4] for row in rows).most_common(2) if name)
    begins = min(row[0] for row in rows)
    updated = sum(
        any(abs(at - begins) <= 2 * near_ms for at in changed.get(name, ())) for name in devices
    )
    if updated >= CHANGED_SHARE * len(devices):
        cause = "their firmware changed then"
    else:
        cause = "no firmware changed: a provider's or a network's"
    # The longest alarms are of devices that have another reason beside.
    ends = int(np.quantile([row[1] for row in rows], 0.9, method="lower"))
    return Event(begins, ends, types, devices, leading, cause)
