"""An alarm in words: what changed and what is usual, when it began, how sure,
what to do about a false one.
"""

from array import array
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from inlier.benign import usual
from inlier.model import Model
from inlier.pipeline import Pipeline
from inlier.procfs import Procfs
from inlier.replay import Replay
from inlier.sinks import message
from inlier.sinks.message import Episode, what_changed
from inlier.sockets import Sockets
from inlier_export import quantise, reference
from inlier_export.model_file import pack
from inlier_export.synthetic import random_detector

COUNTERS = ("bytes_out", "peers_new", "pigeons")


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
    detector = random_detector(2, hidden=(4,), counters=COUNTERS)
    shifts = quantise.counter_shifts(benign)
    offset, multiplier = quantise.feature_ranges(
        reference.log_features(benign, shifts, detector.scales)[100:]
    )
    blob = pack(replace(detector, shifts=shifts, offset=offset, multiplier=multiplier))
    return Pipeline(Model(blob), Replay((), COUNTERS))


def test_every_counter_of_a_device_has_words():
    assert not {*Procfs.counters, *Sockets.counters} - set(message._WORDS)


def step(pipeline, *deltas):
    pipeline.deltas[:] = array("i", deltas)
    return pipeline.score(pipeline.deltas)


def test_the_benign_range_is_read_back_from_the_quantisation(pipeline):
    scales = len(pipeline.model.scales)
    low, high = usual(pipeline.model, 0)
    # Four fractional bits of log2, interpolated in a straight line: within 6 %.
    assert low == pytest.approx(10_000, rel=0.06) and high == pytest.approx(20_000, rel=0.06)
    assert usual(pipeline.model, scales) == (0, 1) and usual(pipeline.model, 2 * scales) == (0, 0)


def test_it_says_what_changed_and_what_is_usual(pipeline):
    step(pipeline, 15_000, 41, 0)
    said = what_changed(pipeline, [("peers_new", 60), ("peers_new~4", 30), ("pigeons", 10)])
    assert said == "connects to new peers: 41 in this window, usually 0-1", (
        "a counter within its range is passed over"
    )


def test_a_window_that_is_usual_by_itself_is_told_by_its_mean(pipeline):
    for _ in range(40):
        step(pipeline, 15_000, 1, 0)
    assert (
        what_changed(pipeline, [("peers_new~16", 90)])
        == "connects to new peers: more than usual over about 16 windows"
    )


def test_an_episode_says_when_it_began_how_sure_and_what_to_do(pipeline):
    episode = Episode()
    pipeline.model.threshold_ae, pipeline.model.threshold_svm = 1 << 30, 1 << 30
    step(pipeline, 15_000, 0, 0)
    episode.window(pipeline)
    for peers in (41, 40, 39):
        step(pipeline, 15_000, peers, 0)
        pipeline.model.threshold_ae = pipeline.ae * 10 // 34  # so that the score is 3.4 times over
        pipeline.hot = True
        episode.window(pipeline)
    event = episode.alarm(pipeline, [("peers_new", 100)])
    assert event["began"] == 1 and event["window"] == 3 and 339 <= event["score"] <= 341
    assert event["message"] == (
        "connects to new peers: 39 in this window, usually 0-1. Began 2 s ago; "
        "clearly over its threshold (3.4 times). If that is benign, teach it: inlier train --add."
    )
    pipeline.hot = False
    step(pipeline, 15_000, 0, 0)
    assert episode.clear(pipeline)["message"] == "Quiet again after 3 s."


@pytest.mark.parametrize(("apart", "began"), [(1, 10), (3, 10), (7, 10), (9, 19), (40, 50)])
def test_hot_windows_that_one_alarm_can_rest_on_are_one_episode(pipeline, apart, began):
    """2 of 8: two hot windows 7 apart are within 8, however few must be hot."""
    pipeline.model.alarm = (2, 8, 5, 8, 0)
    episode = Episode()
    for window in range(10 + apart + 1):
        step(pipeline, 15_000, 0, 0)
        assert pipeline.index == window
        pipeline.hot = window in (10, 10 + apart)
        episode.window(pipeline)
    event = episode.alarm(pipeline, [])
    assert event["began"] == began


