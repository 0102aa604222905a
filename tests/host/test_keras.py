"""Keras fits the same autoencoder, and TensorFlow writes it as an int8 TFLite
that gives the same alarms.
"""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from inlier_export import golden, tflite
from inlier_trainer import autoencoder_keras
from inlier_trainer.autoencoder import RATE, RATE_LAST, Examples

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.slow
GOLDEN = 64
WIDTH = 6


@pytest.fixture(scope="module")
def exported(trained):
    before = os.fstat(2), len(os.listdir("/proc/self/fd"))
    content = tflite.to_tflite(trained.float_layers, trained.x_fit)
    assert os.path.samestat(os.fstat(2), before[0]), "what is said later is said again"
    return content


def test_its_reconstruction_is_that_of_the_floats_in_our_quanta(trained, exported):
    x = trained.x_fit[:40]
    y = (x.astype(np.float64) - 128) / 64
    for i, (weights, bias) in enumerate(trained.float_layers):
        y = y @ weights.T + bias
        y = np.maximum(y, 0) if i < len(trained.float_layers) - 1 else y
    away = tflite.reconstruct(exported, x) - np.clip(np.rint(64 * y) + 128, 0, 255)
    assert np.abs(away).max() <= 4 and abs(away.mean()) < 0.5


def test_its_alarms_are_ours(trained, exported):
    windows = golden.windows(trained.benign[-GOLDEN:])
    found = tflite.compare(exported, trained.detector, windows)
    assert found.windows == len(windows) and found.decisions_differing == 0
    assert found.mean < 2, "attacks among them, beyond what it was shown"


def test_an_alarm_that_differs_is_counted_whatever_single_windows_are(monkeypatch):
    y = np.full((3, 2), 100, np.uint8)
    ours = SimpleNamespace(f=y, x=y, y=y, event=np.array([0, 1, 0]), hot=np.zeros(3, bool))
    theirs = SimpleNamespace(y=y - 3, event=np.zeros(3, int), hot=np.ones(3, bool))
    monkeypatch.setattr(tflite.reference, "run", lambda *given: ours)
    monkeypatch.setattr(tflite.reference, "score", lambda *given: theirs)
    monkeypatch.setattr(tflite, "reconstruct", lambda *given: y)
    told = tflite.compare(b"", None, np.zeros((3, 2), np.int64))
    assert told == tflite.Deviation(largest=3, mean=3.0, windows=3, decisions_differing=1)


def test_silence_costs_no_descriptor():
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with tflite._silence():
            pass
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def fit(monkeypatch):
    """Of three counters of two features each; what it asks is kept."""
    import keras

    asked = SimpleNamespace(kept=0, rates=[])
    kept, adam = autoencoder_keras.kept, keras.optimizers.Adam

    def hidden(rng, n, rows):
        asked.kept += 1
        return kept(rng, n, rows)

    def optimizer(rate):
        asked.rates.append(rate)
        return adam(rate)

    monkeypatch.setattr(autoencoder_keras, "kept", hidden)
    monkeypatch.setattr(autoencoder_keras, "steps", lambda n: 400)
    monkeypatch.setattr(keras.optimizers, "Adam", optimizer)
    rng = np.random.default_rng(1)
    x = np.repeat(rng.uniform(0, 1, (200, 1)), WIDTH, axis=1).astype(np.float32)
    rows = Examples(x, (2 * x).astype(np.float32), 2)
    return lambda seed: (autoencoder_keras.fit(rows, (16,), seed), x, asked)


def test_keras_learns_what_it_is_asked_for_with_some_counters_hidden(fit):
    layers, x, asked = fit(1)
    assert [(w.shape, b.shape) for w, b in layers] == [
        ((16, WIDTH), (16,)),
        ((WIDTH, 16), (WIDTH,)),
    ]
    assert all(part.dtype == np.float32 for layer in layers for part in layer)
    y = np.maximum(x @ layers[0][0].T + layers[0][1], 0) @ layers[1][0].T + layers[1][1]
    assert np.abs(y - 2 * x).mean() < 0.25 < np.abs(y - x).mean(), "twice of what it sees"
    assert asked.kept == 1
    (rate,) = asked.rates
    first, last = float(rate(0)), float(rate(10**6))
    assert (first, last) == (pytest.approx(RATE), pytest.approx(RATE * RATE_LAST))


def test_keras_gives_the_same_weights_for_the_same_seed(fit):
    one, again, other = (
        [part.tobytes() for layer in fit(seed)[0] for part in layer] for seed in (1, 1, 2)
    )
    assert one == again and one != other
