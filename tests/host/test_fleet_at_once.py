"""Two processes that add to one fleet at one time, one that is killed while it
does, and a training beside an ingest: nothing is lost, nothing comes twice.
"""

import json
import shutil
import subprocess
import sys
import threading

import pytest

from broker import HANGS_S
from device_of_tests import benign
from inlier_boards.leash import leashed
from inlier_export.errors import BadInput
from inlier_trainer.fleet import alone, engine, ingest, parts, simulate, sorting, survey, train
from inlier_trainer.fleet.store import Device, Store
from inlier_trainer.progress import quiet
from test_fleet_ingest import BEGAN, OPTIONS, WINDOW_MS, at, stored, table

DAY = 1440  # windows
GIVEN = ingest.Given(
    parts.ms_of("2026-03-01"), "bell", "bell1", source="sockets", window_ms=WINDOW_MS
)
MERGES_FOR_EVER = """
import sys, time
from inlier_host import cli
from inlier_trainer.fleet import parts
whole = parts.write_part
def write_part(store, device, date, span):
    whole(store, device, date, span)
    print("wrote", date, flush=True)
    time.sleep(86_400)
parts.write_part = write_part
sys.argv = ["inlier", *sys.argv[1:]]
cli.main()
"""


def ingests(fleet, *paths, script=("-m", "inlier_host")):
    command = [sys.executable, *script, "fleet", "ingest", *paths, "-o", fleet, *OPTIONS]
    arguments = ["--type", "bell", "--device", "bell1"]
    return subprocess.Popen(
        leashed([*command, *arguments]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_two_ingests_at_one_time_lose_nothing(tmp_path):
    """Both write to the same days of the same device, every second window each."""
    rows, fleet = benign(4 * DAY), tmp_path / "fleet"
    files = [
        [
            table(
                tmp_path / f"{half}-{i}.csv",
                at(range(i * 480 + half, (i + 1) * 480, 2)),
                rows[i * 480 + half : (i + 1) * 480 : 2],
            )
            for i in range(12)
        ]
        for half in (0, 1)
    ]
    both = [ingests(fleet, *half) for half in files]
    told = []
    for one in both:
        out, error = one.communicate(timeout=HANGS_S)
        assert one.returncode == 0, error
        told.append(json.loads(out))
    span = stored(fleet)
    assert (span.windows == rows).all() and span.time.tolist() == at(range(4 * DAY))
    # each counts what it sorted in itself, which may be the other's
    assert sum(each["windows"].get("new", 0) for each in told) == 4 * DAY
    assert not list((fleet / "staged").rglob("*.parquet"))


def test_who_comes_second_waits_and_a_live_one_goes_on_without(tmp_path):
    store, rows = Store(str(tmp_path / "fleet")), benign(100)
    path = table(tmp_path / "w.csv", at(range(100)), rows)
    waiting, done = threading.Event(), []

    def progress(stage, *_):
        if stage == "waiting for another ingest":
            waiting.set()

    def second():
        done.append(ingest.ingest(store, [path], GIVEN, engine.Cluster(), progress))

    (tmp_path / "fleet").mkdir()
    thread = threading.Thread(target=second, daemon=True)
    with alone.alone(store, quiet, wait=True) as is_alone:
        assert is_alone
        thread.start()
        assert waiting.wait(HANGS_S)
        live = sorting.Ingested()
        sorting.sort(store, live, engine.Cluster(), quiet, wait=False)
        assert not live.counts and not store.types(), "nobody sorts beside the first"
    thread.join(HANGS_S)
    assert done[0].counts == {"new": 100} and (stored(tmp_path / "fleet").windows == rows).all()


@pytest.mark.slow
def test_an_ingest_that_is_killed_holds_nobody_up_and_loses_nothing(tmp_path):
    rows, fleet = benign(2 * DAY), tmp_path / "fleet"
    first = table(tmp_path / "a.csv", at(range(0, 2 * DAY, 2)), rows[::2])
    second = table(tmp_path / "b.csv", at(range(1, 2 * DAY, 2)), rows[1::2])
    killed = ingests(fleet, first, script=("-c", MERGES_FOR_EVER))
    assert killed.stdout.readline() == "wrote 2026-02-01\n", killed.stderr.read()
    killed.kill()
    killed.wait()
    after = ingests(fleet, second)
    out, error = after.communicate(timeout=HANGS_S)
    assert after.returncode == 0, error
    # what the first had read is sorted in too, the day that it wrote not twice
    assert json.loads(out)["windows"]["new"] == 2 * DAY - DAY // 2
    assert (stored(fleet).windows == rows).all()


def test_on_an_object_store_the_second_is_refused_and_what_it_read_is_kept(tmp_path):
    store, rows = Store(f"memory://two-at-once-{tmp_path.name}"), benign(100)
    path = table(tmp_path / "w.csv", at(range(100)), rows)
    with alone.alone(store, quiet, wait=True):
        with pytest.raises(BadInput, match=r"another ingest sorts .*run it again when that has"):
            ingest.ingest(store, [path], GIVEN, engine.Cluster(), quiet)
        sorting.sort(store, sorting.Ingested(), engine.Cluster(), quiet, wait=False)
        assert not store.types()
    done = ingest.ingest(store, [path], GIVEN, engine.Cluster(), quiet)
    assert (done.again, done.counts) == (1, {"new": 100}) and not store.exists(alone.LOCK)


@pytest.mark.slow
def test_training_beside_an_ingest_leaves_nothing_stale(tmp_path):
    """Some of the devices are profiled when all get another day: the next
    training gives what one from nothing gives.
    """
    plan = simulate.Plan(devices=16, types=1, days=5, infected=0, seed=3, window_ms=300_000)
    longer = simulate.Plan(devices=16, types=1, days=6, infected=0, seed=3, window_ms=300_000)
    store, on = Store(str(tmp_path / "fleet")), engine.Cluster()
    simulate.simulate(store, plan, on, quiet)
    added = []

    def add_a_day(stage, done, total):
        if stage == "profiles" and 0 < done < total and not added:
            for i in range(16):
                device = longer.device(i)
                span = simulate.made(store, longer, device, i, None)
                path = tmp_path / f"{device.name}.parquet"
                path.write_bytes(parts.packed(span.at(slice(5 * 288, None)), device))
                added.append(path)
            given = ingest.Given(BEGAN, "type1")
            ingest.ingest(store, added, given, engine.Cluster(), quiet)

    def fitted(place, progress=quiet):
        here = Store(str(place))
        train.fit(here, survey.survey(here, on, quiet), on, progress, detectors="svm")
        return {p.name: p.read_bytes() for p in sorted((place / "models").glob("*.inlier"))}

    fitted(tmp_path / "fleet", add_a_day)
    assert len(added) == 16
    again = fitted(tmp_path / "fleet")
    assert len(store.dates(Device("type1", "d000003"))) == 6
    shutil.copytree(tmp_path / "fleet/windows", tmp_path / "copy/windows")
    assert again == fitted(tmp_path / "copy")
