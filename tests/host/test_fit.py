"""Training: the same bytes for the same input; what is unlike the benign
windows scores, what is less than them does not; short recordings are told.
"""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from device_of_tests import AT, FALSE_ALARMS, SETTINGS, benign
from inlier.benign import PAD, most
from inlier.model import Model
from inlier.sockets import Sockets
from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.model_file import unpack
from inlier_trainer import autoencoder, budget, recordings, train, trainer
from inlier_trainer.folds import plan
from inlier_trainer.horizons import FLOORS, HORIZONS
from inlier_trainer.one_class_svm import INBOUND


@pytest.fixture
def quick(monkeypatch):
    """Fits of a tenth of the steps, for tests that don't ask how good one is."""
    monkeypatch.setattr(autoencoder, "STEPS", 150)
    monkeypatch.setattr(autoencoder, "EPOCHS", 1)


def test_same_input_and_seed_give_the_same_bytes_in_another_process(trained, tmp_path):
    path = tmp_path / "w.csv"
    recordings.write(path, recordings.Recording(Sockets.counters, benign(1200)))
    out = tmp_path / "m.inlier"
    command = [sys.executable, "-m", "inlier_host", "train", str(path), "-o", str(out)]
    command += ["--window", "1s", "--false-alarms", FALSE_ALARMS, "--json"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert out.read_bytes() == trained.blob
    assert json.loads(told) == {"model": str(out), "left_out": [], **trained.summary()}


@pytest.mark.usefixtures("quick")
def test_another_seed_fits_another_autoencoder():
    rows = [benign(400)]
    one, two = (train.train(rows, replace(SETTINGS, seed=seed), "w.csv") for seed in (1, 2))
    assert one.detector.layers[0].weights.tolist() != two.detector.layers[0].weights.tolist()


def test_model_is_small_and_loads(trained):
    model = Model(trained.blob, "sockets", Sockets.counters)
    assert len(trained.blob) <= 3584 and model.features == 56
    assert [(k, n) for k, n, _ in model.horizons()] == list(trained.plan.horizons)


def test_int8_reconstruction_is_close_to_the_float_network(trained):
    x = trained.x_fit
    real = (x.astype(np.float64) - 128) / 64
    for i, (weights, bias) in enumerate(trained.float_layers):
        real = real @ weights.T + bias
        if i < len(trained.float_layers) - 1:
            real = np.maximum(real, 0)
    ours = (reference.reconstruct(x, trained.detector.layers).astype(np.float64) - 128) / 64
    inside = np.abs(real) < 1.9  # beyond it int8 saturates
    assert np.sqrt(np.mean((ours - real)[inside] ** 2)) < 0.05, (
        "three of the 64 quanta of the benign half range"
    )


def test_benign_windows_it_has_not_seen_raise_nothing(trained):
    trace = reference.run(trained.detector, benign(20_000, seed=9))
    assert (trace.event == 1).sum() == 0 and trace.hot.mean() < 0.001


def test_the_recording_itself_never_scores(trained):
    """Ranges and distances are those of all its windows, from the first on that
    are fitted on.
    """
    d = trained.detector
    settled = trained.plan.blocks[0][0]
    assert reference.run(d, trained.benign).svm[settled + 300 :].max() == 0


@pytest.mark.parametrize(
    ("counter", "value"),
    [("connects", 30), ("datagrams_out", 500), ("peers_new", 30), ("bytes_out", 1_000_000)],
)
def test_one_counter_gone_wild_is_hot_at_once(trained, counter, value):
    deltas = benign(300, seed=10)
    deltas[200:, AT[counter]] = value
    trace = reference.run(trained.detector, deltas)
    assert trace.hot[200:203].all()


def test_silence_of_any_length_is_gone_quiet_and_never_an_infection(trained):
    d = trained.detector
    silence = np.zeros((3000, len(d.counters)), np.int64)
    trace = reference.run(d, np.concatenate([benign(600, seed=10), silence, benign(600, seed=11)]))
    assert not trace.hot.any() and not (trace.event > 0).any()
    gone, back = (np.flatnonzero(trace.gone == which) for which in (1, -1))
    assert len(gone) == len(back) == 1
    assert 600 + d.quiet_after <= gone[0] < 900 and 3600 <= back[0] < 3700
    assert trace.svm[2000:3600].max() == 0, "what is less than usual is no part of the score"


def test_a_silence_after_the_busiest_windows_forgets_them(trained):
    """For so many windows all counters do the most that each ever did: that is
    outlying by itself, and what follows is not.
    """
    d = trained.detector
    for busy in (1, 30, 200):
        windows = np.zeros((3000, len(d.counters)), np.int64)
        windows[:600] = benign(600, seed=10)
        windows[600 : 600 + busy] = windows.max(axis=0)
        trace = reference.run(d, windows)
        assert trace.svm[2300:].max() == 0, busy
        assert (trace.event == 1).sum() == (trace.event == -1).sum() <= 1, busy


def test_what_a_device_does_for_the_first_time_after_a_silence_still_scores(trained):
    silence = np.zeros((1500, len(AT)), np.int64)
    silence[1000:, AT["connects_failed"]] = 5
    silence[1000:, AT["peers_new"]] = 5
    trace = reference.run(trained.detector, silence)
    assert not trace.hot[:1000].any() and 1000 <= np.flatnonzero(trace.event == 1)[0] < 1004


def test_what_a_counter_did_at_most_is_read_back_from_the_model(trained):
    model = Model(trained.blob)
    top = trained.benign[trained.plan.blocks[0][0] :].max(axis=0)
    for c, name in enumerate(trained.detector.counters):
        assert 0.93 * top[c] - 1 <= most(model, c) <= top[c], name  # a sixteenth of an octave


@pytest.mark.parametrize(
    ("windows", "horizons", "persistence"),
    [(333, 3, (4, 5)), (450, 3, (4, 5)), (800, 4, (4, 6)), (2000, 5, (4, 7))],
)
@pytest.mark.usefixtures("quick")
def test_a_short_recording_is_trained_without_what_it_cannot_tell_and_says_so(
    inlier, tmp_path, windows, horizons, persistence
):
    path, out = tmp_path / "w.csv", tmp_path / "m.inlier"
    recordings.write(path, recordings.Recording(Sockets.counters, benign(windows)))
    code, text, _ = inlier("train", path, "-o", out, "--window", "1s")
    d = unpack(out.read_bytes())
    assert code == 0 and [(k, n) for k, n, _ in d.horizons] == list(HORIZONS[:horizons])
    assert d.schema.persistence == persistence
    told = f"too short for horizons beyond {HORIZONS[horizons - 1][1]} windows" in text
    assert told == (horizons < len(HORIZONS))


@pytest.mark.usefixtures("quick")
def test_each_detector_alone_and_both():
    deltas = benign(300, seed=10)
    deltas[200:, AT["connects"]] = 300
    found = {}
    for which in trainer.DETECTORS:
        settings = replace(SETTINGS, detectors=which)
        d = train.train([benign(333)], settings, "w.csv").detector
        found[which] = d
        assert reference.run(d, deltas).hot[203:].all(), which
        assert len(d.layers) == (0 if which == "svm" else 2), which
    assert not found["svm"].weights[:, 2].any() and found["svm"].weights[:, 0].all()
    assert not found["autoencoder"].weights[:, 0].any() and found["autoencoder"].weights[:, 2].all()
    assert found["both"].weights[:, 0].all() and found["both"].weights[:, 2].all()
    for d in found.values():
        assert (d.high - PAD >= 0).all() and not reference.run(d, benign(333)).hot[60:].any()


@pytest.mark.usefixtures("quick")
def test_a_budget_that_is_larger_is_never_less_watchful():
    rungs = []
    for asked in ("1/hour", "4/hour"):
        result = train.train([benign(333)], replace(SETTINGS, false_alarms=asked), "w.csv")
        rungs.append(result.choice.rung)
        limits = [limit for _, _, limit in result.detector.horizons]
        floors = [int(127 * rungs[-1] * floor) for floor in FLOORS]
        assert all(a >= b for a, b in zip(limits, floors, strict=False)), asked
        assert result.choice.per_week <= {"1/hour": 168, "4/hour": 672}[asked]
        assert result.delay >= result.other_delay
        assert result.detector.metadata["rung"] == rungs[-1] in budget.LADDER
    assert rungs == sorted(rungs, reverse=True) and rungs[0] > rungs[-1]


def test_what_others_do_to_the_device_weighs_less(trained):
    kinds = len(trained.detector.schema.kinds)
    inbound = np.repeat([name in INBOUND for name in trained.detector.counters], kinds)
    weights = trained.detector.weights[:, [0, 2]]
    assert weights[inbound].max() <= 16 and weights[~inbound].max() == 127


def test_too_few_windows_are_refused():
    with pytest.raises(BadInput, match="at least 333 are needed"):
        train.train([benign(332)], SETTINGS, "w.csv")
    assert plan([333]).horizons == HORIZONS[:3]
