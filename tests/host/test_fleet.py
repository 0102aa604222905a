"""A small fleet from end to end: made up, learned, calibrated, ranked; on
workers that die, and started twice.
"""

import json
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from inlier_export.errors import BadInput
from inlier_trainer.fleet import calibrate, engine, parts, rank, simulate, survey, train
from inlier_trainer.fleet.store import Device, Store
from inlier_trainer.progress import quiet

PLAN = simulate.Plan(devices=24, types=2, days=8, infected=2, seed=3, window_ms=900_000)
BUDGET = 2.0
STAGES = ("models", "calibrations", "scores", "windows")


def everything(place, on, progress=quiet):
    """All stages; how many tasks had been done before, of how many."""
    store = Store(str(place))
    made = simulate.simulate(store, PLAN, on, progress)
    surveyed = survey.survey(store, on, progress)
    fitted = train.fit(store, surveyed, on, progress, detectors="svm")
    done = calibrate.calibrate(store, surveyed, BUDGET, on, progress)
    calibrate.write(store, done, None)
    ranked = rank.rank(store, done, surveyed.days.last, on, progress)
    again = made.again + surveyed.again + fitted.again + done.again
    return ranked, done, again, fitted


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """The folder, and what a serial run gave."""
    place = tmp_path_factory.mktemp("fleet")
    return (place, *everything(place, engine.Cluster()))


def contents(place):
    """What a store shows of itself: a file that was being written when its
    process was killed begins with a dot.
    """
    return {
        str(path.relative_to(place)): path.read_bytes()
        for stage in STAGES
        for path in sorted((place / stage).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def test_the_infected_are_ranked_first_and_an_outage_of_many_is_one_event(fleet):
    place, ranked, done, _, _ = fleet
    truth = json.loads((place / "truth.json").read_text())
    infected = {told["device"] for told in truth["infected"]}
    assert len(infected) == 2
    first = [told for told in ranked.told[:3]]
    assert infected <= {told["device"] for told in first}
    assert all(told["discovered"] for told in first if told["device"] in infected)
    (event,) = done.told["mass_events"]
    assert event["types"] == truth["mass_events"][0]["types"] and event["devices"] >= 9
    assert event["begins"][:10] == truth["mass_events"][0]["begins"][:10]


def test_the_fleet_s_budget_is_kept_on_days_that_were_held_out(fleet):
    told = fleet[2].told
    assert told["held_out_days"] >= 1 and told["budget_kept"], told
    assert set(told["by_type"]) == {"type1", "type2"}


def test_a_second_start_repeats_nothing(fleet):
    place, _, _, before, _ = fleet
    assert before == 0
    stamps = {p: p.stat().st_mtime_ns for p in (place / "scores").rglob("*.parquet")}
    _, _, again, _ = everything(place, engine.Cluster())
    assert again == 4 * PLAN.devices + PLAN.types, "a fit a type, four tasks a device"
    assert stamps == {p: p.stat().st_mtime_ns for p in (place / "scores").rglob("*.parquet")}


@pytest.mark.slow
def test_a_worker_that_is_killed_changes_no_byte(fleet, tmp_path):
    """One of three processes is killed while it fits, another while it
    profiles; what a serial run made comes out.
    """
    killed = []

    with engine.cluster(3) as on:

        def progress(stage, done, total):
            if stage in ("fitting", "profiles") and 0 < done < total and stage not in killed:
                killed.append(stage)
                busy = [w for w, tasks in on.client.processing().items() if tasks]
                # all may have ended since: then one that waits for work is
                # killed
                pids = on.client.run(os.getpid, workers=busy[:1] or None)
                os.kill(next(iter(pids.values())), signal.SIGKILL)

        everything(tmp_path, on, progress)
    assert killed == ["fitting", "profiles"]
    mine, serial = contents(tmp_path), contents(fleet[0])
    assert mine.keys() == serial.keys() and len(mine) > 4 * PLAN.devices
    differing = [name for name in mine if mine[name] != serial[name]]
    assert not differing, f"{differing}, killed in {killed}"


def test_what_lies_there_is_plain_parquet(fleet):
    """The path says type, device and date; the file has time, firmware and the
    counters.
    """
    table = pl.read_parquet(fleet[0] / "windows/**/*.parquet", hive_partitioning=True)
    assert table.height == PLAN.devices * PLAN.windows
    assert {"type", "device", "date", "time", "firmware", "bytes_out"} <= set(table.columns)
    assert set(table["firmware"].unique()) == set(simulate.VERSIONS)


def test_a_fleet_lies_on_any_file_system_of_fsspec_s():
    store, on = Store("memory://fleet-of-tests"), engine.Cluster()
    small = replace(PLAN, devices=2, days=2, infected=0)
    assert simulate.simulate(store, small, on, quiet).again == 0
    assert simulate.simulate(store, small, on, quiet).again == 2
    surveyed = survey.survey(store, on, quiet)
    assert surveyed.devices == {d.type: [d] for d in store.devices()}
    device = store.devices()[0]
    assert len(parts.read(store, device, store.dates(device))) == small.windows
    before = store.state(device)
    span = parts.read(store, device, store.dates(device)[:1])
    parts.write_part(store, device, store.dates(device)[0], span.at(slice(5)))
    assert store.state(device) != before and not store.is_local


@pytest.mark.slow
def test_on_an_object_store_the_same_comes_out_as_in_a_folder(fleet):
    """All stages, byte for byte; fsspec's memory stands for any store that
    knows no folders and no renaming.
    """
    import fsspec

    ranked, done, again, _ = everything("memory://whole-fleet", engine.Cluster())
    assert again == 0
    _, ranked_there, done_there, *_ = fleet
    assert (ranked.told, done.told) == (ranked_there.told, done_there.told)
    memory = fsspec.filesystem("memory")
    for name, content in contents(fleet[0]).items():
        assert memory.cat(f"/whole-fleet/{name}") == content, name
    assert everything("memory://whole-fleet", engine.Cluster())[2] == 4 * PLAN.devices + PLAN.types


def copied(fleet, tmp_path):
    place = tmp_path / "copy"
    shutil.copytree(fleet[0] / "windows", place / "windows")
    return place


def of(place, name):
    return next((place / "windows").glob(f"type=*/device={name}"))


def test_a_device_in_two_types_and_mixed_windows_are_refused(fleet, tmp_path):
    place = copied(fleet, tmp_path)
    store = Store(str(place))
    device = Device("type1", "d000000")
    span = parts.read(store, device, store.dates(device)[:1])
    span.window_ms *= 2
    odd = Device("type1", "odd")
    parts.write_part(store, odd, store.dates(device)[0], span)
    with pytest.raises(BadInput, match="'odd' of type 'type1' has windows of 1800000 ms"):
        survey.survey(store, engine.Cluster(), quiet)
    shutil.move(of(place, "odd"), place / "windows/type=type2/device=d000000")
    with pytest.raises(BadInput, match="'d000000' is in the types 'type1' and 'type2'"):
        survey.survey(store, engine.Cluster(), quiet)


def test_a_part_that_cannot_be_read_leaves_its_device_out_and_says_so(fleet, tmp_path):
    place = copied(fleet, tmp_path)
    part = sorted(of(place, "d000003").rglob("*.parquet"))[2]
    part.write_bytes(part.read_bytes()[:300])
    surveyed = survey.survey(Store(str(place)), engine.Cluster(), quiet)
    (reason,) = surveyed.rejected
    assert "device=d000003" in reason and "not readable" in reason
    assert sum(map(len, surveyed.devices.values())) == PLAN.devices - 1


def test_benjamini_hochberg_as_in_the_paper_s_example():
    """Section 3.3 of the paper: of fifteen, the first four at 5 %."""
    chances = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
        0.4262, 0.5719, 0.6528, 0.7590, 1.0,
    ]  # fmt: skip
    assert rank.benjamini_hochberg(np.array(chances), 0.05).sum() == 4


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("train", "NOWHERE"), "it holds no windows; add some with 'inlier fleet ingest'"),
        (("rank", "NOWHERE"), "it holds no windows"),
        (("calibrate", "FLEET", "--false-alarms", "few"), "such as 1/week"),
        (("train", "FLEET", "--scheduler", "tcp://127.0.0.1:9"), "no Dask scheduler answers"),
        (("train", "FLEET", "--workers", "2", "--scheduler", "tcp://127.0.0.1:9"), "leave it out"),
        (("train", "FLEET", "--by", "device"), "choose one of type"),
        (("simulate", "NEW", "--infected", "9", "--devices", "4", "--types", "1"), "give fewer"),
        (("simulate", "NEW", "--window", "7m"), "of which hours are made"),
        (("simulate", "NEW", "--captures", "NOWHERE"), "it is no folder"),
        (("simulate", "FLEET", "--workers", "0"), "another fleet is there, real or made up"),
        (("train", "pigeon://loft"), "fsspec does not know that kind of address"),
    ],
)
def test_bad_input_is_one_sentence(fleet, inlier, monkeypatch, tmp_path, arguments, expected):
    monkeypatch.setattr(engine, "CONNECT_S", 1.0)
    places = {"NOWHERE": tmp_path / "nowhere", "FLEET": fleet[0], "NEW": tmp_path / "new"}
    code, out, error = inlier("fleet", *(places.get(a, a) for a in arguments))
    assert code == 2 and not out
    assert error.splitlines()[-1].startswith("inlier: ") and expected in error
    assert not (tmp_path / "nowhere").exists()


