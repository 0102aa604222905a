"""The runtime's arithmetic in NumPy, vectorised for training and for parity:
equal to firmware/inlier, integer by integer.

The formulas and their reasons stand in inlier.features and
inlier.kernels.plain.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from inlier.alarm import Alarm
from inlier.counters import DELTA_MAX
from inlier.features import LEVEL_MAX, UNIT_BITS, mean_of_log

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Progress = Callable[[int, int], None]


@dataclass
class Layer:
    """One quantised dense layer. weights: int8 (rows, cols); bias: int32
    (rows,), shift: uint8 (rows,).
    """

    weights: NDArray[np.int8]
    bias: Ints
    shift: Ints


@dataclass
class Detector:
    """Everything a model file holds, unpacked. features = counters x scales,
    counter-major.
    """

    source: str
    counters: tuple[str, ...]
    window_ms: int
    scales: tuple[int, ...]
    shifts: Ints  # (counters,), left shift of a delta: at most 8, negative to the right
    offset: Ints  # (features,)
    multiplier: Ints  # (features,)
    layers: list[Layer]
    knots: tuple[int, ...]
    svm_weights: NDArray[np.int8]  # (features, 2 * knots)
    threshold_ae: int = 0
    threshold_svm: int = 0
    alarm: tuple[int, int, int, int, int] = (2, 8, 8, 8, 16)  # k, n, m, cooldown, warm-up
    metadata: dict[str, object] = field(default_factory=dict)
    number: int = 0  # of the model: a device refuses one that is lower than what it ran before

    @property
    def features(self) -> int:
        return len(self.counters) * len(self.scales)


def levels(deltas: Ints, shifts: Ints) -> Ints:
    """x' (n, counters) of deltas (n, counters)."""
    d = np.clip(deltas, 0, DELTA_MAX).astype(np.int64)
    left = np.maximum(shifts, 0)
    right = np.maximum(-shifts, 0)
    return np.minimum((d >> right) << left, LEVEL_MAX)


def log2_fixed(mean: Ints) -> Ints:
    """16 * log2(1 + mean / 256), Mitchell's approximation."""
    v = mean + (1 << UNIT_BITS)
    exponent = np.frexp(v.astype(np.float64))[1].astype(np.int64) - 1  # exact: v < 2^53
    return (exponent - UNIT_BITS) * 16 + (v >> (exponent - 4)) - 16


def start_state(offset: Ints, scales: tuple[int, ...]) -> Ints:
    k = np.tile(np.asarray(scales), len(offset) // len(scales))
    return np.asarray([mean_of_log(int(f)) for f in offset], np.int64) << k


def log_features(
    deltas: Ints,
    shifts: Ints,
    scales: tuple[int, ...],
    state: Ints | None = None,
    progress: Progress | None = None,
) -> NDArray[np.int16]:
    """f (n, features) int16 of windows in order. state: int64 (features,),
    updated in place; by default zero.
    """
    k = np.tile(np.asarray(scales, np.int64), deltas.shape[1])
    s = np.zeros(len(k), np.int64) if state is None else state
    out = np.empty((len(deltas), len(k)), np.int16)
    step = 4096
    for start in range(0, len(deltas), step):
        x = np.repeat(levels(deltas[start : start + step], shifts), len(scales), axis=1)
        means = np.empty_like(x)
        for i in range(len(x)):  # a recurrence with rounding: one window after the other
            s += x[i] - (s >> k)
            means[i] = s >> k
        out[start : start + len(x)] = log2_fixed(means)
        if progress:
            progress(start + len(x), len(deltas))
    return out


def quantise(f: NDArray[np.int16], offset: Ints, multiplier: Ints) -> Bytes:
    """x = q + 128 (n, features) uint8."""
    q = ((f.astype(np.int32) - offset.astype(np.int32)) * multiplier.astype(np.int32)) >> 8
    return (np.clip(q, -128, 127) + 128).astype(np.uint8)


def dense(x: Bytes, layer: Layer) -> Bytes:
    """(n, rows) uint8. The float64 product is exact: sums stay far below 2^53."""
    acc = (x.astype(np.float64) @ layer.weights.T.astype(np.float64)).astype(np.int64) + layer.bias
    return np.clip(acc >> layer.shift, 0, 255).astype(np.uint8)


def reconstruct(x: Bytes, layers: list[Layer]) -> Bytes:
    for layer in layers:
        x = dense(x, layer)
    return x


def hinge_map(x: Bytes, knots: tuple[int, ...]) -> NDArray[np.int16]:
    """max(0, q - t) for each knot t, then max(0, -q - t): (n, features, 2 *
    knots) int16.
    """
    q = x.astype(np.int16)[:, :, None] - 128
    t = np.asarray(knots, np.int16)
    return np.concatenate([np.maximum(0, q - t), np.maximum(0, -q - t)], axis=2)


def autoencoder_score(x: Bytes, layers: list[Layer]) -> Ints:
    """Squared reconstruction error (n,) of quantised features x (n, features)
    uint8, in bounded memory.
    """
    out = np.empty(len(x), np.int64)
    for start in range(0, len(x), 4096):
        part = slice(start, start + 4096)
        error = x[part].astype(np.int64) - reconstruct(x[part], layers)
        out[part] = (error * error).sum(axis=1)
    return out


def svm_score(x: Bytes, knots: tuple[int, ...], weights: NDArray[np.int8]) -> Ints:
    """Weighted sum of the hinges (n,) of x (n, features) uint8; weights: int8
    (features, 2 * knots).
    """
    out = np.empty(len(x), np.int64)
    w = weights.reshape(-1).astype(np.float64)
    for start in range(0, len(x), 4096):
        part = slice(start, start + 4096)
        h = hinge_map(x[part], knots)
        out[part] = (h.reshape(len(h), -1).astype(np.float64) @ w).astype(np.int64)
    return out


@dataclass
class Trace:
    """What a run over windows gives: x (n, features) uint8, scores (n,), hot
    (n,) bool, event (n,): 1 raised, -1 cleared.
    """

    x: Bytes
    ae: Ints
    svm: Ints
    hot: NDArray[np.bool_]
    event: Ints


def joined(traces: Sequence[Trace]) -> Trace:
    """Runs, each from boot, one after the other."""
    return Trace(
        *(np.concatenate([getattr(trace, part.name) for trace in traces]) for part in fields(Trace))
    )


def run(detector: Detector, deltas: Ints, progress: Progress | None = None) -> Trace:
    """Score windows (n, counters) from boot, as the device would."""
    state = start_state(detector.offset, detector.scales)
    f = log_features(deltas, detector.shifts, detector.scales, state, progress)
    x = quantise(f, detector.offset, detector.multiplier)
    ae = autoencoder_score(x, detector.layers)
    svm = svm_score(x, detector.knots, detector.svm_weights)
    hot = (ae > detector.threshold_ae) | (svm > detector.threshold_svm)
    return Trace(x, ae, svm, hot, alarm_events(hot, detector.alarm))


def alarm_events(hot: NDArray[np.bool_], settings: tuple[int, int, int, int, int]) -> Ints:
    """The alarm's decisions (n,), by the runtime's own rule."""
    alarm = Alarm(*settings)
    return np.fromiter((alarm.step(bool(h)) for h in hot), np.int64, len(hot))
