"""Each step of a training by hand: what it is handed, and what it makes of
that. Their order: test_trainer.py; whole trainings: test_fit.py.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from inlier.benign import PAD
from inlier_export import reference
from inlier_export.reference import NEVER, Layer
from inlier_trainer import autoencoder, budget, gone_quiet
from inlier_trainer import trainer as training
from inlier_trainer.folds import plan
from inlier_trainer.horizons import FLOORS, HORIZONS
from inlier_trainer.one_class_svm import upper_bounds
from inlier_trainer.trainer import (
    DISTANCE_PAD,
    Outlying,
    Settings,
    Trainer,
)

COUNTERS = ("connects", "accepts", "lookups")  # one's own, others', and what asks for names
SETTINGS = Settings("sockets", COUNTERS, 1000, hidden=(2,), false_alarms="2/hour")
N, KINDS = 400, 4
FEATURES = KINDS * len(COUNTERS)
RNG = np.random.default_rng(1)
WINDOWS = RNG.poisson(3, (N, 3)) + (RNG.random((N, 3)) < 0.02) * 20


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """How good a fit is, is asked elsewhere."""
    monkeypatch.setattr(autoencoder, "STEPS", 5)
    monkeypatch.setattr(autoencoder, "EPOCHS", 1)


def trainer(windows=WINDOWS, progress=lambda *_: None, unit=None, **changes):
    recorded = windows if isinstance(windows, list) else [windows]
    return Trainer(recorded, replace(SETTINGS, **changes), progress, unit)


# Features ----------------------------------------------------------------


def test_sums_begin_where_a_device_that_always_does_the_same_holds_them():
    """A mean of so many events a window, and so many full windows as the sum
    holds.
    """
    made = trainer(np.tile([3, 0, 1], (N, 1)))
    assert (made.f == made.f[0]).all()
    # log2(1 + 3) = 2 octaves; of 16 and 2^6 windows (1 + 16 * 2^12 / 2^12),
    # each full
    assert made.f[0].reshape(3, KINDS)[:, :2].tolist() == [[32, 32], [0, 0], [16, 16]]
    assert made.schema.caps.tolist() == [2, 0, 0]
    for i, full in ((0, 3 / 4), (1, 0), (2, 1)):
        for j, k in enumerate(made.plan.persistence):
            mean = int(full * 4096) * (1 << k) >> 4
            expected = reference.log2_fixed(np.array([mean]))[0]
            assert made.f[0].reshape(3, KINDS)[i, 2 + j] == expected, (i, k)


def test_each_recording_is_by_itself_and_all_make_one_schema():
    told = []
    parts = [WINDOWS, WINDOWS[:350] * 5]
    made = trainer(parts, lambda *said: told.append(said))
    assert told == [("features", 0, 1), ("features", 1, 1)]
    assert len(made.f) == 750 and made.f.dtype == np.int16
    whole = np.concatenate(parts)
    top = whole.max(axis=0)
    assert made.schema.shifts.tolist() == [min(8, 22 - int(v).bit_length()) for v in top]
    assert np.array_equal(made.f[400:], trainer([WINDOWS[:350] * 5, WINDOWS]).f[:350])
    for unit in (None, [0, 0]):
        cut, expected = trainer(parts, unit=unit).plan, plan([400, 350], unit)
        assert [b.tolist() for b in cut.blocks] == [b.tolist() for b in expected.blocks]
    assert np.array_equal(made.upper, np.tile(upper_bounds(COUNTERS, KINDS), 2))


# Fits --------------------------------------------------------------------


def test_each_set_of_folds_is_fitted_once_and_counted(monkeypatch):
    told, fitted = [], []
    made = trainer(progress=lambda *said: told.append(said))
    found = made._fit
    monkeypatch.setattr(made, "_fit", lambda f: fitted.append(f) or found(f))
    for out in (frozenset(), frozenset([1]), frozenset([1, 2]), frozenset([1])):
        made.fitted(out)
    assert told[2:] == [("autoencoder", i, 11) for i in (1, 2, 3)], "all, four without one, six two"
    sets = frozenset(), frozenset([1]), frozenset([1, 2])
    assert [len(f) for f in fitted] == [len(made.plan.inside(out)) for out in sets]
    assert np.array_equal(fitted[0], made.f[made.plan.inside(frozenset())])
    assert made.fitted() is made.fitted()


def stub(monkeypatch):
    """An autoencoder that says 40 of every feature, and what it was asked for."""
    asked = []

    def fitting(rows, hidden, seed, backend):
        asked.append((rows, hidden, seed, backend))
        return "floats"

    layer = Layer(
        np.zeros((FEATURES, FEATURES), np.int8), np.full(FEATURES, 168), np.zeros(FEATURES, int)
    )
    monkeypatch.setattr(autoencoder, "fit", fitting)
    monkeypatch.setattr(
        training.quantise, "layers", lambda floats, x: asked.append((floats, x)) or [layer]
    )
    return asked, layer


@pytest.mark.parametrize("block", [2048, 7])
def test_ranges_and_distances_are_those_of_every_row(monkeypatch, block):
    monkeypatch.setattr(reference, "BLOCK", block)
    asked, layer = stub(monkeypatch)
    made = trainer(seed=5, backend="keras")
    f = made.f[50:300]
    fit_ = made._fit(f)
    rows = np.unique(f, axis=0)
    offset, input_shift = autoencoder.ranges(rows)
    assert np.array_equal(fit_.offset, offset) and np.array_equal(fit_.input_shift, input_shift)
    assert np.array_equal(fit_.high, f.max(axis=0)) and fit_.high.dtype == np.int64
    back = 40 << input_shift  # of the reconstruction
    assert np.array_equal(fit_.far, np.maximum((f - offset - back).max(axis=0), 0))
    assert fit_.far.any(), "or nothing is asked"
    shown, hidden, seed, backend = asked[0]
    assert (hidden, seed, backend) == ((2,), 5, "keras") and shown.groups == KINDS
    drawn = autoencoder.distinct(f, 5)
    expected = autoencoder.examples(drawn, offset, input_shift, KINDS)
    assert np.array_equal(shown.x, expected.x) and np.array_equal(shown.y, expected.y)
    assert asked[1][0] == "floats" and asked[1][1] is fit_.x
    assert np.array_equal(fit_.x, reference.inputs(drawn, offset, input_shift))
    assert fit_.layers == [layer] and fit_.float_layers == "floats"


def test_the_one_class_svm_alone_fits_no_autoencoder(monkeypatch):
    asked, _ = stub(monkeypatch)
    fit_ = trainer(detectors="svm").fitted()
    assert not asked and not fit_.far.any() and fit_.layers == fit_.float_layers == []


# Excess ------------------------------------------------------------------


@pytest.mark.parametrize("which", training.DETECTORS)
@pytest.mark.parametrize("block", [2048, 7])
def test_excess_is_what_lies_beyond_ranges_and_distances_with_their_pads(monkeypatch, which, block):
    stub(monkeypatch)
    monkeypatch.setattr(reference, "BLOCK", block)
    made = trainer(detectors=which)
    fit_ = made.fitted()
    f = made.f[:30].copy()
    f[[0, 3, 9, 20]] = (fit_.high + PAD).astype(np.int16)
    f[0, 2] += 3
    f[9, 5] += 1
    f[20, 0] += 170
    found = made.outlying(f, fit_)
    assert found.length == 30
    expected = np.zeros((30, 2 * FEATURES), np.int64)
    if which != "autoencoder":
        expected[0, 2], expected[9, 5], expected[20, 0] = 3, 1, 170
    if which != "svm":
        away = f - fit_.offset - (40 << fit_.input_shift)
        expected[:, FEATURES:] = np.maximum(away - fit_.far - DISTANCE_PAD, 0)
        assert expected[:, FEATURES:].any(), "or nothing is asked"
    rows = np.flatnonzero(expected.any(axis=1))
    assert found.at.tolist() == rows.tolist()
    assert np.array_equal(found.excess, expected[rows]) and found.excess.dtype == np.int64
    weights = np.arange(2 * FEATURES)
    assert np.array_equal(found.scores(weights), expected @ weights)


def test_a_block_is_looked_at_once_for_each_that_left_it_out(monkeypatch):
    made = trainer(detectors="svm")
    looked = []
    found = made.outlying
    monkeypatch.setattr(
        made, "outlying", lambda f, fit_: looked.append((f, fit_)) or found(f, fit_)
    )
    first, *_, again = (
        made.left_out(block, frozenset(out))
        for block, out in ((1, {1}), (1, {1, 2}), (0, {0}), (1, {1}))
    )
    assert again is first and first.length == len(made.plan.blocks[1])
    assert [fit_ for _, fit_ in looked] == [made.fitted(frozenset(o)) for o in ({1}, {1, 2}, {0})]
    assert np.array_equal(looked[2][0], made.f[made.plan.blocks[0]])


# Weights and thresholds --------------------------------------------------


def made_up(monkeypatch, made, scores):
    """Blocks whose excess is `scores` (by block) of the first feature alone,
    and weights that count it once. Returns what was asked for.
    """
    asked = SimpleNamespace(left_out=[], weights=[])

    def left_out(block, out):
        asked.left_out.append((block, out))
        values = np.array(scores[block])
        at = np.flatnonzero(values)
        excess = np.zeros((len(at), 2 * FEATURES), np.int64)
        excess[:, 0] = values[at]
        return Outlying(at, excess, len(values))

    def weights(rows, upper, margin):
        asked.weights.append((rows[:, 0].tolist(), margin))
        assert upper is made.upper
        return np.eye(2 * FEATURES, dtype=np.int64)[0]

    monkeypatch.setattr(made, "left_out", left_out)
    monkeypatch.setattr(training.one_class_svm, "weights", weights)
    return asked


SCORES = {0: [0, 9, 0, 9, 0], 1: [0, 7], 2: [0] * 3, 3: [5000] * 30}


def test_weights_and_levels_are_of_each_fold_by_what_had_not_seen_it(monkeypatch):
    made = trainer()
    asked = made_up(monkeypatch, made, SCORES)
    weights, least = made.unseen(0.5)
    assert asked.left_out == [(i, frozenset([i])) for i in range(4)]
    assert asked.weights == [([9, 9, 7] + [5000] * 30, 0.5 * FLOORS[0])]
    assert weights.tolist()[:2] == [1, 0] and least == [5000, 5000, 5000]
    assert made.unseen(0.5) is made.unseen(0.5) and len(asked.weights) == 1, "once"
    _, least = made.unseen(1.0, frozenset([3]))
    assert asked.left_out[4:] == [(i, frozenset([i, 3])) for i in range(3)]
    assert asked.weights[1] == ([9, 9, 7], FLOORS[0])
    assert least == [9, 0, 0], "two of the last eight, and no more"


@pytest.mark.parametrize(
    ("least", "limits"),
    [
        ([0, 0, 0], [127 * 24, 127 * 20, 127 * 18]),
        ([9000, 0, 2287], [9000, 127 * 20, 2287]),
        # k of n at a longer horizon implies it at a shorter
        ([0, 9000, 2800], [127 * 24, 127 * 24, 2800]),
    ],
)
def test_a_threshold_is_the_floor_or_what_benign_windows_reach_and_never_ascends(least, limits):
    made = trainer()
    made._weights[0.5, frozenset([1])] = np.zeros(2 * FEATURES), least
    assert made.plan.horizons == HORIZONS[:3] and FLOORS[:3] == (48, 40, 36)
    assert made.thresholds(0.5, frozenset([1])) == limits
    odd = trainer()
    odd._weights[0.01, frozenset()] = np.zeros(2 * FEATURES), [0, 0, 0]
    assert odd.thresholds(0.01) == [60, 50, 45], "127 times 0.48, 0.4 and 0.36, cut"


def test_what_alarms_on_a_fold_by_what_never_saw_it_is_counted_at_each_rung(monkeypatch):
    told = []
    made = trainer(progress=lambda *said: told.append(said))
    pulse = [5000, 5000] + [0] * 40
    made_up(monkeypatch, made, {0: pulse * 3, 1: [0] * 9, 2: pulse, 3: [0] * 9})
    monkeypatch.setattr(
        made,
        "thresholds",
        lambda rung, out: [5000 if rung > 1 and out == {2} else 4999, 4999, 4999],
    )
    # two in a row raise one alarm; that of fold 2 is not over its threshold
    assert made.novelty() == [4 if rung <= 1 else 3 for rung in budget.LADDER]
    assert told[2:] == [("left-out folds", i, 4) for i in (1, 2, 3, 4)]


# The detector ------------------------------------------------------------


@pytest.mark.parametrize("which", training.DETECTORS)
def test_a_detector_is_ranges_with_pads_and_the_weights_and_thresholds_of_its_rung(
    monkeypatch, which
):
    _, layer = stub(monkeypatch)
    made = trainer(detectors=which, seed=3)
    weights = np.arange(1, 2 * FEATURES + 1)
    made._weights[1.2, frozenset()] = weights, [9000, 8000, 7000]
    d, fit_ = made.detector(1.2), made.fitted()
    low, low_weights, threshold_quiet = gone_quiet.usual(
        made.f[made.plan.inside(frozenset())], made.schema
    )
    expected = {
        "source": "sockets", "window_ms": 1000, "schema": made.schema, "offset": fit_.offset,
        "high": fit_.high + 8, "low": low, "far": fit_.far + 5, "input_shift": fit_.input_shift,
        "layers": [] if which == "svm" else [layer],
        "horizons": ((2, 8, 9000), (8, 12, 8000), (20, 24, 7000)),
        "threshold_quiet": threshold_quiet, "threshold_ae": NEVER, "by_rows": False,
        "metadata": {"windows": N, "false_alarms": "2/hour", "rung": 1.2, "seed": 3},
    }  # fmt: skip
    for name, value in expected.items():
        assert np.array_equal(getattr(d, name), value), name
    over, beyond = weights[:FEATURES], weights[FEATURES:]
    zero = np.zeros(FEATURES)
    assert np.array_equal(d.weights[:, 0], zero if which == "autoencoder" else over)
    assert np.array_equal(d.weights[:, 1], low_weights)
    assert np.array_equal(d.weights[:, 2], zero if which == "svm" else beyond)
    assert threshold_quiet != NEVER and low.any(), "or nothing is asked"
    assert weights.tolist() == list(range(1, 2 * FEATURES + 1)), "another rung may ask for them"
    assert DISTANCE_PAD == 5 and PAD == 8
