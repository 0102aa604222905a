"""`inlier fleet train`: a model a type.

Autoencoder, weights and horizons come from a bounded sample of its devices and
days, each a unit of its own; ranges from all of its devices, but for the few
that reach furthest, which may be infected, or none of this type.
"""

from dataclasses import dataclass, replace

import numpy as np

from inlier.benign import PAD
from inlier_export.model_file import pack, unpack
from inlier_export.reference import Detector, Ints
from inlier_trainer import infection_check
from inlier_trainer.progress import Progress
from inlier_trainer.train import WINDOWS_MIN, train
from inlier_trainer.trainer import DISTANCE_PAD, Settings

from . import parts
from .engine import Cluster, Summary, once
from .profile import profile
from .store import Device, Store, digest, known_of, model_of
from .survey import Surveyed

UNITS = 4  # devices of a sample
UNIT_WINDOWS = 6000  # of each
REACH = 0.98  # of a type's devices lie within its ranges
ODD_OCTAVES, ODD_SPREADS = 1.0, 6.0  # a typical window so far from the type's
ODD_TOLD = 3  # counters that say what differs


@dataclass(frozen=True)
class Fitting:
    """What a type's sample is fitted by: the days that are learned from, and
    what the user chose.
    """

    learned: tuple[str, ...]
    seed: int
    detectors: str


@dataclass
class Sample:
    """What a type's model is fitted on.

    unit: of each run, which of the devices used counted it.
    suspect: devices that look infected, and why.
    """

    runs: list[Ints]
    unit: list[int]
    used: list[str]
    suspect: list[str]


@dataclass
class Fleet:
    """models: by type.
    odd: devices that fit theirs badly, and why, worst first.
    rejected: types and devices without.
    """

    models: dict[str, Detector]
    told: dict[str, Summary]
    odd: list[Summary]
    rejected: list[str]
    again: int


def fit(
    store: Store,
    surveyed: Surveyed,
    on: Cluster,
    progress: Progress,
    seed: int = 1,
    key: bytes | None = None,
    number: int = 0,
    detectors: str = "both",
) -> Fleet:
    """Raises BadInput, OSError."""
    days = surveyed.days
    items = [
        (type_, surveyed.kinds[type_], _sampled(devices, seed))
        for type_, devices in sorted(surveyed.devices.items())
    ]
    fitting = Fitting(days.learned, seed, detectors)
    fitted = on.run("fitting", store, _fit, items, (fitting,), progress)
    samples = {told["type"]: sample(store, told["type"]) for told in fitted.told}
    devices = [d for type_ in samples for d in surveyed.devices[type_]]
    until = days.weighed[0]
    profiled = on.run("profiles", store, profile, devices, (samples, until), progress)
    fleet = Fleet({}, {}, [], [*fitted.rejected, *profiled.rejected], fitted.again + profiled.again)
    for told in fitted.told:
        type_ = told["type"]
        mine = [p for p in profiled.told if p["type"] == type_ and "high" in p]
        detector = widened(samples[type_], mine)
        detector = replace(detector, number=number)
        blob = pack(detector, key)
        odd = misfits(mine, detector.counters)
        fleet.models[type_] = detector
        fleet.odd += odd
        fleet.told[type_] = {
            **{k: v for k, v in told.items() if k != "type"},
            "devices": len(mine),
            "windows": sum(p["rows"] for p in mine),
            "model_bytes": len(blob),
            "odd": odd,
            "learned": [days.learned[0], days.learned[-1]],
            "until": until,
        }
        store.write(model_of(type_), blob)
        store.write_json(known_of(type_), fleet.told[type_])
    fleet.odd.sort(key=lambda o: -o["octaves"])
    return fleet


def _sample(type_: str) -> str:
    return f"models/{type_}.sample"


def sample(store: Store, type_: str) -> Detector:
    """As fitted, before its ranges were widened: what profiles rest on."""
    return unpack(store.read(_sample(type_)))


def _sampled(devices: list[Device], seed: int) -> list[Device]:
    """All devices of a type, in an order that chance chose."""
    return sorted(devices, key=lambda d: digest(seed, d.name))


def _fit(store: Store, item: tuple[str, parts.Kind, list[Device]], by: Fitting) -> Summary:
    type_, kind, devices = item
    states = [store.state(d) for d in devices[: 4 * UNITS]]
    key = digest(kind, states, by)
    return once(store, "fit", type_, key, lambda: _fitted(store, item, by), _sample(type_))


