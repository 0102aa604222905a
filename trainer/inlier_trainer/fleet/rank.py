"""`inlier fleet rank`: devices by how unlikely their last day is, each by its
own tail, with what befell many at once taken off.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inlier_export.reference import Ints
from inlier_trainer.progress import Progress

from . import parts, scoring, tails
from .calibrate import Calibrated
from .engine import Cluster, Summary
from .store import Device, Store, digest

FALSE_DISCOVERIES = 0.1  # of those called discovered, at most so many on average
PEERS_MAX = 500  # devices of a type say what an event does to all of it
PEER_SHARE = 0.98  # of them bound it
ABOVE = 2  # times that: then it is not the event alone


@dataclass
class Ranked:
    told: list[Summary]
    date: str


def rank(
    store: Store, calibrated: Calibrated, date: str, on: Cluster, progress: Progress
) -> Ranked:
    """Of the day `date`. Raises OSError."""
    common = _common(store, calibrated, date, on, progress)
    worst = {d: days.get(date) for d, days in calibrated.severities.items()}
    affected = [d for d, s in worst.items() if d.type in common and s]
    ran = on.run("event", store, _beside, affected, (common, date), progress)
    for told in ran.told:
        worst[Device(told["type"], told["device"])] = told["severity"]
    rows = []
    for type_, mine in calibrated.devices.items():
        tail = calibrated.tails[type_]
        known = np.array([worst[d] is not None for d in mine])
        x = tails.octaves(np.array([worst[d] or 0 for d in mine]))
        chance = np.clip(tail.chance(x), 1 / tails.PERIOD_MAX, 1)
        rows += [
            (float(p), device, worst[device])
            for p, device, is_known in zip(chance, mine, known, strict=True)
            if is_known
        ]
    rows.sort(key=lambda row: (row[0], -(row[2] or 0), row[1]))
    discovered = benjamini_hochberg(np.array([row[0] for row in rows]), FALSE_DISCOVERIES)
    leading = _leading(calibrated, date)
    return Ranked(
        [
            {
                "device": device.name,
                "type": device.type,
                "return_period_days": round(1 / p, 3),
                "discovered": bool(is_discovered),
                "severity": round((severity or 0) / scoring.WHOLE, 3),
                "leading": leading.get(device.name, ""),
            }
            for (p, device, severity), is_discovered in zip(rows, discovered, strict=True)
        ],
        date,
    )


def benjamini_hochberg(chances: NDArray[np.float64], rate: float) -> NDArray[np.bool_]:
    """Which of the sorted chances are discoveries, of which `rate` are false at
    most (Benjamini and Hochberg, "Controlling the false discovery rate", 1995).
    """
    n = len(chances)
    passing = np.flatnonzero(chances <= rate * np.arange(1, n + 1) / n)
    return np.arange(n) < (passing[-1] + 1 if len(passing) else 0)


def _common(
    store: Store, calibrated: Calibrated, date: str, on: Cluster, progress: Progress
) -> dict[str, dict[int, int]]:
    """What the day's events did to a type's devices: by type, the severity by
    window that does not stand out among them.
    """
    day = parts.ms_of(date)
    common: dict[str, dict[int, int]] = {}
    for event in calibrated.events:
        if not (event.begins < day + parts.DAY_MS and event.ends > day):
            continue
        for type_ in event.types:
            mine = sorted(calibrated.devices[type_], key=lambda d: digest("peer", d.name))
            ran = on.run("peers", store, _day, mine[:PEERS_MAX], (date,), progress)
            # only who was hit: who was not would draw the bound down
            hit = [t for t in ran.told if t["device"] in event.devices] or ran.told
            times = sorted({t for told in hit for t in told["time"]})
            place = {t: i for i, t in enumerate(times)}
            table = np.zeros((len(hit), len(times)), np.int64)
            for i, told in enumerate(hit):
                table[i, [place[t] for t in told["time"]]] = told["severity"]
            # "lower": in a small type not by the one that stands out itself
            bound = np.quantile(table, PEER_SHARE, axis=0, method="lower") * ABOVE
            # from its beginning on, also in what sums hold of it afterwards
            common[type_] = {
                t: int(b) for t, b in zip(times, bound, strict=True) if t >= event.begins
            }
    return common


def _day(store: Store, device: Device, date: str) -> Summary:
    time, severity, _ = scoring.read(store, device)
    inside = _of_day(time, date)
    return {
        "type": device.type,
        "device": device.name,
        "time": time[inside].tolist(),
        "severity": severity[inside].tolist(),
    }


def _beside(store: Store, device: Device, common: dict[str, dict[int, int]], date: str) -> Summary:
    """The greatest severity of the day that the event does not explain."""
    time, severity, _ = scoring.read(store, device)
    inside = _of_day(time, date)
    bounds = common[device.type]
    bound = np.array([bounds.get(t, 0) for t in time[inside].tolist()], np.int64)
    left = np.where(severity[inside] > bound, severity[inside], 0)
    return {
        "type": device.type,
        "device": device.name,
        "severity": int(left.max(initial=0)),
    }


def _of_day(time: Ints, date: str) -> NDArray[np.bool_]:
    day = parts.ms_of(date)
    inside: NDArray[np.bool_] = (time >= day) & (time < day + parts.DAY_MS)
    return inside


def _leading(calibrated: Calibrated, date: str) -> dict[str, str]:
    """The counter that led each device's worst alarm of the day."""
    day = parts.ms_of(date)
    found: dict[str, tuple[int, str]] = {}
    for told in calibrated.alarmed:
        for begin, end, peak, leading in told["alarms"]:
            if begin < day + parts.DAY_MS and end > day:
                found[told["device"]] = max(found.get(told["device"], (0, "")), (peak, leading))
    return {device: leading for device, (_, leading) in found.items()}
