"""Floats to the integers of the model file: counter shifts and caps, layers."""

import math

import numpy as np
from numpy.typing import NDArray

from inlier.features import UNIT_BITS
from inlier.model import BIAS_MAX, CAP_MAX, FEATURES_MAX

from .reference import Bytes, Counts, Ints, Layer, dense

Floats = NDArray[np.float32]

INPUT_BITS = 6  # a quantised feature q stands for q / 2^6: the benign range is about [-1, 1]
# of requantisation: an output's zero point, 128 << shift, leaves its bias room
# below BIAS_MAX
SHIFT_LIMIT = 19
# the benign maximum stays below 2^22 of the 2^26 levels: 16 times more is still
# told apart
LEVEL_BITS = 22
CAP_QUANTILE = 0.99
BYTES = frozenset(("bytes_out", "bytes_in"))
BYTES_FULL = 64  # a frame: fewer bytes make no window of a persistence full


def counter_shifts(deltas: Counts) -> Ints:
    """The finest shift, at most 8, that leaves each counter's headroom:
    (counters,).
    """
    top = deltas.max(axis=0)
    bits = np.array([int(v).bit_length() for v in top])
    return np.minimum(UNIT_BITS, LEVEL_BITS - bits).astype(np.int64)


def caps(deltas: Counts, counters: tuple[str, ...] = ()) -> Ints:
    """The least power of two that all but a hundredth of the windows stay
    within, as its exponent: what fills a window of a persistence (counters,).
    """
    least = np.ones(deltas.shape[1])
    least[[name in BYTES for name in counters]] = BYTES_FULL
    usual = np.maximum(np.quantile(deltas, CAP_QUANTILE, axis=0), least)
    return np.minimum(np.ceil(np.log2(usual) - 1e-9), CAP_MAX).astype(np.int64)


def layers(floats: list[tuple[Floats, Floats]], x: Bytes) -> list[Layer]:
    """Quantise dense layers (weights (rows, cols), bias (rows,)), fitted on q /
    64, with x (n, features) as benign examples.

    Scales are powers of two, so that requantising is one shift: per output
    channel for weights, per layer for activations, whose benign maximum fills
    at most half of 0..255. Biases are corrected so that the mean pre-activation
    on x is the float network's (Nagel et al., "Data-free quantization through
    weight equalization and bias correction", 2019, section 4.2).
    """
    result: list[Layer] = []
    exact = (x.astype(np.float64) - 128) / (1 << INPUT_BITS)
    inputs, in_bits = x, INPUT_BITS
    for i, (weights, bias) in enumerate(floats):
        last = i == len(floats) - 1
        w = weights.astype(np.float64)
        target = exact @ w.T + bias.astype(np.float64)
        out_bits = INPUT_BITS
        weight_bits = np.array([_bits_below(127, float(np.abs(row).max())) for row in w])
        if not last:
            out_bits = min(_bits_below(127, float(target.max())), int(weight_bits.min()) + in_bits)
        # no shift is negative: a weight too large for that is cut to 127
        weight_bits = np.clip(weight_bits, out_bits - in_bits, SHIFT_LIMIT + out_bits - in_bits)
        shift = weight_bits + in_bits - out_bits
        wq = np.clip(np.rint(w * 2.0 ** weight_bits[:, None]), -127, 127).astype(np.int64)
        mean_acc = inputs.astype(np.float64).mean(axis=0) @ wq.T  # with the inputs' zero point
        bq = np.rint(target.mean(axis=0) * 2.0 ** (weight_bits + in_bits) - mean_acc).astype(
            np.int64
        )
        bq += 1 << shift >> 1
        if last:
            bq += 128 << shift
        check_bounds(wq, bq)
        layer = Layer(wq.astype(np.int8), bq, shift)
        result.append(layer)
        inputs, in_bits = dense(inputs, layer), out_bits
        exact = np.maximum(target, 0)
    return result


def _bits_below(limit: int, value: float) -> int:
    """The greatest b with value * 2^b <= limit; for a value of almost zero, one
    that is plenty.
    """
    return math.floor(math.log2(limit / max(value, 2.0**-16)))


def check_bounds(w: Ints, bias: Ints) -> None:
    """Within them no accumulator leaves int32, nor a 31-bit small int, whatever
    the input; see inlier.model.FEATURES_MAX.
    """
    assert w.shape[1] <= FEATURES_MAX and np.abs(bias).max() <= BIAS_MAX and np.abs(w).max() <= 127
