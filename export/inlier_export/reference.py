"""The runtime's arithmetic in NumPy, vectorised for training and for parity:
equal to firmware/inlier, integer by integer.

The formulas and their reasons stand in inlier.features and
inlier.kernels.plain.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from inlier.alarm import Alarm, Quiet
from inlier.counters import DELTA_MAX
from inlier.features import FULL_BITS, LEVEL_MAX, PERSISTENCE_OUT, UNIT_BITS, mean_of_log

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Advance = Callable[[int, int], None]
Horizon = tuple[int, int, int]  # k, n, threshold: k of the last n scores over it
NEVER = DELTA_MAX  # a threshold that nothing exceeds


@dataclass
class Layer:
    """One quantised dense layer. weights: int8 (rows, cols); bias: int32
    (rows,), shift: uint8 (rows,).
    """

    weights: NDArray[np.int8]
    bias: Ints
    shift: Ints


@dataclass
class Schema:
    """What makes log features of windows.

    shifts: (counters,), left shift of a delta: at most 8, negative to the
    right. caps: (counters,), a persistence counts at most 2^cap events a
    window. Features are counter-major, each counter's in the order of `kinds`.
    """

    counters: tuple[str, ...]
    scales: tuple[int, ...]
    persistence: tuple[int, ...]
    shifts: Ints
    caps: Ints

    @property
    def kinds(self) -> tuple[tuple[int, int], ...]:
        """(k, r) of each of a counter's features; see inlier.features."""
        means = ((k, k) for k in self.scales)
        return (*means, *((k, PERSISTENCE_OUT) for k in self.persistence))

    @property
    def features(self) -> int:
        return len(self.counters) * len(self.kinds)


@dataclass
class Detector:
    """Everything a model file holds, unpacked.

    offset, high, low, far, input_shift: (features,). weights: (features, 3),
    0 to 127: beyond high, below low, beyond far. by_rows: windows have no
    order; both sides and the autoencoder's squared error decide at once.
    """

    source: str
    window_ms: int
    schema: Schema
    offset: Ints
    high: Ints
    low: Ints
    far: Ints
    input_shift: Ints
    weights: Ints
    layers: list[Layer]
    horizons: tuple[Horizon, ...]
    threshold_ae: int = NEVER
    threshold_quiet: int = NEVER
    by_rows: bool = False
    clear_after: int = 8
    quiet_after: int = 56
    cooldown: int = 8
    warmup: int = 32
    metadata: dict[str, object] = field(default_factory=dict)
    number: int = 0  # of the model: a device refuses one that is lower than what it ran before

    @property
    def counters(self) -> tuple[str, ...]:
        return self.schema.counters

    @property
    def features(self) -> int:
        return self.schema.features

    @property
    def least(self) -> int:
        """The lowest threshold: a score over it is hot."""
        return min(limit for _, _, limit in self.horizons)


def levels(deltas: Ints, schema: Schema) -> tuple[Ints, Ints]:
    """Levels of means and of persistences (..., n, counters) of deltas."""
    d = np.clip(deltas, 0, DELTA_MAX).astype(np.int64)
    left, right = np.maximum(schema.shifts, 0), np.maximum(-schema.shifts, 0)
    level = np.minimum((d >> right) << left, LEVEL_MAX)
    over = schema.caps - FULL_BITS
    full = np.minimum(d, np.int64(1) << schema.caps) >> np.maximum(over, 0)
    return level, full << np.maximum(-over, 0)


def log2_fixed(mean: Ints) -> Ints:
    """16 * log2(1 + mean / 256), Mitchell's approximation."""
    v = mean + (1 << UNIT_BITS)
    exponent = np.frexp(v.astype(np.float64))[1].astype(np.int64) - 1  # exact: v < 2^53
    return (exponent - UNIT_BITS) * 16 + (v >> (exponent - 4)) - 16


def start_state(offset: Ints, schema: Schema) -> Ints:
    """Each feature's sum at boot (features,): at its offset."""
    out = np.tile([r for _, r in schema.kinds], len(schema.counters))
    return np.asarray([mean_of_log(int(f)) for f in offset], np.int64) << out


def log_features(
    deltas: Ints, schema: Schema, state: Ints, progress: Advance | None = None
) -> NDArray[np.int16]:
    """f (..., n, features) int16 of windows (..., n, counters) in order, from
    the sums `state` (features,), which stay as they are.
    """
    kinds = schema.kinds
    decay = np.tile([k for k, _ in kinds], len(schema.counters))
    out_shift = np.tile([r for _, r in kinds], len(schema.counters))
    means = np.arange(len(kinds)) < len(schema.scales)
    n = deltas.shape[-2]
    out = np.empty((*deltas.shape[:-1], schema.features), np.int16)
    s = np.broadcast_to(state, (*deltas.shape[:-2], schema.features)).copy()
    step = 4096
    for start in range(0, n, step):
        part = deltas[..., start : start + step, :]
        level, full = levels(part, schema)
        x = np.where(means, level[..., None], full[..., None])
        x = x.reshape(*part.shape[:-1], schema.features)
        sums = np.empty_like(x)
        for i in range(part.shape[-2]):  # a recurrence with rounding: one window after the other
            s += x[..., i, :] - (s >> decay)
            sums[..., i, :] = s
        out[..., start : start + step, :] = log2_fixed(sums >> out_shift)
        if progress:
            progress(min(start + step, n), n)
    return out


def inputs(f: NDArray[np.int16], offset: Ints, input_shift: Ints) -> Bytes:
    """The autoencoder's: x = q + 128 (..., features) uint8."""
    q = (f.astype(np.int32) - offset.astype(np.int32)) >> input_shift.astype(np.int32)
    return (np.clip(q, -128, 127) + 128).astype(np.uint8)


