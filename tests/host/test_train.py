"""A training is its steps in their order, of what was checked before: the steps
are made up. Each by itself: test_trainer.py.
"""

import inspect
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.synthetic import random_detector
from inlier_host.commands import train as command
from inlier_host.commands import train_options
from inlier_trainer import budget, infection_check, train
from inlier_trainer.folds import plan
from inlier_trainer.train import WINDOWS_MIN
from inlier_trainer.train import train as fit
from inlier_trainer.trainer import Settings
from test_trainer import COUNTERS, SETTINGS, WINDOWS


def test_what_is_not_said_is_as_the_command_has_it():
    given = inspect.signature(command.train).parameters
    assert train_options.layer_sizes(given["hidden"].default) == Settings.hidden
    for name in ("seed", "false_alarms", "detectors", "backend", "accept_anomalies"):
        assert given[name].default == getattr(Settings, name), name


def test_options_are_checked_together_and_before_anything_is_read(tmp_path):
    """The recording is no table, which would be said first."""
    recording = tmp_path / "w.csv"
    recording.write_bytes(b"\x1f\x8b")
    asked = "pigeons", "1h", "1/week", "16", "mlp", "torch"
    with pytest.raises(BadInput) as caught:
        train_options.check([recording], [], *asked, [], [])
    assert str(caught.value) == (
        "no source 'pigeons': choose one of sockets, procfs, packets; and "
        "--window 1h: give a length from 10ms to 60m, such as 250ms, 10s or 1m; and "
        "--detectors mlp: choose one of svm, autoencoder, both; and "
        "--backend torch: choose one of numpy, keras"
    )


def test_units_are_recordings_end_to_end():
    one, two, three = (np.full((n, 1), n) for n in (1, 2, 3))
    assert train.end_to_end([one]) is one, "no copy of one that is alone"
    assert train.end_to_end([one, two])[:, 0].tolist() == [1, 2, 2]
    assert train.whole_units([one, two], None) == [one, two]
    units = train.whole_units([one, two, three], [7, 5, 7])
    assert [unit[:, 0].tolist() for unit in units] == [[1, 3, 3, 3], [2, 2]]


ODD = infection_check.Anomaly(9, 19, "look odd")


def test_what_looks_like_an_infection_is_refused_unless_it_is_accepted(monkeypatch):
    def anomalies(windows, counters):
        assert counters == COUNTERS
        return [ODD] * int(windows[0, 0])

    monkeypatch.setattr(infection_check, "anomalies", anomalies)
    calm, odd = np.zeros((1, 3)), np.ones((1, 3))
    asked = replace(SETTINGS, accept_anomalies=True)
    assert train._anomalies([calm, odd, odd], asked, "w") == [ODD, ODD]
    assert train._anomalies([calm, calm], SETTINGS, "w") == []
    with pytest.raises(BadInput, match=r"^w: windows 10 to 20 look odd; an infection that"):
        train._anomalies([odd], SETTINGS, "w")
    with pytest.raises(BadInput, match=r"^w \(recording 2\): windows 10 to 20 look odd"):
        train._anomalies([calm, odd], SETTINGS, "w")


class Trained:
    """A Trainer whose fits are made up."""

    def __init__(self, recorded, settings, progress, unit):
        self.asked = recorded, settings, progress, unit
        self.plan = plan([len(part) for part in recorded], unit)
        made.append(self)

    def novelty(self):
        return [3] * len(budget.LADDER)

    def detector(self, rung):
        return replace(random_detector(1, (2,), COUNTERS, (0, 3), (4, 7)), metadata={"rung": rung})

    def fitted(self):
        return SimpleNamespace(float_layers="floats", x="x")


made: list[Trained] = []


@pytest.fixture
def recipe(monkeypatch):
    """What each step of the whole was asked for."""
    made.clear()
    asked = SimpleNamespace(choose=[], delays=[])

    def choose(counts, windows, window_ms, per_week):
        asked.choose.append((counts, windows, window_ms, per_week))
        rung = 2.0 if per_week == 336 else 0.5
        return budget.Choice(rung, 1.23456, 0.12345, 5.4321, 3, 0.1, False, 7.891)

    def delays(windows, detectors):
        asked.delays.append((windows, [d.metadata["rung"] for d in detectors]))
        return [9.0, 4.5]

    monkeypatch.setattr(train, "Trainer", Trained)
    monkeypatch.setattr(budget, "choose", choose)
    monkeypatch.setattr(train.shifts, "delays", delays)
    monkeypatch.setattr(train.gone_quiet, "used", lambda d: (COUNTERS[0],))
    return asked


