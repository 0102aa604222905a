"""Detectors with random integers: parity and cost must not depend on what a
training finds.
"""

from dataclasses import replace

import numpy as np

from inlier.counters import DELTA_MAX
from inlier.features import LOG_MAX

from .reference import Detector, Ints, Layer, Schema, Trace

COUNTERS = tuple(f"c{i}" for i in range(14))
HORIZONS = ((2, 8, 40_000), (8, 12, 30_000), (20, 24, 20_000), (56, 64, 10_000), (170, 192, 9_000))


def random_detector(
    seed: int,
    hidden: tuple[int, ...] = (13, 4, 13),
    counters: tuple[str, ...] = COUNTERS,
    scales: tuple[int, ...] = (0, 2, 4),
    persistence: tuple[int, ...] = (5,),
    by_rows: bool = False,
) -> Detector:
    rng = np.random.default_rng(seed)
    n = len(counters) * (len(scales) + len(persistence))
    layers = []
    cols = n
    for rows in (*hidden, n):
        weights = rng.integers(-127, 128, (rows, cols)).astype(np.int8)
        shift = rng.integers(6, 13, rows)
        bias = rng.integers(-(1 << 20), 1 << 20, rows)
        layers.append(Layer(weights, bias, shift))
        cols = rows
    schema = Schema(
        counters,
        scales,
        persistence,
        shifts=rng.integers(-6, 9, len(counters)),
        caps=rng.integers(0, 21, len(counters)),
    )
    return Detector(
        source="replay",
        window_ms=1000,
        schema=schema,
        offset=rng.integers(0, 200, n),
        high=rng.integers(100, LOG_MAX + 1, n),
        low=rng.integers(0, 100, n),
        far=rng.integers(0, 100, n),
        input_shift=rng.integers(0, 4, n),
        weights=rng.integers(0, 128, (n, 3)),
        layers=layers,
        horizons=((1, 1, 40_000),) if by_rows else HORIZONS,
        threshold_ae=400_000 if by_rows else DELTA_MAX,
        threshold_quiet=2_000,
        by_rows=by_rows,
        clear_after=4,
        quiet_after=6,
        cooldown=3,
        warmup=5,
        metadata={"seed": seed},
    )


def with_thresholds(detector: Detector, trace: Trace) -> Detector:
    """Thresholds that about half of the scores of `trace` exceed: a wrong
    comparison or a wrong alarm must show.
    """
    shares = np.linspace(80, 40, len(detector.horizons))
    return replace(
        detector,
        threshold_ae=int(np.median(trace.ae)) if detector.by_rows else detector.threshold_ae,
        threshold_quiet=int(np.percentile(trace.quiet, 40)),
        horizons=tuple(
            (k, n, int(np.percentile(trace.svm, share)))
            for (k, n, _), share in zip(detector.horizons, shares, strict=True)
        ),
    )


def extreme_windows(seed: int, count: int) -> Ints:
    """Deltas (count, counters): ordinary ones, all zero, single bits, the
    largest, and beyond it.
    """
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 32, (count, len(COUNTERS)))
    deltas: Ints = rng.integers(0, 1 << 62, (count, len(COUNTERS))) >> (62 - bits)
    deltas[::17] = 0
    deltas[1::97] = DELTA_MAX
    deltas[2::89] = 1 << 31
    deltas[3::83] = 1 << rng.integers(0, 31, len(COUNTERS))
    return deltas
