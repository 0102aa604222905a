"""Sinks: a log ring that outlives full flash and power cuts, a switch, several
at once, a queue that loses scores first, reports for AWS IoT Device Defender.
"""

import json
import os

import golden

from inlier.pipeline import Pipeline
from inlier.sinks import Together
from inlier.sinks.defender import Defender
from inlier.sinks.lines import Lines
from inlier.sinks.log import Log
from inlier.sinks.outbox import Outbox
from inlier.sinks.signal import Signal

PATH = "sinks_test.log"


def pipeline():
    model = golden.model()
    p = Pipeline(model, golden.Source(model.counters()))
    p.step()
    return p


def remove():
    for path in (PATH, PATH + ".old"):
        if path in os.listdir("."):
            os.remove(path)


def test_the_log_keeps_the_last_alarms_within_its_bytes():
    remove()
    p = pipeline()
    log = Log(PATH, 2048)
    for i in range(40):
        p.index = i
        log.on_window(p)
        log.on_alarm(p, [("c0", 90)])
        log.on_clear(p)
        assert (
            sum(os.stat(path)[6] for path in (PATH, PATH + ".old") if path in os.listdir("."))
            <= 2048
        )
    events = log.lines()
    assert log.problem is None and log.lost == 0
    assert [e["alarm"] for e in events[-2:]] == ["ON", "OFF"] and events[-1]["window"] == 39
    assert events[-2]["features"] == [["c0", 90]] and "Began" in events[-2]["message"]
    written = sum(len(json.dumps(e)) + 1 for e in events)
    assert 1024 - 400 < written <= 2048, "half of it at least, but for one line"
    remove()


def test_a_line_torn_by_a_power_cut_costs_only_itself():
    remove()
    p = pipeline()
    Log(PATH).on_alarm(p, [])
    with open(PATH, "a") as f:
        f.write('{"alarm": "OF')
    log = Log(PATH)
    log.on_clear(p)
    log.on_alarm(p, [])
    assert [e["alarm"] for e in log.lines()] == ["ON", "OFF", "ON"]
    remove()


def test_what_is_no_text_costs_only_its_line():
    """A power cut leaves blocks that were erased, and worn flash anything."""
    remove()
    p = pipeline()
    Log(PATH).on_alarm(p, [])
    with open(PATH, "ab") as f:
        f.write(b"\xff\xff\xfe\x00" * 9)
    log = Log(PATH)
    log.on_clear(p)
    assert [e["alarm"] for e in log.lines()] == ["ON", "OFF"]
    remove()


def test_a_flash_that_is_full_or_missing_does_not_stop_the_scoring():
    p = pipeline()
    log = Log("no_such_folder/alarms.log")
    log.on_alarm(p, [])
    log.on_clear(p)
    assert isinstance(log.problem, OSError) and log.lost == 2 and log.lines() == []


def test_a_switch_follows_the_alarm():
    said = []
    sink = Signal(said.append)
    sink.on_window(None)
    sink.on_alarm(None, [])
    sink.on_clear(None)
    assert said == [1, 0]


class Broken:
    def on_alarm(self, *_):
        raise OSError(28, "no space left")

    on_clear = on_window = on_quiet = on_alarm


def test_a_sink_that_fails_does_not_keep_the_others_from_theirs():
    said = []
    told = []
    quiet = Signal(None)
    quiet.on_quiet = told.append
    quiet.on_alarm = quiet.on_clear = lambda *_: None
    sinks = Together(Broken(), Signal(said.append), quiet)
    sinks.on_window(None)
    sinks.on_alarm(None, [])
    sinks.on_clear(None)
    sinks.on_quiet(None)
    assert said == [1, 0] and sinks.problem.errno == 28, "and quiet switches nothing"
    assert told == [None]


def told(calls):
    """What a sink tells of callbacks on the golden model: (name, window, active
    of quiet) each.
    """
    events = []
    sink = Lines(events.append, state_every=0)
    p = pipeline()
    p.model.window_ms = 10000
    for name, p.index, p.quiet.active in calls:
        getattr(sink, name)(*((p, [("c0", 90)]) if name == "on_alarm" else (p,)))
    return events


