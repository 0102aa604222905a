"""What a fleet takes in: each window once, in the order of time, whenever and
however often it comes; what is none is counted.
"""

import csv
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from broker import PASSWORD, USER, Broker, Subscriber, eventually
from device_of_tests import benign
from inlier.sockets import Sockets
from inlier_export.errors import Interrupted
from inlier_host.fleet_live import RECENT, Collector, listen
from inlier_trainer import recordings
from inlier_trainer.about import About
from inlier_trainer.fleet import captured, parts
from inlier_trainer.fleet.store import Device, Store
from test_pcap import DATA, DEVICE, REAL, counted, needs_captures, pcap, talk

WINDOW_MS = 60_000
BEGAN = parts.ms_of("2026-02-01")
OPTIONS = ("--source", "sockets", "--window", "1m", "--workers", "0", "--json")


def table(path, times, rows, **columns):
    """A CSV of windows with their times, as somebody's own tools write it."""
    frame = pl.DataFrame(rows, schema=list(Sockets.counters), orient="row")
    more = {name: pl.Series(values) for name, values in columns.items()}
    frame = frame.with_columns(time=pl.Series(times), **more)
    frame.write_csv(path)
    return path


def ingested(inlier, fleet, *arguments):
    code, out, error = inlier("fleet", "ingest", *arguments, "-o", fleet, *OPTIONS)
    assert code == 0, error
    return json.loads(out)


def stored(fleet, name="bell1", type_="bell"):
    store, device = Store(str(fleet)), Device(type_, name)
    return parts.read(store, device, store.dates(device))


def at(minutes):
    return [BEGAN + WINDOW_MS * i for i in minutes]


def test_late_and_repeated_windows_are_put_right(inlier, tmp_path):
    rows, fleet = benign(3000), tmp_path / "fleet"
    second = table(tmp_path / "b.csv", at(range(1000, 3000)), rows[1000:3000])
    told = ingested(inlier, fleet, second, "--type", "bell", "--device", "bell1")
    assert told["windows"] == {"new": 2000}
    # then what came before it, with some of it again, and one that contradicts
    early = rows[:1200].copy()
    early[1100] += 1
    first = table(tmp_path / "a.csv", at(range(1200)), early)
    told = ingested(inlier, fleet, first, second, "--type", "bell", "--device", "bell1")
    assert told["windows"] == {"new": 1000, "late": 1000, "repeated": 199, "contradicting": 1}
    assert (told["files"], told["again"]) == (1, 1), "a file is read once"
    span = stored(fleet)
    assert (span.windows == rows[:3000]).all() and span.time.tolist() == at(range(3000))
    assert Store(str(fleet)).dates(Device("bell", "bell1")) == [
        "2026-02-01", "2026-02-02", "2026-02-03",
    ]  # fmt: skip


def test_what_is_no_window_is_counted_by_its_reason(inlier, tmp_path):
    times = [str(np.datetime64(t, "ms")) for t in at(range(6))]
    path = table(
        tmp_path / "w.csv", times, benign(6), device=["d1", "d1", "d1", "d1", "../x", "d1"]
    )
    lines = list(csv.reader(path.open()))
    lines[1][0] = "many"  # no integer
    lines[2][1] = "-4"
    lines[3][14] = "yesterday"
    lines[4][14] = "2126-01-01T00:00:00"  # a clock of another century
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    told = ingested(inlier, tmp_path / "fleet", path, "--type", "bell")
    assert told["windows"] == {
        "no_counter": 2, "no_time": 1, "clock": 1, "no_name": 1, "new": 1,
    }  # fmt: skip


def test_a_recording_says_itself_what_it_is(inlier, tmp_path):
    path = tmp_path / "w.csv"
    about = About("sockets", WINDOW_MS, "bell7", clock="2026-02-01T00:00:00Z")
    recordings.write(path, recordings.Recording(Sockets.counters, benign(100), about))
    ingested(inlier, tmp_path / "fleet", path, "--type", "bell", "--firmware", "3.1")
    span = stored(tmp_path / "fleet", "bell7")
    assert span.time[0] == BEGAN and len(span) == 100 and set(span.firmware) == {"3.1"}


def test_a_device_that_is_told_by_its_address_is_called_as_its_capture_calls_it(inlier, tmp_path):
    for address, name in (("F4:b8:5e:ff:2b:1b", "f4b85eff2b1b"), ("fe80::1", "fe801")):
        path = tmp_path / f"{name}.csv"
        about = About("sockets", WINDOW_MS, address, clock="2026-02-01T00:00:00Z")
        recordings.write(path, recordings.Recording(Sockets.counters, benign(20), about))
        told = ingested(inlier, tmp_path / "fleet", path, "--type", "bell")
        assert told["windows"] == {"new": 20}, "no folder has a colon in its name"
        assert len(stored(tmp_path / "fleet", name)) == 20
    assert captured.called("Bell:1") == "Bell:1", "no address: it is left out by its name"