def dense(x: Bytes, layer: Layer) -> Bytes:
    """(n, rows) uint8. The float64 product is exact: sums stay far below 2^53."""
    acc = (x.astype(np.float64) @ layer.weights.T.astype(np.float64)).astype(np.int64) + layer.bias
    return np.clip(acc >> layer.shift, 0, 255).astype(np.uint8)


def reconstruct(x: Bytes, layers: list[Layer]) -> Bytes:
    for layer in layers:
        x = dense(x, layer)
    return x


def squared_error(x: Bytes, y: Bytes) -> Ints:
    """Of the reconstruction y of x (..., features) uint8: (...,)."""
    error = x.astype(np.int32) - y
    return (error * error).sum(axis=-1, dtype=np.int64)


def distance(f: NDArray[np.int16], y: Bytes, offset: Ints, input_shift: Ints) -> NDArray[np.int32]:
    """How far f lies above its reconstruction y, or above the benign centre if
    that is higher, signed, in sixteenths of an octave (..., features).
    """
    back = np.maximum(y.astype(np.int32) - 128, 0) << input_shift.astype(np.int32)
    return f.astype(np.int32) - offset.astype(np.int32) - back


def excess(f: NDArray[np.int16], y: Bytes, d: Detector) -> tuple[Ints, Ints, Ints]:
    """Beyond high, below low and beyond far (..., features), none negative."""
    wide = f.astype(np.int64)
    return (
        np.maximum(wide - d.high, 0),
        np.maximum(d.low - wide, 0),
        np.maximum(distance(f, y, d.offset, d.input_shift).astype(np.int64) - d.far, 0),
    )


def contributions(f: NDArray[np.int16], y: Bytes, d: Detector) -> Ints:
    """Each feature's part of the score (..., features)."""
    over, under, beyond = excess(f, y, d)
    parts: Ints = over * d.weights[:, 0] + beyond * d.weights[:, 2]
    return parts + under * d.weights[:, 1] if d.by_rows else parts


@dataclass
class Trace:
    """What a run over windows gives: f (n, features) int16, x and y (n,
    features) uint8, scores and quiet scores (n,), hot (n,) bool, event (n,): 1
    raised, 2 grown, -1 cleared; gone (n,): 1 gone quiet, -1 back.
    """

    f: NDArray[np.int16]
    x: Bytes
    y: Bytes
    ae: Ints
    svm: Ints
    quiet: Ints
    hot: NDArray[np.bool_]
    event: Ints
    gone: Ints


def run(detector: Detector, deltas: Ints, progress: Advance | None = None) -> Trace:
    """Score windows (n, counters) from boot, as the device would."""
    d = detector
    f = log_features(deltas, d.schema, start_state(d.offset, d.schema), progress)
    return score(d, f)


def score(d: Detector, f: NDArray[np.int16], theirs: Bytes | None = None) -> Trace:
    """The same of log features (n, features), in bounded memory. theirs: the
    reconstruction, where it is another's (tflite.py).
    """
    x = inputs(f, d.offset, d.input_shift)
    y = np.empty_like(x) if theirs is None else theirs
    ae, svm, quiet = np.zeros((3, len(f)), np.int64)
    for start in range(0, len(f), 4096):
        part = slice(start, start + 4096)
        if theirs is None:
            y[part] = reconstruct(x[part], d.layers)
        ae[part] = squared_error(x[part], y[part])
        over, under, beyond = excess(f[part], y[part], d)
        svm[part] = over @ d.weights[:, 0] + beyond @ d.weights[:, 2]
        quiet[part] = under @ d.weights[:, 1]
    odd = np.zeros(len(f), bool)
    if d.by_rows:
        svm = svm + quiet
        odd = ae > d.threshold_ae
    hot = odd | (svm > d.least)
    kinds = len(d.schema.kinds)

    def leading(i: int) -> int:
        parts = contributions(f[i], y[i], d).reshape(-1, kinds).sum(axis=1)
        return int(parts.argmax())

    event = alarm_events(d, svm, odd, leading)
    gone = quiet_events(d, quiet)
    return Trace(f, x, y, ae, svm, quiet, hot, event, gone)


def settings(d: Detector) -> SimpleNamespace:
    """What inlier.alarm asks of a model."""
    return SimpleNamespace(
        horizons=lambda: iter(d.horizons),
        clear_after=d.clear_after,
        cooldown=d.cooldown,
        warmup=d.warmup,
        threshold_quiet=d.threshold_quiet,
        quiet_after=d.quiet_after,
    )


def alarm_events(
    d: Detector, scores: Ints, odd: NDArray[np.bool_], leading: Callable[[int], int]
) -> Ints:
    """The alarm's decisions (n,), by the runtime's own rule. leading: of a
    window, the counter that contributes most.
    """
    alarm = Alarm(settings(d))
    out = np.zeros(len(scores), np.int64)
    for i, (value, also) in enumerate(zip(scores.tolist(), odd.tolist(), strict=True)):
        out[i] = alarm.step(value, also, lambda i=i: leading(i))
    return out


def quiet_events(d: Detector, scores: Ints) -> Ints:
    """When the device goes quiet (1) and is back (-1), (n,)."""
    out = np.zeros(len(scores), np.int64)
    if d.by_rows:
        return out
    sums = [0, 0]
    quiet = Quiet(settings(d), sums)
    for i, value in enumerate(scores.tolist()):
        sums[1] = value
        quiet.step()
        out[i] = quiet.event
    return out