def test_an_alarm_that_grows_is_told_again_with_how_long_it_is_on():
    events = told(
        (
            ("on_alarm", 10, False),
            ("on_alarm", 40, False),
            ("on_clear", 60, False),
            ("on_alarm", 90, False),
        )
    )
    assert [(e["alarm"], e.get("grows")) for e in events] == [
        ("ON", 0),
        ("ON", 1),
        ("OFF", None),
        ("ON", 0),
    ], "after a clear it is a new one"
    assert "It grows: " in events[1]["message"] and "On for 5 minutes" in events[1]["message"]
    assert "grows" not in events[0]["message"] and events[2]["message"].startswith("Calm again")


def test_gone_quiet_is_told_in_its_own_words_and_is_no_alarm():
    away, back = told((("on_quiet", 100, True), ("on_quiet", 200, False)))
    # quiet_after 6 windows of 10 s: silent since window 95.
    assert away["quiet"] == "ON" and "alarm" not in away and "alarm" not in back
    assert "far below what is usual for 60 s; often its network is away" in away["message"]
    assert back == {"quiet": "OFF", "window": 200, "message": "back after 17 minutes"}


def test_the_state_says_how_full_each_horizon_is():
    events = []
    sink = Lines(events.append)
    p = pipeline()
    sink.on_window(p)
    (state,) = events
    assert state["gone"] == 0 and state["score"] == 100 * p.svm // p.least
    horizons = list(p.model.horizons())
    assert [h[:2] for h in state["horizons"]] == [[k, n] for k, n, _ in horizons]
    assert state["horizons"][-1][2] == 100, "thresholds in per cent of the lowest"


def test_a_full_queue_drops_the_oldest_score_before_any_alarm():
    box = Outbox(4)
    for name, qos in (("s1", 0), ("A1", 1), ("s2", 0), ("A2", 1), ("A3", 1), ("s3", 0), ("A4", 1)):
        box.put("t", name, True, qos)
    # A3 pushes s1 out, s3 pushes s2 out, A4 pushes s3 out.
    assert [entry[1] for entry in box._entries] == ["A1", "A2", "A3", "A4"] and (
        box.dropped,
        box.lost,
    ) == (3, 0)
    box.put("t", "s4", True, 0)
    assert (box.dropped, box.lost) == (4, 0), "a score that finds only alarms goes itself"
    box.put("t", "A5", True, 1)
    assert [entry[1] for entry in box._entries] == ["A2", "A3", "A4", "A5"] and box.lost == 1


def reports(short_names, seconds):
    """Windows of 10 s with 100 bytes in each, an alarm in the first report's
    time.
    """
    p = pipeline()
    p.model.counters = lambda: ("bytes_in", "bytes_out", "peers")
    now = [1000]
    told = []
    sink = Defender(
        "bell",
        lambda topic, payload: told.append((now[0], topic, json.loads(payload))),
        lambda: now[0],
        short_names,
    )
    for i in range(seconds // 10):
        now[0] += 10
        p.deltas[0] = 100
        p.deltas[1] = i
        p.svm = p.least * (3 if i == 2 else 0)
        if i == 2:
            sink.on_alarm(p, [])
            sink.on_clear(p)
        sink.on_window(p)
    return told


def test_a_device_defender_report_is_the_documented_json():
    told = reports(False, 700)
    assert [at for at, _, _ in told] == [1300, 1600], "one in 300 s"
    assert told[0][1] == "$aws/things/bell/defender/metrics/json"
    assert told[0][2] == {
        "header": {"report_id": 1300, "version": "1.0"},
        "metrics": {"network_stats": {"bytes_in": 3000, "bytes_out": sum(range(30))}},
        "custom_metrics": {"inlier_score": [{"number": 300}], "inlier_alarm": [{"number": 1}]},
    }
    assert told[1][2]["metrics"]["network_stats"] == {
        "bytes_in": 3000,
        "bytes_out": sum(range(30, 60)),
    }, "deltas"
    assert told[1][2]["custom_metrics"] == {
        "inlier_score": [{"number": 0}],
        "inlier_alarm": [{"number": 0}],
    }


def test_short_names_and_a_period_that_would_be_throttled():
    (first,) = reports(True, 310)
    assert (
        first[2]["hed"] == {"rid": 1300, "v": "1.0"}
        and first[2]["met"]["ns"]["bi"] == 3000
        and "inlier_score" in first[2]["cmet"]
    )
    try:
        Defender("bell", None, lambda: 0, period_s=60)
        raise AssertionError
    except ValueError as error:
        assert "one report in 300 s" in str(error)
