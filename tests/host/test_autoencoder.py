"""How the autoencoder is fitted: what is hidden, drawn and asked for; its
gradients are those of the error, its steps those of Adam.
"""

import math

import numpy as np
import pytest

from inlier_trainer import autoencoder, autoencoder_keras
from inlier_trainer.autoencoder import (
    BATCH,
    DECAY_FROM,
    EPOCHS,
    HIDDEN_SHARE,
    RATE,
    RATE_LAST,
    STEPS,
    Examples,
)


def rows(x, y, groups=1):
    return Examples(np.asarray(x, np.float32), np.asarray(y, np.float32), groups)


def steps(monkeypatch, n):
    monkeypatch.setattr(autoencoder, "STEPS", n)
    monkeypatch.setattr(autoencoder, "EPOCHS", 0)


def test_examples_are_what_int8_sees_and_what_it_should_have_seen():
    """In 64ths, after the input's shift: one beyond int8 is cut in x alone."""
    f = np.array([[10, 300, 0], [9, 0, 288]], np.int16)
    offset, shift = np.array([10, 100, 144]), np.array([0, 0, 3])
    made = autoencoder.examples(f, offset, shift, 3)
    assert made.x.tolist() == [[0, 127 / 64, -18 / 64], [-1 / 64, -100 / 64, 18 / 64]]
    assert made.y.tolist() == [[0, 200 / 64, -18 / 64], [-1 / 64, -100 / 64, 18 / 64]]
    odd = autoencoder.examples(f + 3, offset, shift, 3)
    assert odd.x[0, 2] == math.floor(-141 / 8) / 64 and odd.y[0, 2] == -141 / 8 / 64
    far = autoencoder.examples(np.array([[-200, 0, 0]], np.int16), offset, shift, 3)
    assert far.x[0, 0] == -128 / 64 and far.y[0, 0] == -210 / 64
    assert made.x.dtype == made.y.dtype == np.float32 and made.groups == 3


def test_the_greatest_distance_is_over_all_blocks_and_never_negative(monkeypatch):
    """Without layers a reconstruction is the input itself: what differs is what
    int8 cuts (200 - 127), what a shift rounds (7 - 2 * 3), and what lies below
    the centre.
    """
    monkeypatch.setattr(autoencoder.reference, "BLOCK", 2)
    f = np.array([[210, 106, 5], [10, 100, 6], [20, 107, 7], [0, 0, 0], [150, 90, 1]], np.int16)
    offset, shift = np.array([10, 100, 9]), np.array([0, 1, 0])
    assert autoencoder.greatest_distance(f, offset, shift, []).tolist() == [73, 1, 0]
    assert autoencoder.greatest_distance(f[1:], offset, shift, []).tolist() == [13, 1, 0]


def test_rows_are_distinct_and_drawn_by_the_seed():
    f = np.array([[3, 1], [2, 2], [3, 1], [0, 9], [2, 2]], np.int16)
    whole = autoencoder.distinct(f, 1)
    assert sorted(whole.tolist()) == [[0, 9], [2, 2], [3, 1]]
    two = autoencoder.distinct(f, 1, 2)
    assert two.tolist() == whole[:2].tolist()
    many = np.arange(100, dtype=np.int16)[:, None]
    assert autoencoder.distinct(many, 1).tolist() != autoencoder.distinct(many, 2).tolist()


@pytest.mark.parametrize(("n", "kept"), [(40, range(40)), (41, [*range(39), 40])])
def test_of_very_many_rows_an_even_share_is_sorted(n, kept, monkeypatch):
    sorted_, found = [], np.unique

    def unique(f, axis):
        sorted_.append(f[:, 0].tolist())
        return found(f, axis=axis)

    monkeypatch.setattr(np, "unique", unique)
    autoencoder.distinct(np.arange(n, dtype=np.int16)[:, None], 1, 2)
    assert sorted_ == [list(kept)], "twenty times as many as are drawn"


def test_few_rows_are_seen_for_so_many_steps_and_many_so_often():
    most = STEPS // EPOCHS * BATCH  # the rows that EPOCHS see in STEPS
    for n in (1, BATCH, most):
        assert autoencoder.steps(n) == STEPS
    assert autoencoder.steps(most + 1) == EPOCHS * (STEPS // EPOCHS + 1), "a batch begun is one"
    assert autoencoder.steps(100 * BATCH) == 100 * EPOCHS


def test_a_quarter_of_the_counters_is_hidden_with_all_their_features():
    given = rows(np.zeros((1, 12)), np.zeros((1, 12)), groups=3)
    shown = autoencoder.kept(np.random.default_rng(1), 5000, given)
    assert shown.shape == (5000, 12)
    by_counter = shown.reshape(5000, 4, 3)
    assert (by_counter.all(axis=2) | ~by_counter.any(axis=2)).all()
    assert by_counter.mean(axis=(0, 2)) == pytest.approx([1 - HIDDEN_SHARE] * 4, abs=0.03)
    pairs = by_counter[:, :2, 0]
    assert pairs.any(axis=1).mean() == pytest.approx(1 - HIDDEN_SHARE**2, abs=0.03), (
        "each by itself"
    )


def loss(parameters, x, y):
    for i in range(0, len(parameters) - 2, 2):
        x = np.maximum(x @ parameters[i] + parameters[i + 1], 0)
    return (((x @ parameters[-2] + parameters[-1]) - y) ** 2).sum(axis=1).mean()


@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)])
def test_gradients_are_how_the_error_changes(hidden):
    """By central differences; a unit that is silent for all rows has none."""
    rng = np.random.default_rng(1)
    sizes = (5, *hidden, 5)
    parameters = []
    for cols, out in zip(sizes, sizes[1:], strict=False):
        parameters += [rng.normal(size=(cols, out)), rng.normal(size=out)]
    x, y = rng.normal(size=(7, 5)), rng.normal(size=(7, 5))
    if hidden:
        parameters[0][:, 0] = parameters[1][0] = 0
        parameters[1][0] = -1
    found = autoencoder._gradients(parameters, x, y)
    assert [g.shape for g in found] == [p.shape for p in parameters]
    for p, g in zip(parameters, found, strict=True):
        for at in np.ndindex(p.shape):
            was, around = p[at], []
            for p[at] in (was + 1e-5, was - 1e-5):
                around.append(loss(parameters, x, y))
            p[at] = was
            assert g[at] == pytest.approx((around[0] - around[1]) / 2e-5, rel=1e-5, abs=1e-6)
    if hidden:
        assert not found[0][:, 0].any(), "a silent unit learns nothing"


