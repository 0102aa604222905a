"""One budget for many devices: tails, limits, what befalls many at once, and
who stands out beside it.
"""

import io

import numpy as np
import polars as pl
import pytest

from inlier_trainer.fleet import calibrate, events, parts, rank, scoring, tails
from inlier_trainer.fleet.engine import Cluster
from inlier_trainer.fleet.store import Device, Store
from inlier_trainer.progress import quiet

DAY = parts.ms_of("2026-03-01")
WINDOW_MS = 300_000
DEVICES = [Device("bell", f"b{i:02d}") for i in range(40)]


def drawn(scales, days=400, seed=1):
    """Days of devices whose octaves are exponential, of these scales."""
    rng = np.random.default_rng(seed)
    return [rng.exponential(scale, days) for scale in scales]


def test_a_level_is_exceeded_as_often_as_it_says():
    fitted = tails.tail(drawn([1.0, 1.0, 2.0]))
    rate = np.array([0.001, 0.02, 0.004])
    assert fitted.chance(fitted.level(rate)) == pytest.approx(rate, rel=1e-9)
    # of an exponential law exp(-x / scale): at 0.1 %, 6.9 scales
    levels = fitted.level(np.full(3, 0.001))
    assert levels[0] == pytest.approx(6.9, rel=0.25) and levels[2] == pytest.approx(13.8, rel=0.25)


def test_a_device_with_few_days_has_the_tail_of_its_type():
    days = [*drawn([1.0] * 20), np.array([9.0])]
    fitted = tails.tail(days)
    typical = fitted.level(np.full(21, 0.01))
    assert typical[-1] < 2.5 * np.median(typical), "one bad day is not its nature"


def test_the_budget_is_spent_whole_and_noisy_devices_are_watched_less_closely():
    scales = np.array([0.4] * 30 + [1.2] * 10)
    severities = {
        device: {f"day{d}": int(s) for d, s in enumerate(tails.severity_of(octaves))}
        for device, octaves in zip(DEVICES, drawn(scales), strict=True)
    }
    weighed = {f"day{d}" for d in range(400)}
    fitted = {
        "bell": tails.tail([tails.octaves(np.array(list(severities[d].values()))) for d in DEVICES])
    }
    limits = calibrate.divided({"bell": DEVICES}, fitted, severities, weighed, 0.4)
    mine = np.array([limits[d] for d in DEVICES])
    assert (mine < calibrate.LIMIT_MAX).all() and (mine > calibrate.LIMIT_MIN).all()
    assert mine[30:].min() > 2 * mine[:30].max()
    even = fitted["bell"].level(np.full(40, 0.4 / 40))
    assert tails.octaves(mine).sum() < even.sum(), "closer in all than an equal part for each"
    # by the law that they were drawn from: exp(-octaves / scale) a day
    expected = np.exp(-tails.octaves(mine) / scales).sum()
    assert expected == pytest.approx(0.4, rel=0.35)


def alarmed(at, minutes=30):
    """Alarms of devices: {index: [window, …]}."""
    return [
        {
            "type": "bell",
            "device": DEVICES[i].name,
            "alarms": [
                (DAY + w * WINDOW_MS, DAY + w * WINDOW_MS + minutes * 60_000, 999, "connects")
                for w in windows
            ],
        }
        for i, windows in at.items()
    ]


def test_alarms_of_many_devices_at_one_time_are_one_event():
    rng = np.random.default_rng(2)
    alone = {i: [int(rng.integers(0, 8000))] for i in range(30, 40)}
    wave = {i: [3000 + int(rng.integers(0, 14))] for i in range(30)}  # over an hour
    (event,) = events.found(alarmed(alone | wave), {"bell": 40}, WINDOW_MS)
    assert len(event.devices) == 30 and event.types == ("bell",)
    assert event.leading == ("connects",) and "no firmware changed" in event.cause
    later = {i: [*wave[i], 5000] for i in wave}
    assert len(events.found(alarmed(alone | later), {"bell": 40}, WINDOW_MS)) == 2
    assert events.found(alarmed(alone), {"bell": 40}, WINDOW_MS) == []


def test_an_update_of_many_is_told_by_their_firmware():
    changed = {DEVICES[i].name: [DAY + 3000 * WINDOW_MS] for i in range(30)}
    wave = alarmed({i: [3000] for i in range(30)})
    (event,) = events.found(wave, {"bell": 40}, WINDOW_MS, changed)
    assert event.cause == "their firmware changed then"


def test_an_infected_device_stands_out_beside_an_event_that_shouts_louder(tmp_path):
    """All are hit by an outage far over their limits; one of them also does a
    little of its own, in other windows.
    """
    store, rng = Store(str(tmp_path)), np.random.default_rng(3)
    time = DAY + np.arange(288) * WINDOW_MS
    severities, told = {}, []
    for i, device in enumerate(DEVICES):
        severity = np.zeros(288, np.int64)
        severity[100:110] = rng.integers(20_000, 30_000, 10)
        severity[110:180] = np.linspace(15_000, 0, 70).astype(int)  # what sums hold of it
        if i == 7:
            severity[200:] = 900
        frame = {
            "time": pl.Series(time).cast(parts.TIME),
            "score": severity.astype(np.int32),
            "severity": severity.astype(np.int32),
            "leading": np.zeros(288, np.int8),
        }
        out = io.BytesIO()
        pl.DataFrame(frame).write_parquet(out)
        store.write(scoring.place(device), out.getvalue())
        before = {f"2026-02-{d:02d}": int(s) for d, s in enumerate(rng.integers(0, 300, 28), 1)}
        severities[device] = before | {"2026-03-01": int(severity.max())}
        told += alarmed({i: [100]})
    found = events.found(told, {"bell": 40}, WINDOW_MS)
    days = [tails.octaves(np.array(list(s.values())[:-1])) for s in severities.values()]
    calibrated = calibrate.Calibrated(
        {"bell": DEVICES},
        {"bell": tails.tail(days)},
        {},
        severities,
        {},
        told,
        found,
        {},
        [],
        0,
    )
    ranked = rank.rank(store, calibrated, "2026-03-01", Cluster(), quiet).told
    assert ranked[0]["device"] == "b07" and ranked[0]["discovered"]
    assert not any(other["discovered"] for other in ranked[1:])
