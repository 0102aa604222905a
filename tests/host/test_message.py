"""An alarm in words: what changed and what is usual, when it began, how sure,
what to do about a false one.
"""

from array import array
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from inlier.benign import PAD, most
from inlier.model import Model
from inlier.packet_counters import Packets
from inlier.pipeline import Pipeline
from inlier.procfs import Procfs
from inlier.replay import Replay
from inlier.sinks import message
from inlier.sinks.message import Episode, far_below, lasting, what_changed
from inlier.sockets import Sockets
from inlier_export import quantise, reference
from inlier_export.model_file import pack
from inlier_export.reference import Schema
from inlier_export.synthetic import random_detector

COUNTERS = ("bytes_out", "peers_new", "pigeons")
SCALES, PERSISTENCE = (0, 4), (6,)
KINDS = len(SCALES) + len(PERSISTENCE)


@pytest.fixture
def pipeline():
    """Of a device that sends 10,000 to 20,000 bytes a window, meets 0 or 1 new
    peer and no pigeon.
    """
    rng = np.random.default_rng(4)
    benign = np.stack(
        [rng.integers(10_000, 20_001, 4000), rng.integers(0, 2, 4000), np.zeros(4000, np.int64)],
        axis=1,
    )
    detector = random_detector(
        2, hidden=(4,), counters=COUNTERS, scales=SCALES, persistence=PERSISTENCE
    )
    schema = Schema(
        COUNTERS,
        SCALES,
        PERSISTENCE,
        quantise.counter_shifts(benign),
        quantise.caps(benign, COUNTERS),
    )
    start = np.zeros(detector.features, np.int64)
    f = reference.log_features(benign, schema, start)[400:].astype(np.int64)
    n = detector.features
    weights = np.zeros((n, 3), np.int64)
    weights[:, 0] = 100
    weights[KINDS - 1, 1] = 1  # the silence of bytes_out is told
    detector = replace(
        detector,
        schema=schema,
        offset=f.min(axis=0),
        high=f.max(axis=0) + PAD,
        low=np.maximum(f.min(axis=0) - PAD, 0),
        weights=weights,
        horizons=((2, 8, 1000), (8, 12, 500)),
        threshold_quiet=PAD,
    )
    return Pipeline(Model(pack(detector)), Replay((), COUNTERS))


def test_every_counter_of_a_device_has_words():
    assert not {*Procfs.counters, *Sockets.counters, *Packets.counters} - set(message.WORDS)


def step(pipeline, *deltas):
    pipeline.deltas[:] = array("i", deltas)
    return pipeline.score(pipeline.deltas)


def test_the_benign_maximum_is_read_back_from_the_model(pipeline):
    # Four fractional bits of log2, interpolated in a straight line: within 6 %.
    assert most(pipeline.model, 0) == pytest.approx(20_000, rel=0.06)
    assert most(pipeline.model, 1) == 1 and most(pipeline.model, 2) == 0


@pytest.mark.parametrize(
    ("high", "shift", "events"),
    [
        (256 + 8, 8, 65535),  # 16 octaves: 2^24 - 2^8, an event 2^8
        (256 + 8, 0, 65535 << 8),
        (256 + 8, 1, 65535 << 7),
        (256 + 8, -1, 65535 << 9),
        (8 + 1, 0, 16),
        (8, 0, 0),
        (0, 0, 0),
    ],
)
def test_the_benign_maximum_is_half_an_octave_below_the_feature_s_high(high, shift, events):
    n = len(COUNTERS)
    detector = random_detector(2, (), COUNTERS, (0,), ())
    schema = replace(detector.schema, shifts=np.full(n, shift), caps=np.arange(5, 5 + n))
    model = Model(pack(replace(detector, schema=schema, high=np.arange(n) * 16 + high, layers=[])))
    assert PAD == 8 and most(model, 0) == events
    assert [most(model, c) > most(model, c - 1) for c in (1, 2)] == [True, True]