def test_a_network_begins_as_glorot_and_bengio_say(monkeypatch):
    steps(monkeypatch, 0)
    given = rows(np.zeros((1, 300)), np.zeros((1, 300)))
    (first, bias), (second, last) = autoencoder.fit(given, (100,), 1)
    assert first.shape == (100, 300) and second.shape == (300, 100)
    for weights in (first, second):
        assert weights.std() == pytest.approx(math.sqrt(2 / 400), rel=0.02)
        assert abs(weights.mean()) < 0.002
    assert bias.shape == (100,) and last.shape == (300,) and not bias.any() and not last.any()
    assert first.dtype == bias.dtype == np.float32
    again = autoencoder.fit(given, (100,), 1)
    assert np.array_equal(again[0][0], first)
    assert not np.array_equal(autoencoder.fit(given, (100,), 2)[0][0], first)


def adam(n, target):
    """Kingma and Ba's algorithm 1, of one parameter that should be `target`."""
    p = m = v = 0.0
    for t in range(1, n + 1):
        g = 2 * (p - target)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        late = max(0, (t / n - DECAY_FROM) / (1 - DECAY_FROM))
        rate = RATE * (1 - late) + RATE * RATE_LAST * late
        p -= rate * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return p


@pytest.mark.parametrize("n", [1, 2, 10, 400])
def test_its_steps_are_adam_s_and_ever_smaller_at_the_end(n, monkeypatch):
    """Of inputs of 0 the bias alone is learned."""
    steps(monkeypatch, n)
    ((weights, bias),) = autoencoder.fit(rows([[0, 0]], [[0.5, -2]]), (), 1)
    assert bias.tolist() == pytest.approx([adam(n, 0.5), adam(n, -2)], rel=1e-4)
    assert weights.shape == (2, 2)


def test_an_error_too_small_to_divide_by_is_no_step_the_other_way(monkeypatch):
    steps(monkeypatch, 1)
    ((_, bias),) = autoencoder.fit(rows([[0, 0]], [[1e-9, 0]]), (), 1)
    assert 0 < bias[0] < RATE * RATE_LAST and bias[1] == 0


def test_each_row_is_drawn_as_often_and_asked_for_with_what_is_hidden(monkeypatch):
    steps(monkeypatch, 100)
    seen = []
    found = autoencoder._gradients

    def gradients(parameters, x, y):
        assert len(x) == len(y) == BATCH
        seen.extend(zip(x.tolist(), y.tolist(), strict=True))
        return found(parameters, x, y)

    monkeypatch.setattr(autoencoder, "_gradients", gradients)
    autoencoder.fit(rows([[1, 2], [3, 4], [5, 6]], [[10, 20], [30, 40], [50, 60]]), (), 1)
    for k in range(3):
        x = [x for x, y in seen if y == [20 * k + 10, 20 * k + 20]]
        assert len(x) == pytest.approx(len(seen) / 3, rel=0.1), k
        assert sorted({tuple(row) for row in x}) == [
            (0, 0), (0, 2 * k + 2), (2 * k + 1, 0), (2 * k + 1, 2 * k + 2)
        ]  # fmt: skip


def test_what_is_hidden_is_told_from_the_others(monkeypatch):
    """Of two counters that go together, each from the other."""
    steps(monkeypatch, 600)
    both = np.repeat(np.linspace(-1, 1, 50), 2).reshape(50, 2)
    ((weights, bias),) = autoencoder.fit(rows(both, both), (), 1)
    assert weights[0, 1] > 0.3 and weights[1, 0] > 0.3
    assert np.abs(both @ weights.T + bias - both).mean() < 0.1


def test_keras_is_asked_where_it_is_named(monkeypatch):
    monkeypatch.setattr(autoencoder_keras, "fit", lambda *asked: asked)
    given = rows([[0]], [[0]])
    assert autoencoder.fit(given, (3,), 5, "keras") == (given, (3,), 5)
    steps(monkeypatch, 0)
    assert len(autoencoder.fit(given, (3,), 5, "numpy")) == 2


def test_ranges_leave_a_quarter_of_int8_and_no_shift_more_than_that_takes():
    """Offset 100: 96 away is within 96 quanta, 97 away within 96 of 2 each."""
    aways = [0, 95, 96, 97, 192, 193, 384, 385]
    f = np.array([[100 - away for away in aways], [100 + away for away in aways]], np.int16)
    offset, shift = autoencoder.ranges(f)
    assert offset.tolist() == [100] * len(aways)
    assert shift.tolist() == [0, 0, 0, 1, 1, 2, 2, 3]
    assert offset.dtype == shift.dtype == np.int64
    offset, shift = autoencoder.ranges(np.array([[0], [0], [0], [99]], np.int16))
    assert offset.tolist() == [25] and shift.tolist() == [0], "the mean, and 74 above it"