def _fitted(store: Store, item: tuple[str, parts.Kind, list[Device]], by: Fitting) -> Summary:
    from threadpoolctl import threadpool_limits

    type_, kind, devices = item
    found = _learnable(store, kind, devices, by)
    if not found.used:
        return {
            "rejected": f"type '{type_}': none of its devices has {WINDOWS_MIN} windows without "
            f"what looks like an infection in the days that are learned from"
            + (f" ({found.suspect[0]})" if found.suspect else "")
        }
    settings = Settings(
        kind.source,
        kind.counters,
        kind.window_ms,
        seed=by.seed,
        detectors=by.detectors,
        allow_constant=set(kind.counters),
        accept_anomalies=True,  # those that look like one are left out above
    )
    with threadpool_limits(1):  # a sum's last bit may depend on how many add it up
        trained = train(found.runs, settings, f"type '{type_}'", unit=found.unit)
    store.write(_sample(type_), trained.blob)
    return {
        "type": type_,
        "source": kind.source,
        "window_ms": kind.window_ms,
        "sample": found.used,
        "sample_windows": sum(map(len, found.runs)),
        "suspect": found.suspect,
        "horizons": [list(h) for h in trained.detector.horizons],
    }


def _learnable(store: Store, kind: parts.Kind, devices: list[Device], by: Fitting) -> Sample:
    found = Sample([], [], [], [])
    for device in devices[: 4 * UNITS]:
        mine = _runs(store, device, by)
        if sum(map(len, mine)) < WINDOWS_MIN:
            continue
        if odd := infection_check.anomalies(np.concatenate(mine), kind.counters):
            found.suspect.append(f"{device.name}: {odd[0].said()}")
            continue
        found.runs += mine
        found.unit += [len(found.used)] * len(mine)
        found.used.append(device.name)
        if len(found.used) == UNITS:
            break
    return found


def _runs(store: Store, device: Device, by: Fitting) -> list[Ints]:
    """Windows of the device from a time on that chance chose among the days
    that are learned from, in pieces between which something is missing.
    """
    dates = [d for d in store.dates(device) if by.learned[0] <= d <= by.learned[-1]]
    if not dates:
        return []
    try:
        span = parts.read(store, device, dates)
    except parts.Unreadable:  # it is named in the survey
        return []
    spare = len(span) - UNIT_WINDOWS
    begin = int(digest(by.seed, device.name, "begin"), 16) % (spare + 1) if spare > 0 else 0
    chosen = span.at(slice(begin, begin + UNIT_WINDOWS))
    return [chosen.windows[rows] for rows in chosen.stretches]


def widened(sample: Detector, profiles: list[Summary]) -> Detector:
    """With ranges that REACH of the type's devices keep within."""
    if not profiles:
        return sample

    def reach(name: str, pad: int, mine: Ints) -> Ints:
        of_devices = np.array([p[name] for p in profiles], np.int64)
        usual = np.quantile(of_devices, REACH, axis=0, method="lower").astype(np.int64)
        return np.maximum(mine, usual + pad)

    return replace(
        sample,
        high=reach("high", PAD, sample.high),
        far=reach("far", DISTANCE_PAD, sample.far),
        metadata={**sample.metadata, "devices": len(profiles)},
    )


def misfits(profiles: list[Summary], counters: tuple[str, ...]) -> list[Summary]:
    """Devices whose typical window is far from their type's, with what differs:
    octaves above (or below) what most of them do.
    """
    if len(profiles) < 3:
        return []
    medians = np.array([p["median"] for p in profiles], np.float64) / 16
    centre = np.median(medians, axis=0)
    spread = 1.4826 * np.median(np.abs(medians - centre), axis=0)
    away = medians - centre
    odd = (np.abs(away) >= ODD_OCTAVES) & (np.abs(away) >= ODD_SPREADS * spread)
    found = []
    for i in np.flatnonzero(odd.any(axis=1)):
        worst = sorted(np.flatnonzero(odd[i]), key=lambda c: -abs(away[i, c]))[:ODD_TOLD]
        found.append(
            {
                "device": profiles[i]["device"],
                "type": profiles[i]["type"],
                "octaves": round(float(abs(away[i, worst[0]])), 2),
                "differs": {counters[c]: round(float(away[i, c]), 2) for c in worst},
            }
        )
    return found
