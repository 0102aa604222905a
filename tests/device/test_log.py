"""The log of alarms: two files within their bytes, which outlive power cuts,
full flash and what is no text.
"""

import json
import os

import golden
from golden import folder

from inlier.pipeline import Pipeline
from inlier.sinks import log
from inlier.sinks.log import Log


def pipeline():
    model = golden.model()
    p = Pipeline(model, golden.Source(model.counters()))
    p.step()
    return p


def size(path):
    try:
        return os.stat(path)[6]
    except OSError:
        return -1  # there is none


def test_it_keeps_the_last_alarms_within_its_bytes():
    path = folder() + "/log"
    p = pipeline()
    kept = Log(path, 2048)
    for i in range(40):
        p.index = i
        kept.on_window(p)
        kept.on_alarm(p, [("c0", 90)])
        kept.on_clear(p)
        assert max(size(path), 0) + max(size(path + ".old"), 0) <= 2048
    events = kept.lines()
    assert kept.problem is None and kept.lost == 0
    assert [e["alarm"] for e in events[-2:]] == ["ON", "OFF"] and events[-1]["window"] == 39
    assert events[-2]["features"] == [["c0", 90]] and "Began" in events[-2]["message"]
    written = sum(len(json.dumps(e)) + 1 for e in events)
    assert 1024 - 400 < written <= 2048, "half of it at least, but for one line"


def test_a_file_stays_below_half_of_the_bytes_and_then_becomes_the_old_one():
    for max_bytes, kept in (
        (36, [4, 5]),  # a line takes 9: two would take the half
        (37, [2, 3, 4, 5]),
        (54, [2, 3, 4, 5]),
        (55, [0, 1, 2, 3, 4, 5]),
    ):
        path = folder() + "/log"
        sink = Log(path, max_bytes)
        for i in range(6):
            sink.tell({"i": i})
        assert [event["i"] for event in sink.lines()] == kept, max_bytes
        assert size(path) == 9 * (len(kept) // 2) == size(path + ".old")


def test_unless_told_otherwise_it_takes_8_kb():
    for second, rotates in ((2095, False), (2096, True)):
        path = folder() + "/log"
        sink = Log(path)
        for length in (2000, second):
            sink.tell("." * (length - 3))  # two quotes and its end
        assert (size(path + ".old") == 2000) == rotates
        assert size(path) == (2096 if rotates else 4095)


def test_a_line_torn_by_a_power_cut_costs_only_itself():
    path = folder() + "/log"
    p = pipeline()
    Log(path).on_alarm(p, [])
    with open(path, "a") as f:
        f.write('{"alarm": "OF')
    kept = Log(path)
    kept.on_clear(p)
    kept.on_alarm(p, [])
    assert [e["alarm"] for e in kept.lines()] == ["ON", "OFF", "ON"]


def test_what_lies_there_is_looked_at_once_after_a_boot():
    path = folder() + "/log"
    for i in range(2):
        reads = []
        log.open = lambda name, mode: reads.append(mode) or open(name, mode)
        try:
            sink = Log(path)
            sink.tell({"i": i})
            sink.tell({"i": i})
        finally:
            del log.open
        assert reads == (["rb", "a", "a"] if i else ["a", "a"])
    with open(path) as f:
        assert f.read() == '{"i": 0}\n' * 2 + '{"i": 1}\n' * 2, "a whole line needs no end more"


def test_what_is_no_text_costs_only_its_line():
    """A power cut leaves blocks that were erased, and worn flash anything."""
    path = folder() + "/log"
    p = pipeline()
    Log(path).on_alarm(p, [])
    with open(path, "ab") as f:
        f.write(b"\xff\xff\xfe\x00" * 9)
    kept = Log(path)
    kept.on_clear(p)
    assert [e["alarm"] for e in kept.lines()] == ["ON", "OFF"]


def test_a_flash_that_is_full_or_missing_does_not_stop_the_scoring():
    place = folder()
    p = pipeline()
    kept = Log(place + "/missing/log")
    kept.on_alarm(p, [])
    kept.on_clear(p)
    assert isinstance(kept.problem, OSError) and kept.lost == 2 and kept.lines() == []
    os.mkdir(place + "/missing")
    kept.on_alarm(p, [])
    assert kept.problem is None and kept.lost == 2 and len(kept.lines()) == 1, "once there is room"
    os.remove(place + "/missing/log")
    os.rmdir(place + "/missing")
