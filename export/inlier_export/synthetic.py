"""Detectors with random integers: parity and cost must not depend on what a
training finds.
"""

import numpy as np

from .reference import Detector, Ints, Layer

COUNTERS = tuple(f"c{i}" for i in range(14))


def random_detector(
    seed: int,
    hidden: tuple[int, ...] = (13, 4, 13),
    knots: tuple[int, ...] = (0, 31, 63),
    counters: tuple[str, ...] = COUNTERS,
    scales: tuple[int, ...] = (0, 2, 4),
) -> Detector:
    rng = np.random.default_rng(seed)
    n = len(counters) * len(scales)
    layers = []
    cols = n
    for rows in (*hidden, n):
        weights = rng.integers(-127, 128, (rows, cols)).astype(np.int8)
        shift = rng.integers(6, 13, rows)
        bias = rng.integers(-(1 << 20), 1 << 20, rows)
        layers.append(Layer(weights, bias, shift))
        cols = rows
    return Detector(
        source="replay",
        counters=counters,
        window_ms=1000,
        scales=scales,
        shifts=rng.integers(-6, 9, len(counters)),
        offset=rng.integers(0, 200, n),
        multiplier=rng.integers(100, 2017, n),
        layers=layers,
        knots=knots,
        svm_weights=rng.integers(-127, 128, (n, 2 * len(knots))).astype(np.int8),
        threshold_ae=400_000,
        threshold_svm=20_000,
        alarm=(2, 8, 4, 3, 5),
        metadata={"seed": seed},
    )


def extreme_windows(seed: int, count: int) -> Ints:
    """Deltas (count, counters): ordinary ones, all zero, single bits, the
    largest, and beyond it.
    """
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 32, (count, len(COUNTERS)))
    deltas: Ints = rng.integers(0, 1 << 62, (count, len(COUNTERS))) >> (62 - bits)
    deltas[::17] = 0
    deltas[1::97] = (1 << 30) - 1
    deltas[2::89] = 1 << 31
    deltas[3::83] = 1 << rng.integers(0, 31, len(COUNTERS))
    return deltas