def test_it_says_what_changed_and_what_was_most_before(pipeline):
    step(pipeline, 15_000, 41, 0)
    said = what_changed(pipeline, [("peers_new", 60), ("peers_new~16", 30), ("pigeons", 10)])
    assert said == (
        "connects to new peers: 41 in this window, at most 1 before; "
        "pigeons: more than the rest explains"
    ), "each counter once"


def test_a_window_that_is_usual_by_itself_is_told_by_its_sum(pipeline):
    for _ in range(40):
        step(pipeline, 15_000, 1, 0)
    assert (
        what_changed(pipeline, [("peers_new~16", 90)])
        == "connects to new peers: more than ever over about 16 windows"
    )


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 minutes"),
        (7199, "119 minutes"),
        (7200, "2 hours"),
        (10799, "2 hours"),
    ],
)
def test_how_long_something_lasts_is_said_in_a_unit_that_fits(pipeline, windows, expected):
    assert lasting(pipeline.model, windows) == expected, "windows of a second"


def attacked(pipeline, episode, *peers):
    """Windows with so many new peers, each told to the episode."""
    for count in peers:
        step(pipeline, 15_000, count, 0)
        episode.window(pipeline)


def test_an_episode_says_when_it_began_how_sure_and_what_to_do(pipeline):
    episode = Episode()
    attacked(pipeline, episode, 0, 41, 40, 39)
    event = episode.alarm(pipeline, [("peers_new", 100)])
    assert event["began"] == 1 and event["window"] == 3 and event["grows"] == 0
    times = event["score"] / 100
    assert event["score"] == 100 * pipeline.svm // 500, "of the lowest threshold"
    assert event["message"] == (
        "connects to new peers: 39 in this window, at most 1 before. Began 2 s ago; "
        f"far over its threshold ({int(10 * times) / 10} times). "
        "If that is benign, teach it: inlier train --add."
    )
    pipeline.hot = False
    step(pipeline, 15_000, 0, 0)
    assert episode.clear(pipeline)["message"] == "Calm again after 3 s."


def test_an_alarm_that_is_on_and_told_again_says_that_it_grows_and_since_when(pipeline):
    episode = Episode()
    attacked(pipeline, episode, 0, 41, 40)
    episode.alarm(pipeline, [("peers_new", 100)])
    attacked(pipeline, episode, *[500] * 10)
    event = episode.alarm(pipeline, [("peers_new", 100)])
    assert event["alarm"] == "ON" and event["grows"] == 1 and event["began"] == 1
    assert event["message"].startswith(
        "It grows: connects to new peers: 500 in this window, at most 1 before. On for 10 s; "
    )
    episode.clear(pipeline)
    attacked(pipeline, episode, 900)
    assert episode.alarm(pipeline, [("peers_new", 100)])["grows"] == 0, "a new one"


def test_silence_names_the_counters_that_are_far_below_usual(pipeline):
    for _ in range(10):
        step(pipeline, 15_000, 1, 0)
    assert far_below(pipeline.model, pipeline.f) == "its traffic", "none is"
    while not pipeline.quiet.event:
        step(pipeline, 0, 0, 0)
    assert pipeline.index < 400
    event = Episode().quiet(pipeline)
    assert event["quiet"] == "ON" and event["message"] == (
        "gone quiet: bytes sent far below what is usual for 6 s; often its network is away"
    )
    assert not pipeline.alarm.active, "no infection"


