"""Training: the same bytes for the same input; int8 close to the float network;
what is unlike the benign windows scores.
"""

import subprocess
import sys

import numpy as np
import pytest

from inlier.model import Model
from inlier.sockets import Sockets
from inlier_export import quantise, reference
from inlier_export.errors import BadInput
from inlier_trainer import recordings, svm, train


def benign(n: int, seed: int = 0) -> np.ndarray:
    """Windows of a device that posts now and then: counters that hang together,
    some rare.
    """
    rng = np.random.default_rng(seed)
    posts = rng.poisson(0.4, n)
    columns = {
        "bytes_out": posts * 400 + rng.poisson(30, n),
        "bytes_in": posts * 200 + rng.poisson(20, n),
        "sends": posts + 1,
        "receives": posts + 1,
        "connects": posts,
        "connects_refused": rng.random(n) < 0.02,
        "connects_failed": rng.random(n) < 0.01,
        "accepts": rng.poisson(0.1, n),
        "datagrams_out": rng.poisson(0.2, n),
        "datagrams_in": rng.poisson(0.2, n),
        "lookups": rng.poisson(0.1, n),
        "peers": np.minimum(posts, 3),
        "ports": np.minimum(posts, 3),
        "peers_new": rng.random(n) < 0.01,
    }
    return np.stack([columns[name] for name in Sockets.counters], axis=1).astype(np.int64)


SETTINGS = train.Settings(source="sockets", counters=Sockets.counters, window_ms=1000)


@pytest.fixture(scope="module")
def trained() -> train.Trained:
    return train.train(benign(1200), SETTINGS, "w.csv")


def test_same_input_and_seed_give_the_same_bytes_in_another_process(trained, tmp_path):
    path = tmp_path / "w.csv"
    recordings.write_windows(path, Sockets.counters, benign(1200))
    out = tmp_path / "m.inlier"
    command = [
        sys.executable,
        "-m",
        "inlier_host",
        "train",
        str(path),
        "-o",
        str(out),
        "--window",
        "1s",
        "--json",
    ]
    subprocess.run(command, check=True, capture_output=True)
    assert out.read_bytes() == trained.blob


def test_model_is_small_and_loads(trained):
    model = Model(trained.blob, "sockets", Sockets.counters)
    assert len(trained.blob) <= 4096 and model.features == 42


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
    assert (trace.event == 1).sum() == 0


@pytest.mark.parametrize(
    ("counter", "value"),
    [("connects", 30), ("datagrams_out", 500), ("peers_new", 3), ("bytes_out", 1_000_000)],
)
def test_one_counter_gone_wild_is_hot_at_once(trained, counter, value):
    deltas = benign(300, seed=10)
    deltas[200:, Sockets.counters.index(counter)] = value
    trace = reference.run(trained.detector, deltas)
    assert trace.hot[200:203].all()


def test_headroom_benign_range_fills_the_middle_half():
    f = np.tile(np.arange(1001, dtype=np.int16)[:, None] % 200, (1, 2))
    f[:, 1] = 50  # a feature that never moves
    offset, multiplier = quantise.feature_ranges(f)
    x = quantise_bytes(f, offset, multiplier)
    assert x[:, 0].min() >= 128 - 64 and x[:, 0].max() <= 128 + 64 and x[:, 0].max() >= 128 + 60
    assert (x[:, 1] == 128).all() and multiplier[1] == 63 * 256 // 8, (
        "half an octave is the least half range"
    )
    wide = quantise.feature_ranges(f, quantise.Headroom(31, 16))
    assert wide[0].tolist() == offset.tolist() and wide[1].tolist() == [
        31 * 256 // 100,
        31 * 256 // 16,
    ]


def test_what_a_recording_holds_but_once_stays_apart_from_what_is_far_more():
    f = np.zeros((2000, 1), np.int16)
    f[7] = 80  # a reconnection, once
    flood = np.full((1, 1), 200, np.int16)
    ranges = quantise.feature_ranges(f)
    assert (
        quantise_bytes(f, *ranges).max() <= 128 + 64 and quantise_bytes(flood, *ranges)[0, 0] == 255
    )


def test_each_fold_holds_windows_of_all_quarters_of_the_recording():
    inside = np.arange(64, 36_000)
    folds = train.time_folds(inside)
    assert np.sort(np.concatenate(folds)).tolist() == inside.tolist()
    for fold in folds:
        assert all(np.isin(fold, quarter).any() for quarter in np.array_split(inside, 4))
    short = train.time_folds(np.arange(700))
    assert all((np.diff(fold) == 1).all() for fold in short), (
        "stretches of 44 windows would know their neighbours"
    )


def quantise_bytes(f: np.ndarray, offset: np.ndarray, multiplier: np.ndarray) -> np.ndarray:
    return reference.quantise(f, offset, multiplier)


def test_svm_weights_never_make_an_excursion_more_of_an_inlier():
    rng = np.random.default_rng(4)
    q = np.clip(rng.normal(0, 25, (2000, 12)), -128, 127).astype(np.int8)
    for knots in (*svm.candidates(63), *svm.candidates(31)):
        weights = svm.fit((q.astype(np.int16) + 128).astype(np.uint8), knots, 1)
        assert weights.shape == (12, 2 * len(knots)) and weights.min() >= 0 and weights.max() > 0


def test_a_hinge_that_benign_windows_never_open_has_full_weight():
    q = np.zeros((2000, 3), np.int8)
    q[:, 1] = np.random.default_rng(5).integers(-120, 120, 2000)
    weights = svm.fit((q.astype(np.int16) + 128).astype(np.uint8), (31,), 1)
    assert weights[0].min() > 1.2 * weights[1].max(), (
        "feature 1 wanders beyond its knots, feature 0 never"
    )


def test_counter_shifts_leave_room_for_sixteen_times_the_benign_maximum():
    shifts = quantise.counter_shifts(np.array([[0, 1, 1 << 20, 1 << 28]]))
    assert shifts.tolist() == [8, 8, 1, -7]


def test_too_few_windows_are_refused():
    with pytest.raises(BadInput, match="at least 333 are needed"):
        train.train(benign(100), SETTINGS, "w.csv")
