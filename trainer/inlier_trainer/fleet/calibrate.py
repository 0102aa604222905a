"""`inlier fleet calibrate`: the fleet's budget, divided over its devices.

A device's limit is a share of its type's thresholds, in 256ths. All limits
together let by as many alarms a day as the budget allows, and are as low as
that: the sum of their logarithms is least where each device's part of the
budget is in proportion to the scale of its tail (Lagrange; a noisy device costs
many alarms for each octave that it is watched closer).
"""

from dataclasses import dataclass

import numpy as np

from inlier_export.calibration import pack
from inlier_export.errors import BadInput
from inlier_export.model_file import ModelFile, parsed
from inlier_export.reference import NEVER, Detector
from inlier_trainer.progress import Progress
from inlier_trainer.threshold import per_week

from . import events, scoring, tails
from .engine import Cluster, Summary
from .parts import date_of, ms_of
from .store import CALIBRATION, Device, Store, model_of
from .survey import Surveyed

MARGIN = 0.7  # of the budget is given out: the rest is for kinds of events never seen
LIMIT_MIN, LIMIT_MAX = tails.NOTHING, 1 << 16  # 256ths of the type's thresholds
DAYS_OWN = 7  # with fewer a device has its type's limit


@dataclass
class Calibrated:
    """limits: 256ths of its type's thresholds, by device.
    tails: by type, in the order of `devices`.
    alarmed: all alarms at these limits.
    told: for people and machines.
    """

    devices: dict[str, list[Device]]
    tails: dict[str, tails.Tail]
    limits: dict[Device, int]
    severities: dict[Device, dict[str, int]]
    changed: dict[str, list[int]]
    alarmed: list[Summary]
    events: list[events.Event]
    told: Summary
    rejected: list[str]
    again: int


def models(store: Store) -> dict[str, ModelFile]:
    """Of each type. Raises BadInput where there is none."""
    types = [n.removesuffix(".inlier") for n in store.names("models") if n.endswith(".inlier")]
    if not types:
        raise BadInput(f"{store.address}: no model of any type: run 'inlier fleet train' first")
    return {type_: parsed(store.read(model_of(type_))) for type_ in types}


def per_day(false_alarms: str) -> float:
    """Raises BadInput."""
    return per_week(false_alarms) / 7


def calibrate(
    store: Store,
    surveyed: Surveyed,
    budget_per_day: float,
    on: Cluster,
    progress: Progress,
) -> Calibrated:
    """Scores what is not scored yet, and divides the budget. Raises BadInput,
    OSError.
    """
    of_types = models(store)
    detectors = {t: m.detector for t, m in of_types.items()}
    without = sorted(set(surveyed.devices) - set(detectors))
    devices = [d for t in surveyed.devices if t in detectors for d in surveyed.devices[t]]
    ran = on.run("scoring", store, scoring.score, devices, (detectors,), progress)
    rejected = [
        *(f"type '{t}': no model: run 'inlier fleet train' again" for t in without),
        *ran.rejected,
    ]
    severities = {
        Device(t["type"], t["device"]): dict(zip(t["dates"], t["severity"], strict=True))
        for t in ran.told
    }
    changed = {t["device"]: t["changed"] for t in ran.told if t["changed"]}
    grouped: dict[str, list[Device]] = {}
    for device in severities:
        grouped.setdefault(device.type, []).append(device)
    weighed = set(surveyed.days.weighed)
    fitted = {
        type_: tails.tail(
            [
                tails.octaves(np.array([s for d, s in severities[m].items() if d in weighed]))
                for m in mine
            ]
        )
        for type_, mine in grouped.items()
    }
    limits = divided(grouped, fitted, severities, weighed, MARGIN * budget_per_day)
    asked = sorted(limits.items())
    windows = {t: d.window_ms for t, d in detectors.items()}
    counters = {t: list(d.counters) for t, d in detectors.items()}
    alarmed = on.run("alarms", store, scoring.alarms, asked, (windows, counters), progress)
    sizes = {t: len(mine) for t, mine in grouped.items()}
    found = events.found(alarmed.told, sizes, max(windows.values()), changed)
    told = reached(surveyed, alarmed.told, found, sizes, budget_per_day)
    told["limits"] = {
        t: _spread([limits[d] / scoring.WHOLE for d in mine]) for t, mine in grouped.items()
    }
    told["shape"] = {t: round(fitted[t].shape, 3) for t in fitted}
    return Calibrated(
        grouped,
        fitted,
        limits,
        severities,
        changed,
        alarmed.told,
        found,
        told,
        rejected,
        ran.again,
    )