def test_below_usual_is_below_the_model_s_low_of_a_feature_that_a_silence_weighs():
    """Little-endian, in 12 bytes a feature: two a counter here."""
    low = 291
    entries = [bytes(4) + bytes((low & 255, low >> 8)) + bytes(4) + bytes((w, 0)) for w in (1, 0)]
    model = SimpleNamespace(
        table=lambda: b"".join([*entries, *entries]),
        counters=lambda: ("bytes_out", "pigeons"),
        kinds=(0, 1),
        features=4,
    )
    for f, words in (
        ((290, 0, 291, 0), "bytes sent"),
        ((291, 0, 290, 0), "pigeons"),
        ((0, 0, 0, 0), "bytes sent, pigeons"),
        ((291, 0, 700, 0), "its traffic"),
    ):
        assert far_below(model, f) == words, f
    model.table = lambda: entries[0] * 4
    assert far_below(model, (0, 0, 999, 999)) == "bytes sent", "once"


@pytest.mark.parametrize(("apart", "began"), [(1, 10), (7, 10), (24, 10), (25, 35), (40, 50)])
def test_hot_windows_that_one_alarm_can_rest_on_are_one_episode(pipeline, apart, began):
    """170 of 192 let 22 windows pass, 56 of 64 eight: within one alarm none is
    further apart than 24.
    """
    episode = Episode()
    for window in range(10 + apart + 1):
        step(pipeline, 15_000, 0, 0)
        assert pipeline.index == window
        pipeline.hot = window in (10, 10 + apart)
        episode.window(pipeline)
    event = episode.alarm(pipeline, [])
    assert event["began"] == began


def test_each_counter_is_said_once_and_what_says_nothing_by_itself_together(pipeline):
    step(pipeline, 15_000, 1, 5)
    assert (
        what_changed(pipeline, [("pigeons", 90)]) == "pigeons: 5 in this window, at most 0 before"
    )
    step(pipeline, 30_000, 1, 0)
    assert what_changed(pipeline, [("nobody_s", 50), ("bytes_out", 30), ("bytes_out~4", 20)]) == (
        f"bytes sent: 30000 in this window, at most {most(pipeline.model, 0)} before"
    ), "each counter once, and none that the model does not know"
    said = what_changed(pipeline, [("peers_new~16", 90), ("pigeons", 10)])
    assert said == (
        "connects to new peers: more than ever over about 16 windows; "
        "pigeons: more than the rest explains"
    ), "each its own"
    said = what_changed(pipeline, [("nobody_s", 100)])
    assert said == "unusual together: bytes sent, connects to new peers, pigeons"


@pytest.mark.parametrize(("svm", "least", "per_cent"), [(50, 200, 25), (199, 200, 99), (3, 0, 300)])
def test_a_score_is_in_per_cent_of_the_lowest_threshold(svm, least, per_cent):
    assert message.score(SimpleNamespace(least=least, svm=svm)) == per_cent


def test_what_is_said_of_every_window():
    rules = (2, 8, 200), (8, 12, 100)
    window = SimpleNamespace(
        model=SimpleNamespace(source="sockets", window_ms=500, horizons=lambda: iter(rules)),
        least=100,
        ae=100,
        svm=50,
        hot=False,
        index=12,
        deltas=array("i", [3, 0]),
        explain=list,
        alarm=SimpleNamespace(horizons=SimpleNamespace(counts=bytearray((1, 7))), hold=0),
        quiet=SimpleNamespace(active=False),
    )
    calm = {
        "score": 50,
        "ae": 100,
        "svm": 50,
        "hot": 0,
        "window": 12,
        "horizons": [[2, 8, 200, 1], [8, 12, 100, 7]],
        "gone": 0,
        "held": 0,
        "source": "sockets",
        "window_ms": 500,
        "deltas": [3, 0],
    }
    assert message.state(window) == calm
    window.quiet.active = window.hot = True
    window.alarm.hold = 8
    window.explain = lambda: [("peers", 90), ("ports", 10)]
    assert message.state(window) == calm | {
        "hot": 1,
        "gone": 1,
        "held": 1,
        "features": [["peers", 90], ["ports", 10]],
    }, "why, where there is something to say"
    window.alarm.hold = 1
    assert message.state(window)["held"] == 1, "of the next window"
    for least, per_cent in ((2, 10000), (1, 20000), (0, 20000)):
        window.least = least
        assert message.state(window)["horizons"][0][2] == per_cent


