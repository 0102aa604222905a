"""What a fleet is given and cannot use: one sentence or a counted reject,
nothing is lost, nothing half written.
"""

import http.server
import io
import json
import socket
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from device_of_tests import benign
from inlier.procfs import Procfs
from inlier.sockets import Sockets
from inlier_export.errors import BadInput
from inlier_trainer.fleet import engine, parts, profile, scoring, simulate, sorting, survey
from inlier_trainer.fleet.store import Device, Store
from inlier_trainer.parquet import METADATA
from inlier_trainer.progress import quiet
from test_fleet_ingest import WINDOW_MS, at, ingested, stored, table
from test_full_disk import ended, room

DAYS = ("2026-02-01", "2026-02-02")
FIRST, SPOILT = Device("bell", "bell1"), Device("bell", "bell2")


def day(date, windows, source="sockets", counters=Sockets.counters, window_ms=WINDOW_MS):
    time = parts.ms_of(date) + window_ms * np.arange(len(windows), dtype=np.int64)
    firmware = np.full(len(windows), "1.0", object)
    return parts.Span(source, window_ms, tuple(counters), time, firmware, windows)


def changed(change, metadata=True):
    """A part's content whose table was changed."""

    def spoil(content):
        told = pl.read_parquet_metadata(io.BytesIO(content))[METADATA]
        out = io.BytesIO()
        frame = change(pl.read_parquet(io.BytesIO(content)))
        frame.write_parquet(out, metadata={METADATA: told} if metadata else None)
        return out.getvalue()

    return spoil


SPOILINGS = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "no Parquet": lambda content: b"time,firmware\n" * 100,
    # the names and numbers at its end are whole, the windows are not
    "damaged within": lambda content: content[:40] + b"\xff" * 400 + content[440:],
    "without what it is": changed(lambda frame: frame, metadata=False),
    "words": changed(lambda frame: frame.with_columns(sends=pl.lit("many"))),
    "gaps": changed(lambda frame: frame.with_columns(sends=pl.lit(None, pl.UInt32))),
    "fractions": changed(lambda frame: frame.with_columns(sends=pl.lit(0.5))),
    "times that are none": changed(lambda frame: frame.with_columns(time=pl.lit(7))),
    "another order": changed(lambda frame: frame.reverse()),
    "another counter": changed(lambda frame: frame.rename({"sends": "sends2"})),
}


@pytest.mark.slow
@pytest.mark.parametrize("spoil", SPOILINGS.values(), ids=SPOILINGS)
def test_a_part_that_is_spoilt_leaves_its_device_out_of_all_work(tmp_path, trained, spoil):
    store, on = Store(str(tmp_path)), engine.Cluster()
    for device in (FIRST, SPOILT):
        for date in DAYS:
            parts.write_part(store, device, date, day(date, benign(400)))
    place = tmp_path / store.part(SPOILT, DAYS[1])
    place.write_bytes(spoil(place.read_bytes()))
    rejected = survey.survey(store, on, quiet).rejected
    models = {"bell": trained.detector}
    for work, settings in (
        (profile.profile, (models, "2026-03-01")),
        (scoring.score, (models,)),
    ):
        ran = on.run("work", store, work, store.devices(), settings)
        assert [told["device"] for told in ran.told] == ["bell1"]
        (reason,) = ran.rejected
        assert str(store.part(SPOILT, DAYS[1])) in reason and "\n" not in reason
        rejected.append(reason)
    assert not (tmp_path / scoring.place(SPOILT)).exists()
    assert (tmp_path / scoring.place(FIRST)).exists()


def test_windows_for_a_day_that_cannot_be_read_wait_until_it_can(inlier, tmp_path):
    fleet, rows = tmp_path / "fleet", benign(2880)
    first = table(tmp_path / "a.csv", at(range(0, 2880, 2)), rows[::2])
    ingested(inlier, fleet, first, "--type", "bell", "--device", "bell1")
    part = fleet / Store(str(fleet)).part(FIRST, DAYS[0])
    whole = part.read_bytes()
    part.write_bytes(whole[:200])
    second = table(tmp_path / "b.csv", at(range(1, 2880, 2)), rows[1::2])
    told = ingested(inlier, fleet, second, "--type", "bell", "--device", "bell1")
    (reason,) = told["rejected"]
    assert "not readable" in reason and "stays until that is mended" in reason
    assert part.read_bytes() == whole[:200], "nobody replaces what may be mended"
    part.write_bytes(whole)
    told = ingested(inlier, fleet, second, "--type", "bell", "--device", "bell1")
    assert told["again"] == 1 and not told["rejected"]
    assert (stored(fleet).windows == rows).all()
    assert not list((fleet / "staged").rglob("*.parquet"))


