"""`inlier fleet simulate`: a fleet whose truth is known, as any other lies on
disk. truth.json beside it says who is infected from when on, and what befell
many at once.
"""

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from inlier.counters import DELTA_MAX
from inlier.packet_counters import Packets
from inlier.sockets import Sockets
from inlier_export.errors import BadInput
from inlier_export.reference import Ints
from inlier_trainer.progress import Progress

from . import captured, made_up, parts
from .engine import Cluster, Ran, Summary, once
from .store import TRUTH, Device, Store, digest

BEGAN = "2026-01-01"
VERSIONS = ("1.0", "1.1")
VERSION_GROWTH = 1.25  # what the second tells more in its telemetry
OUTAGE_MS = 40 * 60_000
OUTAGE_HIT = 0.95  # of the devices of its types
_INFECT = 1 << 20  # streams of chance apart from the devices'


@dataclass(frozen=True)
class Plan:
    """What is made: all of it follows from these."""

    devices: int
    types: int
    days: int
    infected: int
    seed: int
    window_ms: int
    captures: tuple[tuple[str, str], ...] = ()  # name, digest: a type each, the first ones

    @property
    def windows(self) -> int:
        return self.days * parts.DAY_MS // self.window_ms

    @property
    def day(self) -> int:
        """Windows of a day."""
        return parts.DAY_MS // self.window_ms

    def device(self, i: int) -> Device:
        return Device(f"type{i % self.types + 1}", f"d{i:06d}")

    @property
    def outage(self) -> tuple[int, int, tuple[str, ...]]:
        """The last day's: window, windows, types: every second one."""
        begins = self.windows - self.day + self.day * 13 // 24
        types = tuple(f"type{t + 1}" for t in range(0, self.types, 2))
        return begins, max(1, OUTAGE_MS // self.window_ms), types

    def infections(self) -> dict[int, tuple[str, int]]:
        """By device: kind, and the window of the last day in which it begins."""
        rng = np.random.default_rng([self.seed, _INFECT])
        chosen = rng.permutation(self.devices)[: self.infected]
        first = self.windows - self.day
        return {
            int(i): (
                made_up.INFECTIONS[n % len(made_up.INFECTIONS)],
                first + int(rng.integers(self.day // 24, self.day * 18 // 24)),
            )
            for n, i in enumerate(chosen)
        }


def simulate(store: Store, plan: Plan, on: Cluster, progress: Progress) -> Ran:
    """Raises BadInput where another fleet is there, OSError."""
    told = json.loads(json.dumps(truth(plan)))
    if store.names("windows") and store.read_json(TRUTH) != told:
        raise BadInput(
            f"{store.address}: another fleet is there, real or made up: name another folder"
        )
    store.write_json(TRUTH, told)
    infections = plan.infections()
    items = [(i, infections.get(i)) for i in range(plan.devices)]
    return on.run("devices", store, _device, items, (plan,), progress)


def truth(plan: Plan) -> dict[str, object]:
    zero = parts.ms_of(BEGAN)

    def when(window: int) -> str:
        return str(np.datetime64(zero + window * plan.window_ms, "ms")) + "Z"

    begins, lasts, types = plan.outage
    return {
        "plan": asdict(plan),
        "infected": [
            {
                "device": plan.device(i).name,
                "type": plan.device(i).type,
                "kind": kind,
                "begins": when(window),
                "ends": when(plan.windows),
            }
            for i, (kind, window) in sorted(plan.infections().items())
        ],
        "mass_events": [
            {
                "what": "provider refuses",
                "types": list(types),
                "begins": when(begins),
                "ends": when(begins + lasts),
            }
        ],
        "versions": list(VERSIONS),
    }


def _device(store: Store, item: tuple[int, tuple[str, int] | None], plan: Plan) -> Summary:
    i, infection = item
    device = plan.device(i)
    return once(
        store,
        "simulate",
        device.place,
        digest(plan, item),
        lambda: _write(store, device, plan, i, infection),
    )


def _write(
    store: Store, device: Device, plan: Plan, i: int, infection: tuple[str, int] | None
) -> Summary:
    span = made(store, plan, device, i, infection)
    size = 0
    for day in range(plan.days):
        rows = slice(day * plan.day, (day + 1) * plan.day)
        size += parts.write_part(
            store, device, parts.date_of(int(span.time[rows.start])), span.at(rows), settled=False
        )
    return {"rows": len(span), "bytes": size}


def made(
    store: Store, plan: Plan, device: Device, i: int, infection: tuple[str, int] | None
) -> parts.Span:
    rng = np.random.default_rng([plan.seed, i])
    time = parts.ms_of(BEGAN) + np.arange(plan.windows, dtype=np.int64) * plan.window_ms
    if i % plan.types < len(plan.captures):
        windows = _captured(store, plan, device, i, infection, rng)
        firmware = np.full(plan.windows, VERSIONS[0], object)
        source, counters = Packets.name, captured.COUNTERS
    else:
        windows, newer = _doorbell(plan, device, i, infection, rng)
        firmware = np.where(newer, VERSIONS[1], VERSIONS[0]).astype(object)
        source, counters = Sockets.name, made_up.COUNTERS
    return parts.Span(source, plan.window_ms, counters, time, firmware, windows)


def _captured(
    store: Store,
    plan: Plan,
    device: Device,
    i: int,
    infection: tuple[str, int] | None,
    rng: np.random.Generator,
) -> Ints:
    name = plan.captures[i % plan.types][0]
    windows = captured.lived(store, name, plan.days, plan.day, rng)
    begins, lasts, types = plan.outage
    if device.type in types and rng.random() < OUTAGE_HIT:
        captured.cloud_refuses(windows, slice(begins, begins + lasts), plan.window_ms)
    if infection:
        captured.infect(windows, *infection, plan.window_ms, rng)
    return np.minimum(windows, DELTA_MAX)


def _doorbell(
    plan: Plan,
    device: Device,
    i: int,
    infection: tuple[str, int] | None,
    rng: np.random.Generator,
) -> tuple[Ints, NDArray[np.bool_]]:
    habits = made_up.of_device(made_up.of_type(i % plan.types), rng)
    columns = made_up.calm(habits, plan.window_ms, plan.windows, rng)
    newer = _update(columns, plan, rng)
    made_up.trouble(columns, habits, plan.window_ms, rng)
    begins, lasts, types = plan.outage
    if device.type in types and rng.random() < OUTAGE_HIT:
        made_up.cloud_refuses(columns, slice(begins, begins + lasts), plan.window_ms)
    if infection:
        made_up.infect(columns, *infection, plan.window_ms, rng)
    return made_up.together(columns), newer


def _update(columns: made_up.Columns, plan: Plan, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Half of the devices get the second version, each at its own time in the
    second quarter of the days; (windows,) bool: of which it is.
    """
    newer = np.zeros(plan.windows, bool)
    if rng.random() < 0.5:
        at = int(rng.integers(plan.windows // 5, plan.windows // 3 + 1))
        newer[at:] = True
        made_up.rebooted(columns, slice(at, at + 1), rng)
        grown = columns["bytes_out"][at:]
        columns["bytes_out"][at:] = (grown * VERSION_GROWTH).astype(np.int64)
    return newer
