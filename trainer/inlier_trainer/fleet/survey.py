"""What a fleet holds, from its parts' metadata: that a type has one source and
one window, which days there are, and which of them are held out.
"""

from collections import Counter
from dataclasses import dataclass

from inlier_export.errors import BadInput
from inlier_trainer.figures import number_of
from inlier_trainer.progress import Progress

from . import parts
from .engine import Cluster, Summary, once
from .store import Device, Store

FITTED, CALM = 0.45, 0.28  # of the days: for ranges, and for tails; the rest is held out
DAYS_MIN = 4


@dataclass(frozen=True)
class Days:
    """all: every date, sorted. Models are fitted on the first ones; tails,
    which must not have seen their ranges, on the next; limits are tried on
    those that follow, and the last day is judged.
    """

    all: tuple[str, ...]

    @property
    def _cuts(self) -> tuple[int, int]:
        n = len(self.all)
        fitted = max(1, round(n * FITTED))
        return fitted, max(fitted + 1, round(n * (FITTED + CALM)))

    @property
    def learned(self) -> tuple[str, ...]:
        return self.all[: self._cuts[0]]

    @property
    def weighed(self) -> tuple[str, ...]:
        return self.all[self._cuts[0] : self._cuts[1]]

    @property
    def tried(self) -> tuple[str, ...]:
        return self.all[self._cuts[1] : -1]

    @property
    def last(self) -> str:
        return self.all[-1]


@dataclass
class Surveyed:
    """rejected: devices left out, and why."""

    devices: dict[str, list[Device]]
    kinds: dict[str, parts.Kind]
    days: Days
    rejected: list[str]
    again: int


def survey(store: Store, on: Cluster, progress: Progress, only: str | None = None) -> Surveyed:
    """Raises BadInput for a type of mixed sources, windows or counters."""
    devices = store.devices(only)
    ran = on.run("survey", store, _look, devices, (), progress)
    found: dict[str, list[Device]] = {}
    kinds: dict[Device, parts.Kind] = {}
    dates: set[str] = set()
    for told in ran.told:
        device = Device(told["type"], told["device"])
        found.setdefault(device.type, []).append(device)
        kinds[device] = parts.Kind(told["source"], told["window_ms"], tuple(told["counters"]))
        dates.update(told["dates"])
    if not found:
        raise BadInput(f"{store.address}: no device can be read; the first: {ran.rejected[0]}")
    days = Days(tuple(sorted(dates)))
    of_types = {type_: _one_kind(store, of, kinds) for type_, of in found.items()}
    return Surveyed(found, of_types, days, ran.rejected, ran.again)


def _one_kind(store: Store, devices: list[Device], kinds: dict[Device, parts.Kind]) -> parts.Kind:
    usual = Counter(kinds[d] for d in devices).most_common(1)[0][0]
    odd = next((d for d in devices if kinds[d] != usual), None)
    if odd is not None:
        kind = kinds[odd]
        if kind[:2] == usual[:2]:
            raise BadInput(
                f"{store.address}: device '{odd.name}' of type '{odd.type}' has other counters "
                f"than most of its type: ingest it with the same version, or as another type"
            )
        raise BadInput(
            f"{store.address}: device '{odd.name}' of type '{odd.type}' has windows of "
            f"{kind.window_ms} ms of source '{kind.source}', most of its type "
            f"{usual.window_ms} ms of '{usual.source}': a type has one of both; ingest it as "
            f"another type"
        )
    return usual


def _look(store: Store, device: Device) -> Summary:
    return once(store, "survey", device.place, store.state(device), lambda: _looked(store, device))


def _looked(store: Store, device: Device) -> Summary:
    dates = store.dates(device)
    last = None
    try:
        for date in dates:
            here = parts.kind(store, device, date)
            if last and here != last:
                raise parts.Unreadable(
                    f"{store.part(device, date)}: its source, window or counters are not those of "
                    f"other days"
                )
            last = here
    except parts.Unreadable as problem:
        return {"rejected": str(problem)}
    if last is None:
        return {"rejected": f"windows/{device.place}: it holds no day"}
    return {
        "type": device.type,
        "device": device.name,
        "dates": dates,
        "source": last.source,
        "window_ms": last.window_ms,
        "counters": list(last.counters),
    }


def enough(days: Days, address: str) -> None:
    """Raises BadInput where there is nothing to hold out."""
    if len(days.all) < DAYS_MIN:
        raise BadInput(
            f"{address}: {number_of(len(days.all), 'day')}, at least {DAYS_MIN} are needed: "
            f"to learn ranges, to weigh tails, to try limits on, and to judge"
        )
