"""An alarm in words: what changed and what is usual, when it began, how sure,
what to do about a false one.
"""

from array import array
from dataclasses import replace

import numpy as np
import pytest

from inlier.benign import PAD, most
from inlier.model import Model
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
    assert not {*Procfs.counters, *Sockets.counters} - set(message.WORDS)


def step(pipeline, *deltas):
    pipeline.deltas[:] = array("i", deltas)
    return pipeline.score(pipeline.deltas)


def test_the_benign_maximum_is_read_back_from_the_model(pipeline):
    # Four fractional bits of log2, interpolated in a straight line: within 6 %.
    assert most(pipeline.model, 0) == pytest.approx(20_000, rel=0.06)
    assert most(pipeline.model, 1) == 1 and most(pipeline.model, 2) == 0


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
    [(0, "0 s"), (119, "119 s"), (120, "2 minutes"), (7199, "119 minutes"), (7200, "2 hours")],
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
