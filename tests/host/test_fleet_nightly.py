"""A fleet at full size, for `make nightly`: a thousand devices and a month, ten
thousand and a day; rows a second and memory, which are printed.
"""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from device_of_tests import benign
from inlier.sockets import Sockets
from inlier_trainer.fleet import engine, ingest, parts, profile, scoring, simulate, survey, train
from inlier_trainer.fleet.store import Store
from inlier_trainer.progress import quiet

pytestmark = [
    pytest.mark.skipif("INLIER_NIGHTLY" not in os.environ, reason="slow: run `make nightly`"),
    pytest.mark.timeout(6 * 3600),  # ten minutes of two cores, which others may share
]

DAY = simulate.Plan(devices=1000, types=4, days=1, infected=0, seed=1, window_ms=300_000)
BUDGET = 5


def command(*arguments):
    begin = time.monotonic()
    line = [sys.executable, "-m", "inlier_host", "fleet", *map(str, arguments), "--json"]
    told = json.loads(subprocess.run(line, check=True, capture_output=True).stdout)
    print(f"fleet {arguments[0]}: {time.monotonic() - begin:.0f} s")
    return told


def test_of_a_thousand_devices_the_ten_infected_are_among_the_first_twelve(tmp_path):
    place = tmp_path / "fleet"
    command("simulate", place, "--devices", 1000, "--days", 30, "--infected", 10, "--seed", 1)
    command("train", place)
    told = command("calibrate", place, "--false-alarms", f"{BUDGET}/day")
    ranked = command("rank", place)
    truth = json.loads((place / "truth.json").read_text())
    infected = {each["device"] for each in truth["infected"]}
    places = [i + 1 for i, d in enumerate(ranked["devices"]) if d["device"] in infected]
    discovered = {d["device"] for d in ranked["devices"] if d["discovered"]}
    print(f"places {places}, {len(discovered - infected)} discovered that are not infected")
    print({k: told[k] for k in ("alarms_per_day", "by_type", "limits", "mass_events")})
    assert len(places) == 10 and max(places) <= 12
    assert told["alarms_per_day"] <= BUDGET
    (event,) = ranked["mass_events"]
    assert event["types"] == truth["mass_events"][0]["types"]


def peak_mb(on):
    """The greatest memory that a worker ever had, MB."""

    def own():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000

    return max(on.client.run(own).values())


def stages(place, plan, on, models):
    """Rows a second of each stage."""
    store, told = Store(str(place)), {}

    def timed(name, act):
        begin = time.monotonic()
        result = act()
        told[name] = round(plan.devices * plan.windows / (time.monotonic() - begin))
        return result

    timed("made up", lambda: simulate.simulate(store, plan, on, quiet))
    timed("surveyed", lambda: survey.survey(store, on, quiet))
    devices = store.devices()
    for name, work, more in (
        ("features and sums", profile.profile, (models, "2027-01-01")),
        ("scores", scoring.score, (models,)),
    ):
        timed(name, lambda: on.run(name, store, work, devices, more))
    return told


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Of a small fleet of the same types."""
    store, on = Store(str(tmp_path_factory.mktemp("small"))), engine.Cluster()
    simulate.simulate(store, replace(DAY, devices=16, days=10), on, quiet)
    return train.fit(store, survey.survey(store, on, quiet), on, quiet).models


@pytest.mark.parametrize("workers", [1, 2])
def test_memory_is_flat_in_devices(workers, tmp_path, models):
    peaks = []
    for devices in (1000, 10_000):
        with engine.cluster(workers) as on:
            plan = replace(DAY, devices=devices)
            told = stages(tmp_path / str(devices), plan, on, models)
            peaks.append(peak_mb(on))
            print(f"{workers} workers, {devices} devices: rows/s {told}, {peaks[-1]:.0f} MB each")
    assert peaks[1] < 1.15 * peaks[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_ingest_of_a_million_rows(workers, tmp_path):
    """A week of windows of a minute, of a hundred devices in ten tables."""
    week = 7 * 1440
    time_ms = parts.ms_of("2026-02-02") + 60_000 * np.arange(week)
    rows = benign(week)
    for i in range(10):
        one = pl.DataFrame(rows, schema=list(Sockets.counters), orient="row")
        each = [
            one.with_columns(time=pl.Series(time_ms), device=pl.lit(f"d{10 * i + j}"))
            for j in range(10)
        ]
        pl.concat(each).write_csv(tmp_path / f"{i}.csv")
    given = ingest.Given(parts.ms_of("2026-03-01"), "bell", source="sockets", window_ms=60_000)
    store = Store(str(tmp_path / "fleet"))
    with engine.cluster(workers) as on:
        begin = time.monotonic()
        done = ingest.ingest(store, sorted(tmp_path.glob("*.csv")), given, on, quiet)
        seconds = time.monotonic() - begin
        print(f"{workers} workers: {100 * week / seconds:.0f} rows/s, {peak_mb(on):.0f} MB each")
    assert done.counts == {"new": 100 * week}
