"""One model for a device type: recordings of several units, each left out in
turn; and how much a budget asks for.
"""

import re
from dataclasses import replace

import numpy as np
import pytest

from device_of_tests import AT, SETTINGS, benign
from inlier.sockets import Sockets
from inlier_export import reference
from inlier_trainer import autoencoder, recordings, train, trainer, units
from inlier_trainer.learn import learn


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Fits of a fifteenth of the steps: none of these tests asks how good a fit
    is.
    """
    monkeypatch.setattr(autoencoder, "STEPS", 100)
    monkeypatch.setattr(autoencoder, "EPOCHS", 1)


def chatty(n: int, seed: int) -> np.ndarray:
    """A unit that another firmware has made a hundred times as talkative."""
    return benign(n, seed) * 100


def test_a_unit_that_is_unlike_the_others_is_told_when_left_out():
    recordings = [benign(600, 1), chatty(600, 3)]
    settings = replace(SETTINGS, accept_anomalies=True)  # a hundred new hosts at once are no habit
    result = units.leave_each_out([[r] for r in recordings], settings, ["a", "b"], lambda *_: None)
    assert [unit.recording for unit in result] == ["a", "b"]
    assert result[1].alarm_episodes > 0, "a model of the other has never seen such traffic"
    assert result[0].days == pytest.approx(600 / 86400)


def test_a_unit_that_differs_widens_the_range_and_is_no_false_alarm():
    settings = replace(SETTINGS, accept_anomalies=True)
    made = train.train([benign(400, 1), benign(400, 2), chatty(400, 3)], settings, "units")
    assert made.plan.folds == 3
    assert not reference.run(made.detector, chatty(400, 4)).hot[100:].any()
    louder = reference.run(made.detector, chatty(400, 4) * 100)
    assert (louder.event == 1).any()


def test_no_unit_carries_the_sums_of_the_one_before():
    """Whichever comes first, each begins alike."""
    calm, loud = benign(400, 1), benign(400, 2) * 50
    settings = replace(SETTINGS, detectors="svm")
    one, other = trainer.Trainer([calm, loud], settings), trainer.Trainer([loud, calm], settings)
    assert np.array_equal(one.f[:400], other.f[400:]) and np.array_equal(one.f[400:], other.f[:400])


def test_the_command_names_each_unit_left_out(tmp_path, inlier):
    paths = []
    for seed in (1, 2):
        paths.append(tmp_path / f"unit{seed}.csv")
        recordings.write(paths[-1], recordings.Recording(Sockets.counters, benign(400, seed)))
    code, out, err = inlier("train", *paths, "-o", tmp_path / "m.inlier", "--window", "1s")
    assert code == 0, err
    for path in paths:
        assert f"{path} left out: 0 false alarms in its 0.00 days" in out


def test_too_varied_a_recording_says_how_much_more_and_what_it_can_answer(tmp_path, inlier):
    """A budget that nothing meets in six minutes."""
    path = tmp_path / "w.csv"
    recordings.write(path, recordings.Recording(Sockets.counters, benign(400)))
    command = "train", path, "-o", tmp_path / "m.inlier", "--window", "1s", "--false-alarms"
    code, out, err = inlier(*command, "1/week")
    assert code == 0
    hours, enough = re.search(
        r"record (\S+) hours more, or say --false-alarms (\S+)\n", err
    ).groups()
    assert 2 < float(hours) < 24
    code, out, err = inlier(*command, enough)
    assert code == 0 and "more, or say" not in err, "what it proposes is enough"


def test_a_unit_too_short_to_learn_from_alone_is_named(tmp_path, inlier):
    for name, n in (("long", 600), ("short", 100)):
        recordings.write(
            tmp_path / f"{name}.csv", recordings.Recording(Sockets.counters, benign(n))
        )
    paths = [tmp_path / "long.csv", tmp_path / "short.csv"]
    code, _, err = inlier("train", *paths, "-o", tmp_path / "m.inlier", "--window", "1s")
    assert code == 2 and "short.csv: 100 windows" in err
    assert not (tmp_path / "m.inlier").exists()


def test_a_false_alarm_that_is_added_stays_quiet_and_what_is_no_part_of_it_does_not():
    span = benign(30, 8)
    span[:, AT["bytes_in"]] += 2_000_000  # it fetches new firmware
    span[:, AT["receives"]] += 800
    one = learn([[benign(500)]], ["w.csv"], SETTINGS)
    more = learn([[benign(500)]], ["w.csv"], SETTINGS, [span])

    def run(learned, rows):
        return reference.run(
            learned.trained.detector, np.concatenate([benign(400, 5), rows, benign(100, 6)])
        )

    assert (run(one, span).event == 1).any() and not (run(more, span).event == 1).any()
    assert more.added == 30 and more.summary()["added_windows"] == 30
    scan = benign(30, 9)
    scan[:, [AT["peers_new"], AT["peers"], AT["connects"], AT["connects_failed"]]] += 40
    assert (run(more, scan).event == 1).any()
    before = [limit for _, _, limit in more.before.horizons]
    after = [limit for _, _, limit in more.trained.detector.horizons]
    assert all(b >= a for a, b in zip(before, after, strict=True))