def versions(**packages):
    return {
        "packages": {"python": "3.11.7.final.0", "numpy": "2.4", "distributed": "2026", **packages}
    }


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"scheduler": versions(), "workers": {}}, "it has no workers; start some with"),
        (
            {"scheduler": versions(distributed="2024"), "workers": {"w": versions()}},
            "scheduler has distributed 2024, this machine 2026: install the same",
        ),
        (
            {"scheduler": versions(), "workers": {"tcp://w:1": versions(numpy="1.26")}},
            "tcp://w:1 has numpy 1.26, this machine 2.4",
        ),
        (
            {"scheduler": versions(), "workers": {"w": versions(python="3.12.1.final.0")}},
            "w has python 3.12, this machine 3.11",
        ),
    ],
)
def test_a_cluster_of_other_versions_is_refused(found, expected):
    with pytest.raises(BadInput, match=expected):
        engine._check_versions("tcp://there:8786", {"client": versions(), **found})


@pytest.mark.slow
def test_another_cluster_s_scheduler_serves(fleet, inlier):
    """A scheduler of Dask's own, by its address, as on any other machine."""
    from distributed import LocalCluster

    place = fleet[0]
    with LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as other:
        code, out, error = inlier(
            "fleet", "score", place, "--scheduler", other.scheduler_address, "--json"
        )
    assert code == 0, error
    assert json.loads(out)["devices"] == PLAN.devices