def hot_at(index, per_cent, window_ms=1000):
    model = SimpleNamespace(window_ms=window_ms, counters=tuple)
    return SimpleNamespace(model=model, least=100, svm=per_cent, hot=True, index=index, deltas=[])


@pytest.mark.parametrize(
    ("per_cent", "said"),
    [
        (100, "just over its threshold (1.0 times)"),
        (199, "just over its threshold (1.9 times)"),
        (200, "clearly over its threshold (2.0 times)"),
        (999, "clearly over its threshold (9.9 times)"),
        (1000, "far over its threshold (10.0 times)"),
    ],
)
def test_how_sure_is_said_in_words_and_in_numbers(per_cent, said):
    event = Episode().alarm(hot_at(7, per_cent), [])
    assert said in event["message"] and event["score"] == per_cent
    assert event["began"] == event["window"] == 7 and "Began just now; " in event["message"], (
        "the monitor calls it before it has told of the window"
    )


def test_an_episode_s_times_are_those_of_its_windows_and_its_peak_is_of_its_own():
    episode = Episode()
    episode.window(hot_at(5, 900, 10_000))
    for index in range(100, 2101, 8):
        episode.window(hot_at(index, 150, 10_000))
    event = episode.alarm(hot_at(2100, 120, 10_000), [])
    assert "Began 5 hours ago; just over" in event["message"] and event["score"] == 150
    over = episode.clear(hot_at(2101, 0, 10_000))
    assert over["message"] == "Calm again after 5 hours." and over["began"] == 100


def test_since_when_something_was_on_before_a_reboot_is_not_told():
    """secure/state.py brings an alarm back, and nothing of its words."""
    now = hot_at(11, 0, 10_000)
    over = Episode().clear(now)
    assert (over["began"], over["message"]) == (0, "Calm again after a reboot.")
    now.quiet = SimpleNamespace(active=False)
    assert Episode().quiet(now)["message"] == "back after a reboot"


def test_an_alarm_of_the_first_window_grows_too():
    episode = Episode()
    assert episode.alarm(hot_at(0, 200), [])["grows"] == 0
    assert episode.alarm(hot_at(1, 200), [])["grows"] == 1


def test_a_silence_lasts_from_its_first_window(monkeypatch):
    monkeypatch.setattr(message, "far_below", lambda model, f: "bytes sent")
    episode, now = Episode(), hot_at(10, 0, 10_000)
    now.model.quiet_after, now.f, now.quiet = 6, (), SimpleNamespace(active=True)
    gone = episode.quiet(now)
    assert (gone["quiet"], gone["window"]) == ("ON", 10), "in the sixth, after 5 to 9"
    now.index, now.quiet.active = 16, False
    assert episode.quiet(now) == {"quiet": "OFF", "window": 16, "message": "back after 110 s"}


@pytest.mark.parametrize(("every", "states"), [((), []), ((1,), [0, 1, 2, 3]), ((3,), [0, 3])])
def test_a_sink_that_tells_gets_each_event_and_every_nth_state(monkeypatch, every, states):
    monkeypatch.setattr(message, "state", lambda pipeline: pipeline.index)
    teller, events, told = message.Teller(*every), [], []
    teller.tell, teller.tell_state = events.append, told.append
    for index in range(4):
        teller.on_window(hot_at(index, 150))
    now = hot_at(3, 150)
    now.quiet = SimpleNamespace(active=False)
    teller.on_alarm(now, [("peers", 100)])
    teller.on_clear(now)
    teller.on_quiet(now)
    assert told == states
    assert [event.get("began") for event in events] == [0, 0, None], "one episode, from window 0"
    assert [event.get("alarm", event.get("quiet")) for event in events] == ["ON", "OFF", "OFF"]