def test_a_staged_file_that_is_damaged_keeps_no_other_waiting(inlier, tmp_path):
    fleet, rows = tmp_path / "fleet", benign(200)
    store = Store(str(fleet))
    sorting.stage(store, FIRST, day(DAYS[0], rows[:100]), "a-1")
    (damaged,) = (fleet / "staged").rglob("*.parquet")
    damaged.write_bytes(b"PAR1")
    path = table(tmp_path / "b.csv", at(range(100, 200)), rows[100:])
    told = ingested(inlier, fleet, path, "--type", "bell", "--device", "bell1")
    assert told["windows"] == {"new": 100}
    assert len(told["rejected"]) == 1 and damaged.name in told["rejected"][0]
    assert damaged.exists(), "it is somebody's data"


@pytest.mark.parametrize(
    ("source", "counters", "expected"),
    [
        ("procfs", Procfs.counters, "'procfs', most of its type 60000 ms of 'sockets'"),
        ("sockets", (*Sockets.counters[1:], "sends2"), "has other counters than most of its type"),
    ],
)
def test_a_type_of_mixed_sources_is_refused_by_name(tmp_path, source, counters, expected):
    store = Store(str(tmp_path))
    for i in range(3):
        parts.write_part(store, Device("bell", f"b{i}"), DAYS[0], day(DAYS[0], benign(50)))
    odd = np.ones((50, len(counters)), np.int64)
    parts.write_part(store, Device("bell", "odd"), DAYS[0], day(DAYS[0], odd, source, counters))
    with pytest.raises(BadInput, match="device 'odd' of type 'bell'") as refused:
        survey.survey(store, engine.Cluster(), quiet)
    assert expected in str(refused.value)


def test_another_source_of_a_type_is_not_taken_in_and_the_rest_is(inlier, tmp_path):
    fleet = tmp_path / "fleet"
    path = table(tmp_path / "w.csv", at(range(50)), benign(50))
    ingested(inlier, fleet, path, "--type", "bell", "--device", "bell1")
    other = tmp_path / "p.csv"
    frame = pl.DataFrame(np.ones((50, len(Procfs.counters)), int), list(Procfs.counters))
    frame.with_columns(time=pl.Series(at(range(50)))).write_csv(other)
    code, out, _ = inlier(
        "fleet", "ingest", other, "-o", fleet, "--type", "bell", "--device", "bell2", "--source",
        "procfs", "--window", "1m", "--workers", "0", "--json",
    )  # fmt: skip
    (reason,) = json.loads(out)["rejected"]
    assert code == 0 and "60000 ms of source 'procfs', its type 'bell'" in reason
    more = table(tmp_path / "more.csv", at(range(50, 90)), benign(40))
    assert ingested(inlier, fleet, more, "--type", "bell", "--device", "bell3")["windows"] == {
        "new": 40
    }


def test_a_clock_that_was_set_back_contradicts_nothing_silently(inlier, tmp_path):
    """Two hours of another day's windows at times that are taken: counted, and
    the first stay.
    """
    fleet, rows = tmp_path / "fleet", benign(600)
    times = [*at(range(480)), *at(range(360, 480))]  # then it is set back two hours
    path = table(tmp_path / "w.csv", times, rows)
    told = ingested(inlier, fleet, path, "--type", "bell", "--device", "bell1")["windows"]
    assert told["new"] == 480 and told["contradicting"] + told.get("repeated", 0) == 120
    assert (stored(fleet).windows == rows[:480]).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["a web server", "silent"])
def test_what_takes_connections_but_is_no_scheduler_is_told_apart(kind, monkeypatch):
    monkeypatch.setattr(engine, "CONNECT_S", 1.0)
    if kind == "silent":
        there: socket.socket | http.server.HTTPServer = socket.create_server(("127.0.0.1", 0))
        port = there.getsockname()[1]
    else:
        silent = {"log_message": lambda *_: None}
        handler = type("Handler", (http.server.BaseHTTPRequestHandler,), silent)
        there = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        port = there.server_address[1]
        threading.Thread(target=there.serve_forever, daemon=True).start()
    with (
        pytest.raises(BadInput, match=f"127.0.0.1:{port}: no Dask scheduler answers there"),
        engine.cluster(0, f"tcp://127.0.0.1:{port}"),
    ):
        pass
    if isinstance(there, socket.socket):
        there.close()
    else:
        there.shutdown()
        there.server_close()


@pytest.mark.slow
def test_a_disk_that_fills_under_a_worker_is_one_sentence_and_goes_on_from_there(inlier, tmp_path):
    command = ("fleet", "simulate", tmp_path / "fleet", "--devices", "6", "--types", "1")
    command = (*command, "--days", "2", "--infected", "0", "--workers", "1")
    with room(1024):
        ended(inlier(*command), "windows.parquet: ")
    assert not list(Path(tmp_path).rglob(".inlier*")), "no half file is left"
    code, out, error = inlier(*command, "--json")
    assert code == 0 and json.loads(out)["devices"] == 6, error
    store = Store(str(tmp_path / "fleet"))
    survey.survey(store, engine.Cluster(), quiet)
    plan = simulate.Plan(6, 1, 2, 0, 1, 300_000)
    assert [len(parts.read(store, d, store.dates(d))) for d in store.devices()] == [
        plan.windows
    ] * 6