def test_fewer_and_none_and_together_are_said_too(pipeline):
    step(pipeline, 15_000, 1, 5)
    assert what_changed(pipeline, [("pigeons", 90)]) == "pigeons: 5 in this window, usually 0"
    step(pipeline, 30, 1, 0)
    (low, high) = usual(pipeline.model, 0)
    assert (
        what_changed(pipeline, [("nobody_s", 50), ("bytes_out", 30), ("bytes_out~4", 20)])
        == f"bytes sent: 30 in this window, usually {low}-{high}"
    ), "each counter once, and none that the model does not know"
    for _ in range(60):
        step(pipeline, 30, 1, 0)
    pipeline.deltas[0] = 15_000  # in range itself, after many that were not
    said = what_changed(pipeline, [("bytes_out~16", 90), ("peers_new", 5)])
    assert said == "bytes sent: fewer than usual over about 16 windows"
    said = what_changed(pipeline, [("peers_new~16", 90)])
    assert said == "connects to new peers: more than usual over about 16 windows", "each its own"
    said = what_changed(pipeline, [("bytes_out", 50), ("pigeons", 50)])
    assert said == "unusual together: bytes sent, pigeons"


@pytest.mark.parametrize(
    ("ae", "svm", "per_cent"),
    [
        (50, 0, 25),
        (50, 30, 30),  # the larger
        (0, -70, 0),  # the one-class SVM's distance of an inlier
        (199, 0, 99),
        (1000, 3000, 3000),
    ],
)
def test_a_score_is_in_per_cent_of_its_threshold(ae, svm, per_cent):
    model = SimpleNamespace(threshold_ae=200, threshold_svm=100)
    assert message.score(SimpleNamespace(model=model, ae=ae, svm=svm)) == per_cent
    nothing = SimpleNamespace(threshold_ae=0, threshold_svm=0)
    assert message.score(SimpleNamespace(model=nothing, ae=2, svm=1)) == 200
    assert message.score(SimpleNamespace(model=nothing, ae=1, svm=2)) == 200


def test_what_is_said_of_every_window():
    model = SimpleNamespace(threshold_ae=200, threshold_svm=100, source="sockets")
    window = SimpleNamespace(
        model=model, ae=100, svm=7, hot=False, index=12, deltas=array("i", [3, 0]), explain=list
    )
    calm = {
        "score": 50,
        "ae": 100,
        "svm": 7,
        "hot": 0,
        "window": 12,
        "source": "sockets",
        "deltas": [3, 0],
    }
    assert message.state(window) == calm
    window.hot, window.explain = True, lambda: [("peers", 90), ("ports", 10)]
    assert message.state(window) == calm | {
        "hot": 1,
        "features": [["peers", 90], ["ports", 10]],
    }, "why, where there is something to say"


def hot_at(index, per_cent, window_ms=1000):
    model = SimpleNamespace(
        threshold_ae=100,
        threshold_svm=100,
        alarm=(2, 8, 5, 8, 0),
        window_ms=window_ms,
        counters=tuple,
        scales=(0,),
    )
    return SimpleNamespace(model=model, ae=per_cent, svm=0, hot=True, index=index, deltas=[])


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


def test_an_episode_s_times_are_in_seconds_and_its_peak_is_of_its_own():
    episode = Episode()
    episode.window(hot_at(5, 900, 10_000))
    for index in range(100, 2101, 8):
        episode.window(hot_at(index, 150, 10_000))
    event = episode.alarm(hot_at(2100, 120, 10_000), [])
    assert "Began 20000 s ago; just over" in event["message"] and event["score"] == 150
    over = episode.clear(hot_at(2101, 0, 10_000))
    assert over["message"] == "Quiet again after 20010 s." and over["began"] == 100
