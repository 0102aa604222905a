"""One model for a device type: recordings of several units, each left out in
turn; and how much a budget asks for.
"""

from dataclasses import replace

import numpy as np
import pytest

from inlier.sockets import Sockets
from inlier_host import cli
from inlier_trainer import autoencoder, recordings, threshold, train, units
from test_fit import benign

SETTINGS = train.Settings(source="sockets", counters=Sockets.counters, window_ms=1000)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Fits of a fortieth of the steps: none of these tests asks how good a fit
    is.
    """
    monkeypatch.setattr(autoencoder, "STEPS", 100)
    monkeypatch.setattr(train, "CROSS_FOLDS", 2)


def run(monkeypatch, capsys, *arguments):
    """Exit code, output and messages of `inlier` in this process, where fits
    are quick.
    """
    monkeypatch.setattr("sys.argv", ["inlier", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    return ended.value.code, told.out, told.err


def chatty(n: int, seed: int) -> np.ndarray:
    """A unit that another firmware has made a hundred times as talkative."""
    return benign(n, seed) * 100


def test_a_unit_that_is_unlike_the_others_is_told_when_left_out():
    recordings = [benign(600, 1), chatty(600, 3)]
    settings = replace(SETTINGS, accept_anomalies=True)  # a hundred new hosts at once are no habit
    result = units.leave_each_out(recordings, settings, ["a", "b"], lambda *_: None)
    assert [unit.recording for unit in result] == ["a", "b"]
    assert result[1].alarm_episodes > 0, "a model of the other has never seen such traffic"
    assert result[0].days == pytest.approx(600 / 86400)


def test_thresholds_of_several_units_hold_for_one_that_was_never_recorded():
    """Of one talkative unit among quiet ones the model learns that units
    differ: a threshold from its own fit would not.
    """
    quiet = [benign(600, seed) for seed in (1, 2, 3)]
    mixed = [*quiet[:2], benign(600, 3) * 2]
    apart = train.train(np.concatenate(mixed), SETTINGS, "units", lengths=[600, 600, 600]).detector
    one = train.train(np.concatenate(mixed), SETTINGS, "one recording").detector
    assert apart.threshold_ae > one.threshold_ae


def test_each_recording_starts_from_boot_and_holds_back_its_own_end():
    recordings = [benign(600, 1), benign(400, 2)]
    trained = train.train(np.concatenate(recordings), SETTINGS, "units", lengths=[600, 400])
    assert (
        trained.test_windows == np.concatenate([recordings[0][450:], recordings[1][300:]])
    ).all()
    assert len(trained.test.event) == 250
    summary = trained.summary()
    assert (
        summary["record_windows_more"] > 0
        and summary["interval_ae"][0] <= summary["interval_ae"][1]
    )


def test_too_short_a_recording_says_how_much_more_and_what_it_can_answer():
    rate = threshold.rate_per_window("1/week", 10_000)
    assert threshold.shortage(20_000, 15_120, rate, 10_000) is None, (
        "a quarter of a week's 60,480 windows"
    )
    short = threshold.shortage(10_000, 7_560, rate, 10_000)
    assert short is not None and short.windows_more == 10_000, (
        "twice the recording answers for half the rate"
    )
    assert short.answerable == "2/week"
    told = threshold.rate_per_window(short.answerable, 10_000)
    assert threshold.shortage(10_000, 7_560, told, 10_000) is None, "what it proposes is enough"


def test_the_command_names_each_unit_and_the_shortage(tmp_path, monkeypatch, capsys):
    paths = []
    for seed in (1, 2):
        paths.append(str(tmp_path / f"unit{seed}.csv"))
        recordings.write_windows(tmp_path / f"unit{seed}.csv", Sockets.counters, benign(600, seed))
    command = ["train", *paths, "-o", str(tmp_path / "m.inlier"), "--window", "1s"]
    code, out, err = run(monkeypatch, capsys, *command)
    assert not code, err
    assert f"{paths[1]} left out: " in out and "hours more, or say --false-alarms" in err


def test_a_unit_too_short_to_learn_from_alone_is_named(tmp_path, monkeypatch, capsys):
    for name, n in (("long", 600), ("short", 100)):
        recordings.write_windows(tmp_path / f"{name}.csv", Sockets.counters, benign(n))
    paths = [str(tmp_path / "long.csv"), str(tmp_path / "short.csv")]
    code, _, err = run(
        monkeypatch, capsys, "train", *paths, "-o", str(tmp_path / "m.inlier"), "--window", "1s"
    )
    assert code == 2 and "short.csv: 100 windows" in err
    assert not (tmp_path / "m.inlier").exists()
