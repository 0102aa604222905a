"""Sinks: a switch, several at once, an alarm's words and states as events,
reports for AWS IoT Device Defender.
"""

import json

import golden

from inlier.pipeline import Pipeline
from inlier.sinks import Sink, Together
from inlier.sinks.defender import Defender
from inlier.sinks.lines import Lines
from inlier.sinks.signal import Signal


def pipeline():
    model = golden.model()
    p = Pipeline(model, golden.Source(model.counters()))
    p.step()
    return p


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


def test_several_sinks_are_one_and_none_has_a_problem():
    seen = []

    class Seen:
        on_alarm = on_clear = on_window = on_quiet = lambda self, *what: seen.append(what)

    sinks = Together(Seen(), Sink(), Seen())
    sinks.on_alarm(1, [2])
    for callback in (sinks.on_clear, sinks.on_window, sinks.on_quiet):
        callback(3)
    assert seen == [(1, [2])] * 2 + [(3,)] * 6 and sinks.problem is None


def test_a_sink_that_fails_does_not_keep_the_others_from_theirs():
    said = []
    told = []
    quiet = Signal(None)
    quiet.on_quiet = told.append
    quiet.on_alarm = quiet.on_clear = lambda *_: None
    sinks = Together(Broken(), Signal(said.append), quiet)
    sinks.on_window(None)
    assert sinks.problem.errno == 28
    sinks.problem = None
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


def test_lines_are_printed_sealed_one_of_each_window():
    from inlier.line import seal
    from inlier.sinks import lines

    said = []
    lines.print = said.append
    p = pipeline()
    try:
        sink = Lines()
        for p.index in range(3):
            sink.on_window(p)
        sink.on_clear(p)
    finally:
        del lines.print
    assert [line[:4] for line in said] == ["~e {"] * 4
    assert all([seal(line.rpartition(" *")[0]) == line for line in said])
    events = [json.loads(line[3:].rpartition(" *")[0]) for line in said]
    assert [e["window"] for e in events] == [0, 1, 2, 2] and events[3]["alarm"] == "OFF"


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


def test_short_names_are_those_of_the_documentation():
    p = pipeline()
    p.model.counters = lambda: ("packets_out", "bytes_in", "packets_in", "bytes_out")
    told = []
    now = [5]
    sink = Defender("bell", lambda topic, text: told.append(json.loads(text)), lambda: now[0], True)
    p.alarm.active = True  # raised before the last boot
    for i in range(4):
        p.deltas[i] = i + 1
    p.svm = p.least
    for now[0] in (304.9, 305.4, 605.4):  # by whole seconds, and 300 of them
        sink.on_window(p)
        p.alarm.active = False
        p.svm = 0
    counted = {"po": 2, "bi": 4, "pi": 6, "bo": 8}, {"po": 1, "bi": 2, "pi": 3, "bo": 4}
    assert told == [
        {
            "hed": {"rid": at, "v": "1.0"},
            "met": {"ns": sums},
            "cmet": {
                "inlier_score": [{"number": number}],
                "inlier_alarm": [{"number": number // 100}],
            },
        }
        for at, sums, number in ((305, counted[0], 100), (605, counted[1], 0))
    ]


def test_a_report_of_a_device_without_evidence_is_of_zeros():
    p = pipeline()
    p.svm = -p.least
    told = []
    now = [0]
    sink = Defender("bell", lambda topic, text: told.append(json.loads(text)), lambda: now[0])
    now[0] = 300
    sink.on_window(p)
    zero = [{"number": 0}]
    assert told[0]["custom_metrics"] == {"inlier_score": zero, "inlier_alarm": zero}


def test_a_period_that_would_be_throttled_is_refused():
    Defender("bell", None, lambda: 0, period_s=300)
    try:
        Defender("bell", None, lambda: 0, period_s=299)
        raise AssertionError
    except ValueError as error:
        assert "period_s 299: Device Defender takes one report in 300 s" in str(error)