def test_files_of_which_none_can_be_read_are_bad_input(inlier, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    about = About("sockets", WINDOW_MS, "bell 1", clock="2026-02-01T00:00:00Z")
    recordings.write(Path("w.csv"), recordings.Recording(Sockets.counters, benign(20), about))
    Path("x.csv").write_text("a\n1,2\n")
    for arguments, expected in (
        (("x.csv",), ("x.csv: not a readable table",)),
        (("w.csv",), ("w.csv: say --type, its type is '': a name has 1 to 64 letters",)),
        (("w.csv", "--type", "bell"), ("w.csv: say --device, its device is 'bell 1': a name",)),
        (("x.csv", "w.csv"), ("left out: x.csv: not a readable", "w.csv: say --type")),
    ):
        code, out, error = inlier("fleet", "ingest", *arguments, "-o", "fleet", *OPTIONS)
        told = error.splitlines()
        assert code == 2 and not out and len(told) == len(expected), error
        assert all(f"inlier: {why}" in line for why, line in zip(expected, told, strict=True)), told


def test_a_device_of_another_type_or_window_adds_nothing(inlier, tmp_path):
    fleet = tmp_path / "fleet"
    path = table(tmp_path / "w.csv", at(range(50)), benign(50))
    ingested(inlier, fleet, path, "--type", "bell", "--device", "bell1")
    again = table(tmp_path / "again.csv", at(range(50, 90)), benign(40))
    told = ingested(inlier, fleet, again, "--type", "lock", "--device", "bell1")
    assert "device 'bell1' is in type 'bell' already" in told["rejected"][0]
    path = table(tmp_path / "other.csv", at(range(0, 100, 2)), benign(50))
    code, out, _ = inlier(
        "fleet", "ingest", path, "-o", fleet, "--type", "bell", "--device", "bell2", "--source",
        "sockets", "--window", "2m", "--workers", "0", "--json",
    )  # fmt: skip
    assert code == 0 and "ingest it as another type" in json.loads(out)["rejected"][0]
    assert len(stored(fleet)) == 50 and not (fleet / "windows/type=lock").exists()
    assert not list((fleet / "staged").rglob("*.parquet"))


def test_an_ingest_that_was_cut_is_taken_up(inlier, tmp_path, monkeypatch):
    fleet, rows = tmp_path / "fleet", benign(2880)
    path = table(tmp_path / "w.csv", at(range(2880)), rows)
    whole, written = parts.write_part, []

    def fails(store, device, date, span):
        if written:
            raise OSError(28, "No space left on device", "there")
        written.append(date)
        return whole(store, device, date, span)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "write_part", fails)
        arguments = ("--type", "bell", "--device", "bell1", *OPTIONS)
        code, _, error = inlier("fleet", "ingest", path, "-o", fleet, *arguments)
        assert code == 2 and "free some space there" in error
    assert len(stored(fleet)) == 1440, "one day is whole, none is half written"
    told = ingested(inlier, fleet, path, "--type", "bell", "--device", "bell1")
    assert told["again"] == 1 and told["windows"]["new"] == 1440
    assert (stored(fleet).windows == rows).all()


def event(window, device="bell1", **changed):
    deltas = [1] * len(Sockets.counters)
    told = {"window": window, "device": device, "source": "sockets", "deltas": deltas}
    return {**told, "window_ms": 0, **changed}


def test_live_windows_lie_where_their_number_says(tmp_path):
    now = [BEGAN / 1000 + 60]
    types = {"bell1": "bell", "bell2": "bell"}
    live = Collector(
        Store(str(tmp_path)), WINDOW_MS, lambda name: types.get(name, ""), lambda: now[0]
    )
    for window in (0, 1, 3, 2):  # one that came late
        live.take(event(window))
        now[0] += 20 if window == 3 else 60
    now[0] += 20
    live.take(event(0, deltas=[2] * 14))  # it has booted
    live.flush()
    live.take(event(1))
    for bad in (
        event(5, "../etc"), event(5, "nobody"), event(5, source="pigeons"), event(5, deltas=[1]),
        event(5, deltas=[1 << 30] * 14), event(5, window_ms=2 * WINDOW_MS),
        {"problem": "garbage", "foreign": 1},
    ):  # fmt: skip
        live.take(bad)
    live.flush()
    span = stored(tmp_path)
    assert (np.diff(span.time) > 0).all() and span.windows[:, 0].tolist() == [1, 1, 1, 1, 2, 1]
    assert span.time[:4].tolist() == at(range(4))
    rejects = {k: n for k, n in live.done.counts.items() if k.startswith("no_")}
    assert live.done.counts["other_window"] == 1
    assert rejects == {"no_name": 1, "no_type": 1, "no_source": 2, "no_counter": 1, "no_event": 1}


def test_a_device_s_windows_keep_their_grid_through_flushes_and_a_few_seconds(tmp_path):
    """Else a minute would have two of them, and the next one none."""
    now = [BEGAN / 1000 + 60]
    live = Collector(Store(str(tmp_path)), WINDOW_MS, lambda name: "bell", lambda: now[0])
    for window, wait in ((0, 50), (1, 80), (2, 55), (3, 75)):  # early, late
        live.take(event(window))
        now[0] += wait
        live.flush()
        live.flush()  # it said nothing meanwhile
    assert stored(tmp_path).time.tolist() == at(range(4))


