"""The recipe: what is woven into what, which models are trained, and what is
asked of each. The trainings themselves are made up.
"""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

from inlier_export.errors import BadInput
from inlier_trainer import learn, learnable, units
from inlier_trainer.trainer import Settings
from inlier_trainer.units import LeftOut

SETTINGS = Settings("replay", ("a", "b"), window_ms=60_000)
DAY = 24 * 60  # windows
QUIET = "quiet"


def unit(first, *lengths):
    """Windows numbered from `first`, in runs of so many."""
    ends = np.cumsum(lengths)
    rows = first + np.arange(ends[-1])
    return np.split(np.stack([rows, rows], axis=1), ends[:-1])


@dataclass
class Made:
    """What train() was asked for."""

    runs: list[int]  # the first window of each
    first: np.ndarray  # of the runs
    origin: str
    of: list[int]
    settings: Settings
    detector: object = field(default_factory=lambda: SimpleNamespace(horizons=((2, 8, 900),)))

    def summary(self):
        return {"origin": self.origin}

    def with_detector(self, detector):
        return replace(self, detector=detector)


@pytest.fixture
def trainings(monkeypatch):
    """Each that was asked for, in order. A run by a model raises an alarm in
    each window that is a multiple of 1,000, and has others on.
    """
    made = []

    def train(runs, settings, origin, progress, of):
        progress("fits", 1, 1)
        made.append(Made([int(run[0, 0]) for run in runs], runs[0], origin, list(of), settings))
        return made[-1]

    def run(detector, windows):
        at = windows[:, 0]
        return SimpleNamespace(event=np.where(at % 1000 == 0, 1, np.where(at % 1000 < 3, 2, -1)))

    monkeypatch.setattr(units, "train", train)
    monkeypatch.setattr(units.reference, "run", run)
    return made


UNITS = [unit(100_001, 500, 300), unit(200_000, 2 * DAY), unit(300_000, 400, 2000)]
NAMES = ["hall", "door", "gate"]


def test_each_unit_is_tested_on_the_model_of_the_others(trainings):
    told = []
    found = units.leave_each_out(UNITS, SETTINGS, NAMES, lambda *said: told.append(said))
    assert [(made.origin, made.runs, made.of) for made in trainings] == [
        ("door, gate", [200_000, 300_000, 300_400], [0, 1, 1]),
        ("hall, gate", [100_001, 100_501, 300_000, 300_400], [0, 0, 1, 1]),
        ("hall, door", [100_001, 100_501, 200_000], [0, 0, 1]),
    ]
    assert all(made.settings is SETTINGS for made in trainings)
    assert found == [
        LeftOut("hall", 800, pytest.approx(800 / DAY), 0),
        LeftOut("door", 2 * DAY, 2.0, 3),
        LeftOut("gate", 2400, pytest.approx(2400 / DAY), 3),
    ]
    assert told == [("leaving each unit out", i, 3) for i in range(4)], "no fit's own progress"
    assert found[1].summary() == {
        "recording": "door", "windows": 2 * DAY, "days": 2.0, "alarm_episodes": 3
    }  # fmt: skip


def test_a_model_is_of_all_units_and_each_is_then_left_out(trainings):
    told = []
    found = learn.learn(UNITS, NAMES, SETTINGS, progress=lambda *said: told.append(said))
    assert trainings[0].origin == "hall, door, gate" and trainings[0].of == [0, 0, 1, 2, 2]
    assert trainings[0].runs == [100_001, 100_501, 200_000, 300_000, 300_400]
    assert found.trained is trainings[0] and len(trainings) == 4
    assert told[0] == ("fits", 1, 1) and told[-1] == ("leaving each unit out", 3, 3)
    assert found.before is trainings[0].detector and found.added == 0
    assert found.summary() == {
        "origin": "hall, door, gate",
        "left_out": [unit.summary() for unit in found.left_out],
    }
    assert [left.recording for left in found.left_out] == NAMES


def test_of_one_unit_none_is_left_out(trainings):
    found = learn.learn(UNITS[:1], NAMES[:1], SETTINGS)
    assert found.left_out == [] and len(trainings) == 1
    assert trainings[0].first is UNITS[0][0], "no copy of what nothing is woven into"
    assert found.summary() == {"origin": "hall", "left_out": []}


def test_of_two_units_each_is(trainings):
    found = learn.learn(UNITS[:2], NAMES[:2], SETTINGS)
    assert [left.recording for left in found.left_out] == ["hall", "door"]


def test_what_was_a_false_alarm_is_woven_into_the_first_unit_and_keeps_quiet(
    trainings, monkeypatch
):
    span, asked = np.full((7, 2), -1), []

    def weave(runs, added):
        assert runs is UNITS[0] and added == [span]
        return unit(500_000, 900)

    def keep_quiet(detector, recording, added):
        asked.append((detector, recording[:, 0].tolist(), added))
        return QUIET

    monkeypatch.setattr(learn, "weave", weave)
    monkeypatch.setattr(learn, "keep_quiet", keep_quiet)
    found = learn.learn(UNITS, NAMES, SETTINGS, (span,))
    assert [made.runs for made in trainings] == [
        [500_000, 200_000, 300_000, 300_400],
        [200_000, 300_000, 300_400],
        [500_000, 300_000, 300_400],
        [500_000, 200_000],
    ]
    (quiet,) = asked
    assert quiet == (trainings[0].detector, list(range(100_001, 100_801)), [span]), (
        "the calm around it is the recording's own"
    )
    assert found.trained.detector == QUIET and found.before is trainings[0].detector
    assert found.added == 7
    assert found.summary()["added_windows"] == 7
    assert found.summary()["horizons_learned"] == [[2, 8, 900]], "before it was raised"


def test_each_unit_is_looked_at_before_any_is_trained(trainings, monkeypatch):
    looked = []
    found = learnable.check

    def check(rows, counters, name, least, allowed):
        looked.append((name, least, allowed))
        found(rows, counters, name, least, allowed)

    monkeypatch.setattr(learnable, "check", check)
    learn.learn(UNITS, NAMES, SETTINGS)
    assert looked == [(name, 333, {"a", "b"}) for name in NAMES], "a counter may rest in one"
    del trainings[:]
    with pytest.raises(BadInput, match="short: 332 windows, at least 333 are needed"):
        learn.learn([*UNITS, unit(7, 332)], [*NAMES, "short"], SETTINGS)
    assert not trainings