def _spread(values: list[float]) -> dict[str, float]:
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    return {
        "least": round(float(low), 2),
        "median": round(float(middle), 2),
        "most": round(float(high), 2),
    }


def divided(
    grouped: dict[str, list[Device]],
    fitted: dict[str, tails.Tail],
    severities: dict[Device, dict[str, int]],
    weighed: set[str],
    budget: float,
) -> dict[Device, int]:
    """budget: alarms a day of all devices."""
    whole = sum(float(t.scale.sum()) for t in fitted.values())
    limits = {}
    for type_, mine in grouped.items():
        tail = fitted[type_]
        levels = tail.level(budget * tail.scale / whole)
        typical = float(np.median(levels))
        for device, level in zip(mine, levels.tolist(), strict=True):
            own = len(weighed & set(severities[device])) >= DAYS_OWN
            severity = tails.severity_of(np.asarray(level if own else max(level, typical)))
            limits[device] = int(np.clip(np.ceil(severity), LIMIT_MIN, LIMIT_MAX))
    return limits


def reached(
    surveyed: Surveyed,
    alarmed: list[Summary],
    found: list[events.Event],
    sizes: dict[str, int],
    budget: float,
) -> Summary:
    """Alarms a day on the days that were held out, an event of many counted
    once; per type and in all.
    """
    tried = surveyed.days.tried
    first, after = ms_of(tried[0]), ms_of(surveyed.days.last)
    inside = [e for e in found if first <= e.begins < after]
    counts = dict.fromkeys(sizes, 0)
    by_day = dict.fromkeys(surveyed.days.all, 0)
    for told in alarmed:
        for begin, *_ in told["alarms"]:
            if any(e.begins <= begin <= e.ends and told["device"] in e.devices for e in found):
                continue
            date = date_of(begin)
            by_day[date] = by_day.get(date, 0) + 1
            if first <= begin < after:
                counts[told["type"]] += 1
    for event in found:
        date = date_of(event.begins)
        by_day[date] = by_day.get(date, 0) + 1
    days = len(tried)
    total = sum(counts.values()) + len(inside)
    return {
        "budget_per_day": round(budget, 4),
        "held_out_days": days,
        "alarms_per_day": round(total / days, 3),
        "budget_kept": total <= budget * days,
        "by_type": {
            t: {"devices": sizes[t], "alarms_per_day": round(n / days, 3)}
            for t, n in counts.items()
        },
        "mass_events": [e.summary() for e in found],
        "by_day": by_day,
    }


def write(store: Store, calibrated: Calibrated, key: bytes | None) -> int:
    """Each device's limits beside its type's model. Returns their bytes each."""
    of_types = models(store)
    size = 0
    for device, limit in calibrated.limits.items():
        model = of_types[device.type]
        blob = pack(model.blob, thresholds(model.detector, limit), key)
        size = len(blob)
        if not store.exists(device.limits) or store.read(device.limits) != blob:
            store.write(device.limits, blob)
    store.write_json(CALIBRATION, calibrated.told)
    return size


def thresholds(d: Detector, limit: int) -> list[int]:
    """Of each horizon, at a limit in 256ths: none above the one before."""
    scaled = [min(NEVER, threshold * limit // scoring.WHOLE) for _, _, threshold in d.horizons]
    return np.minimum.accumulate(scaled).tolist()