def test_live_windows_are_sorted_in_once_a_minute_and_few_are_remembered(tmp_path):
    now = [BEGAN / 1000 + 60]
    live = Collector(Store(str(tmp_path)), WINDOW_MS, lambda name: "bell", lambda: now[0])
    for window in range(RECENT + 2):
        live.take(event(window))
        live.take(event(window, "bell2"))
        now[0] += 60
    assert live._flushes == RECENT + 1
    assert all(len(known.recent) == RECENT for known in live._waiting.values())


def test_who_ends_it_finds_in_the_store_what_came(tmp_path):
    live = Collector(Store(str(tmp_path)), WINDOW_MS, lambda name: "bell")

    def feed(emit):
        emit(event(7))
        raise Interrupted("nothing was replaced")

    with pytest.raises(Interrupted, match="1 window is in the store"):
        listen(feed, live, -1, lambda problem: None)
    assert len(stored(tmp_path)) == 1


@pytest.mark.tool("mosquitto")
def test_windows_come_over_a_real_broker_and_garbage_does_no_harm(inlier, tmp_path, monkeypatch):
    monkeypatch.setenv("INLIER_MQTT_PASSWORD", PASSWORD)
    state = {"score": 0, "ae": 0, "svm": 0, "hot": 0, "source": "sockets", "features": []}
    state["deltas"] = [3] * len(Sockets.counters)
    with Broker(tmp_path) as broker, Subscriber(broker) as publisher:
        for topic, payload in (
            ("inlier/bell1/state", "{" * 40_000),
            ("inlier/bell1/state", json.dumps({**state, "window": 1, "deltas": ["x"] * 14})),
            ("inlier/bell1/state", "9" * 100_000),
            ("inlier/../state", json.dumps({**state, "window": 1})),
            ("inlier/a b\u00fc/state", json.dumps({**state, "window": 1})),
            ("inlier/" + "d" * 200 + "/state", json.dumps({**state, "window": 1})),
            ("inlier/bell1/state", json.dumps({**state, "window": 7})),
        ):  # the last is retained, so that who subscribes later has it
            publisher.publish(topic, payload, retain=True)
        publisher.publish("inlier/bell2/state", json.dumps({**state, "window": 9}), retain=True)
        eventually(lambda: len(publisher.messages) == 8)
        url = f"mqtt://{USER}@127.0.0.1:{broker.port}/inlier/+"
        code, out, error = inlier(
            "fleet", "ingest", url, "-o", tmp_path / "fleet", "--type", "bell", "--count", "2",
            "--window", "1m", "--json",
        )  # fmt: skip
    assert code == 0, error
    counts = json.loads(out)["windows"]
    assert counts["new"] == 2 and set(counts) <= {"new", "no_name", "no_event"}
    assert Store(str(tmp_path / "fleet")).devices() == [Device("bell", f"bell{i}") for i in (1, 2)]
    assert stored(tmp_path / "fleet", "bell2").windows.tolist() == [[3] * 14]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("w.csv", "--source", "pigeons"), "choose one of sockets"),
        (("w.csv", "--start", "soon"), "give a time such as 2026-01-31T00:00:00"),
        (("w.csv", "--type", "../../etc"), "a name has 1 to 64 letters"),
        (("nowhere.csv",), "check the path"),
        (("mqtt://127.0.0.1/inlier/+",), "say --type, or --devices FILE"),
        (("mqtt://127.0.0.1:1/inlier/+", "--type", "bell"), "cannot be reached"),
        (("mqtt://127.0.0.1/inlier/+", "w.csv", "--type", "b"), "listened to by itself"),
    ],
)
def test_bad_options_are_one_sentence(inlier, tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    recordings.write(tmp_path / "w.csv", recordings.Recording(Sockets.counters, benign(10)))
    code, out, error = inlier("fleet", "ingest", *arguments, "-o", tmp_path / "fleet")
    assert code == 2 and not out and expected in error.splitlines()[-1]
    assert not list(tmp_path.rglob("*.parquet"))


@needs_captures
@pytest.mark.parametrize("name", REAL)
def test_whose_a_capture_is_is_told_or_left_open(name):
    """By who has a part in most packets; where two do, nobody is guessed."""
    assert captured.whose(DATA / f"{name}.pcap.gz") in (REAL[name], None)


def test_a_capture_is_taken_in_at_the_time_of_its_device_s_first_packet(inlier, tmp_path):
    path = tmp_path / "bell.pcap"
    path.write_bytes(pcap(talk()))
    code, out, error = inlier(
        "fleet", "ingest", path, "-o", tmp_path / "fleet", "--type", "bell", "--device", DEVICE,
        "--window", "10s", "--workers", "0", "--json",
    )  # fmt: skip
    assert code == 0, error
    span = stored(tmp_path / "fleet", DEVICE.replace(":", ""))
    expected = counted(tmp_path, pcap(talk())).windows
    assert (span.windows == expected).all() and span.source == "packets"
    first = 1_700_000_000 + int(talk()[0][0])
    assert span.time.tolist() == [1000 * first + 10_000 * i for i in range(len(expected))]
