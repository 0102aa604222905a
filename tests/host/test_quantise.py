"""Floats to integers: rounded to the nearest, and no accumulator leaves 31
bits.
"""

import numpy as np
import pytest

from inlier.model import BIAS_MAX, FEATURES_MAX, SHIFT_MAX
from inlier_export import quantise, reference
from inlier_export.quantise import INPUT_BITS, LEVEL_BITS, SHIFT_LIMIT


def test_counter_shifts_leave_room_for_sixteen_times_the_benign_maximum():
    tops = [0, 1, 1 << 13, (1 << 14) - 1, 1 << 14, 1 << 20, 1 << 28, (1 << 30) - 1]
    shifts = quantise.counter_shifts(np.array([tops, [0] * len(tops)]))
    assert shifts.tolist() == [8, 8, 8, 8, 7, 1, -7, -8]
    for top, shift in zip(tops, shifts.tolist(), strict=True):
        level = top << shift if shift >= 0 else top >> -shift
        assert level < 1 << LEVEL_BITS and (shift == 8 or 2 * level >= 1 << LEVEL_BITS)


def test_a_cap_is_the_power_of_two_that_all_but_a_hundredth_stay_within():
    column = np.array([3] * 980 + [5] * 15 + [1 << 25] * 5)
    rows = np.stack([column, column // 100, np.full(1000, 1 << 30)], axis=1)
    assert quantise.caps(rows).tolist() == [3, 0, 29], "5 events: 8; none: one; no more than 29"
    assert quantise.caps(rows, ("bytes_out", "peers", "bytes_in")).tolist() == [6, 0, 29], (
        "fewer bytes than a frame fill no window"
    )
    assert quantise.caps(np.full((1000, 1), 8)).tolist() == [3], "exactly a power of two is it"


def test_a_bias_rounds_an_output_to_the_nearest():
    """One weight of 1, q / 64 in and out: each q must come back as it is."""
    x = np.arange(40, 217, dtype=np.uint8)[:, None]  # symmetric about 128
    weights, bias = np.array([[1.0]], np.float32), np.zeros(1, np.float32)
    (layer,) = quantise.layers([(weights, bias)], x)
    assert int(layer.weights[0, 0]) == 64 and int(layer.shift[0]) == 6
    # 128 of the zero point, half of a step, and -128 * 64 of the inputs' own
    assert int(layer.bias[0]) == (128 << 6) + (1 << 5) - 128 * 64
    assert (reference.dense(x, layer) == x).all()
    (half,) = quantise.layers([(weights / 2, bias)], x)
    found = reference.dense(x, half)[:, 0].astype(int) - 128
    exact = (x[:, 0].astype(int) - 128) / 2
    assert np.abs(found - exact).max() <= 0.5 and abs((found - exact).mean()) < 0.51
    assert found.tolist() == np.floor(exact + 0.5).astype(int).tolist(), "a half is rounded up"


def test_outputs_are_those_of_the_float_network_on_average():
    rng = np.random.default_rng(2)
    x = rng.integers(64, 192, (3000, 9)).astype(np.uint8)
    floats = [
        (rng.normal(0, 0.4, (6, 9)).astype(np.float32), rng.normal(0, 0.2, 6).astype(np.float32)),
        (rng.normal(0, 0.4, (9, 6)).astype(np.float32), rng.normal(0, 0.2, 9).astype(np.float32)),
    ]
    layers = quantise.layers(floats, x)
    hidden = np.maximum((x.astype(float) - 128) / 64 @ floats[0][0].T + floats[0][1], 0)
    exact = hidden @ floats[1][0].T + floats[1][1]
    found = (reference.reconstruct(x, layers).astype(float) - 128) / 64
    assert np.abs((found - exact).mean(axis=0)).max() < 1 / 64, "a quantum"


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_weights_of_any_size_leave_the_bounds(scale, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (200, 12)).astype(np.uint8)
    floats = [
        ((rng.normal(0, scale, (4, 12))).astype(np.float32), rng.normal(0, 1, 4).astype("f4")),
        ((rng.normal(0, scale, (12, 4))).astype(np.float32), rng.normal(0, 1, 12).astype("f4")),
    ]
    try:
        layers = quantise.layers(floats, x)
    except AssertionError:
        assert scale > 1e3, "a network that no fit gives"
        return
    for layer in layers:
        assert np.abs(layer.bias).max() <= BIAS_MAX
        assert layer.shift.min() >= 0 and layer.shift.max() <= min(SHIFT_LIMIT, SHIFT_MAX)
        assert np.abs(layer.weights.astype(int)).max() <= 127


def test_a_hidden_layer_s_benign_maximum_fills_half_of_a_byte_whatever_it_is():
    x = np.array([[192], [128]], np.uint8)  # 1 and 0
    identity = np.eye(1, dtype=np.float32), np.zeros(1, np.float32)
    for largest, byte in ((127 / 64, 127), (2.0, 64), (126 / 64, 126), (50.0, 100), (0.011, 90)):
        weights = np.array([[largest]], np.float32)
        hidden, last = quantise.layers([(weights, identity[1]), identity], x)
        assert reference.dense(x, hidden).tolist() == [[byte], [0]], largest
        found = (reference.reconstruct(x, [hidden, last]).astype(int) - 128).tolist()
        assert found == [[min(127, round(64 * largest))], [0]], "and q / 64 comes out again"


def test_weights_fill_their_byte_and_a_weight_too_large_for_its_layer_is_cut():
    x = np.array([[192], [64]], np.uint8)
    for weight, byte, shift in ((127 / 64, 127, 6), (2.0, 64, 5), (1e3, 127, 0), (-1e3, -127, 0)):
        floats = np.array([[weight]], np.float32), np.zeros(1, np.float32)
        (layer,) = quantise.layers([floats], x)
        assert (layer.weights.tolist(), layer.shift.tolist()) == ([[byte]], [shift]), weight


def test_an_output_s_zero_point_takes_at_most_a_quarter_of_what_its_bias_may_be():
    x = np.array([[192]], np.uint8)
    (layer,) = quantise.layers([(np.zeros((1, 1), np.float32), np.zeros(1, np.float32))], x)
    assert layer.shift.tolist() == [SHIFT_LIMIT] and 4 * (128 << SHIFT_LIMIT) == BIAS_MAX
    assert layer.bias.tolist() == [(128 << SHIFT_LIMIT) + (1 << SHIFT_LIMIT - 1)]


def test_within_the_bounds_no_accumulator_leaves_a_small_int_of_31_bits():
    """Of kernels.plain: stored weights up to 255 times inputs up to 255, less
    128 times the inputs' sum.
    """
    assert FEATURES_MAX * 255 * 255 + BIAS_MAX < 1 << 30
    assert FEATURES_MAX * 128 * 255 + BIAS_MAX < 1 << 30


def test_a_layer_beyond_the_bounds_is_not_exported():
    weights = np.full((1, FEATURES_MAX), 127, np.int64)
    quantise.check_bounds(weights, np.array([BIAS_MAX]))
    quantise.check_bounds(-weights, np.array([-BIAS_MAX]))
    for w, bias in (
        (weights, BIAS_MAX + 1),
        (weights, -BIAS_MAX - 1),
        (weights + 1, 0),
        (np.full((1, FEATURES_MAX + 1), 1, np.int64), 0),
    ):
        with pytest.raises(AssertionError):
            quantise.check_bounds(w, np.array([bias]))


def test_inputs_are_quantised_at_sixty_fourths():
    assert INPUT_BITS == 6
    f = np.array([[0, 100, 288]], np.int16)
    x = reference.inputs(f, np.array([0, 100, 0]), np.array([0, 3, 1]))
    assert x.tolist() == [[128, 128, 255]], "what is far beyond is the most that int8 holds"
    low = reference.inputs(f, np.array([288, 107, 280]), np.array([0, 3, 0]))
    assert low.tolist() == [[0, 127, 136]], "a shift rounds down"