def test_a_training_takes_the_rung_that_keeps_the_budget_and_says_what_three_times_buys(recipe):
    """2 an hour are 336 a week."""
    parts = [WINDOWS[:100], WINDOWS[100:], WINDOWS[:90]]
    progress = object()
    found = fit(parts, SETTINGS, "w", progress, [0, 0, 1])
    (trainer_,) = made
    assert trainer_.asked == (parts, SETTINGS, progress, [0, 0, 1])
    windows = trainer_.plan.windows
    counts = [3] * len(budget.LADDER)
    assert recipe.choose == [(counts, windows, 1000, 336), (counts, windows, 1000, 1008)]
    ((longest, rungs),) = recipe.delays
    assert longest is parts[1] and rungs == [2.0, 0.5]
    assert found.detector.metadata == {"rung": 2.0}
    assert reference.Detector is type(found.detector) and found.blob == train.pack(found.detector)
    assert found.float_layers == "floats" and found.x_fit == "x" and found.plan is trainer_.plan
    assert found.choice.rung == 2.0 and (found.delay, found.other_delay) == (9.0, 4.5)
    assert np.array_equal(found.benign, np.concatenate(parts)) and found.anomalies == []
    assert found.summary() == {
        "model_bytes": len(found.blob), "windows": 490, "features": 12,
        "horizons": [list(h) for h in found.detector.horizons], "rung": 2.0,
        "false_alarms_per_week": 1.235, "false_alarms_interval": [0.123, 5.432],
        "budget_met": False, "unseen_windows": windows, "unseen_alarms": 3,
        "record_weeks_more": 7.89, "delay_windows": 9.0, "delay_windows_at_3_times": 4.5,
        "quiet_counters": ["connects"], "anomalies_accepted": [],
    }  # fmt: skip
    other = replace(found.detector, number=7)
    changed = found.with_detector(other)
    assert changed.detector is other and changed.blob == train.pack(other)
    for each in fields(changed):
        if each.name not in ("detector", "blob"):
            assert getattr(changed, each.name) is getattr(found, each.name), each.name


def test_what_cannot_be_learned_from_is_refused_before_anything_is_fitted(recipe, monkeypatch):
    still = WINDOWS.copy()
    still[:, 1] = 0
    assert WINDOWS_MIN == 333
    for windows, changes, why in (
        (WINDOWS[:332], {}, "w: 332 windows, at least 333 are needed"),
        (still, {}, "column 'accepts' is 0 in all 400 windows"),
        (WINDOWS, {"allow_constant": ("tea",)}, "--allow-constant tea: no such counter"),
        (WINDOWS, {"false_alarms": "few"}, "--false-alarms few: give a number"),
    ):
        with pytest.raises(BadInput, match=why):
            fit([windows], replace(SETTINGS, **changes), "w")
    assert not made
    fit([still], replace(SETTINGS, allow_constant=["accepts"]), "w")
    assert len(made) == 1
    monkeypatch.setattr(
        infection_check, "anomalies", lambda windows, counters: [ODD] * len(windows)
    )
    with pytest.raises(BadInput, match="w: windows 10 to 20 look odd"):
        fit([WINDOWS], SETTINGS, "w")
    accepted = fit(
        [WINDOWS[:200], WINDOWS], replace(SETTINGS, accept_anomalies=True), "w", unit=[4, 4]
    )
    assert len(accepted.anomalies) == 600, "the unit's windows, end to end"
    assert accepted.summary()["anomalies_accepted"][0] == ODD.said()


def test_what_is_expected_is_said_in_the_unit_that_was_asked_for(recipe):
    """1.235 a week, 0.123 to 5.432: a day is a seventh of it."""
    found = fit([WINDOWS], SETTINGS, "w")
    for asked, rate, instead in (
        ("1/week", "1.2 alarms a week on kinds of benign events that were never recorded "
         "(80 % interval 0.12 to 5.4)", "raise 1.2 a week; record 7.9 weeks more, or say "
         "--false-alarms 2/week"),
        ("0.1/day", "0.18 alarms a day on kinds of benign events that were never recorded "
         "(80 % interval 0.018 to 0.78)", "raise 0.18 a day; record 7.9 weeks more, or say "
         "--false-alarms 1/day"),
        ("2/hour", "0.0073 alarms an hour on kinds of benign events that were never recorded "
         "(80 % interval 0.00073 to 0.032)", "raise 0.0073 an hour; record 7.9 weeks more, or "
         "say --false-alarms 1/hour"),
    ):  # fmt: skip
        detector = replace(found.detector, metadata={"false_alarms": asked})
        learned = SimpleNamespace(trained=found.with_detector(detector), left_out=[], added=0)
        told = list(command.said(learned, Path("m.inlier")))
        assert told[1].startswith(f"for {asked}: {rate}; 3 in "), told[1]
        expected = f"answer for {asked}: the most patient model is expected to {instead}"
        assert command.shortage(learned).endswith(expected)
    slow = replace(detector, window_ms=10_000)
    learned = SimpleNamespace(trained=found.with_detector(slow), left_out=[], added=0)
    told = list(command.said(learned, Path("m.inlier")))
    assert f" is seen after {10 * found.delay:g} s, half of the time; " in told[2]
