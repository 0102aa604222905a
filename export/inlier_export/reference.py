"""The runtime's arithmetic in NumPy, vectorised for training and for parity:
equal to firmware/inlier, integer by integer.

The formulas and their reasons stand in inlier.features and
inlier.kernels.plain.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inlier.alarm import Alarm, Quiet
from inlier.counters import DELTA_MAX
from inlier.features import FULL_BITS, LEVEL_MAX, PERSISTENCE_OUT, UNIT_BITS, mean_of_log
from inlier.model import WEIGHT_MAX

from . import damped

Ints = NDArray[np.int64]
Counts = NDArray[np.integer[Any]]  # windows: int32 where many are held
Bytes = NDArray[np.uint8]
Advance = Callable[[int, int], None]
Horizon = tuple[int, int, int]  # k, n, threshold: k of the last n scores over it
NEVER = DELTA_MAX  # a threshold that nothing exceeds
BLOCK = 2048  # windows at a time: what one of them takes fits a cache
FLOAT32_EXACT = 1 << 24  # any sum of integers that stays below is exact, in whatever order


@dataclass
class Layer:
    """One quantised dense layer.

    weights: int8 (rows, cols).
    bias: int32 (rows,).
    shift: uint8 (rows,).
    """

    weights: NDArray[np.int8]
    bias: Ints
    shift: Ints


@dataclass
class Schema:
    """What makes log features of windows: counter-major, each counter's in the
    order of `kinds`.

    shifts: (counters,), left shift of a delta: at most 8, negative to the
        right.
    caps: (counters,), a persistence counts at most 2^cap events a window.
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

    offset, high, low, far, input_shift: (features,).
    weights: (features, 3), 0 to 127: beyond high, below low, beyond far.
    by_rows: windows have no order; both sides and the autoencoder's squared
        error decide at once.
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


def levels(deltas: Counts, schema: Schema) -> tuple[damped.Sums, damped.Sums]:
    """Levels of means and of persistences (..., n, counters) int32 of deltas."""
    by_counter = np.ascontiguousarray(np.moveaxis(deltas, -1, 0))  # long inner loops
    d = np.clip(by_counter, 0, DELTA_MAX).astype(np.int32)
    shape = (len(d), *(1 for _ in d.shape[1:]))
    shifts, caps = (v.astype(np.int32).reshape(shape) for v in (schema.shifts, schema.caps))
    left, right = np.maximum(shifts, 0), np.maximum(-shifts, 0)
    level = d >> right
    level = np.where(level > LEVEL_MAX >> left, np.int32(LEVEL_MAX), level << left)
    over = caps - FULL_BITS
    full = np.minimum(d, np.int32(1) << caps) >> np.maximum(over, 0) << np.maximum(-over, 0)
    return np.moveaxis(level, 0, -1), np.moveaxis(full, 0, -1)


def log2_fixed(mean: Ints | damped.Sums) -> Ints:
    """16 * log2(1 + mean / 256), Mitchell's approximation: what exponent and
    fraction of a float64 hold, which is exact below 2^53.
    """
    bits = (mean + (1 << UNIT_BITS)).astype(np.float64).view(np.int64)
    return (bits >> 48) - ((1023 + UNIT_BITS) << 4)


def start_state(offset: Ints, schema: Schema) -> Ints:
    """Each feature's sum at boot (features,): at its offset."""
    out = np.tile([r for _, r in schema.kinds], len(schema.counters))
    return np.asarray([mean_of_log(int(f)) for f in offset], np.int64) << out


def log_features(
    deltas: Counts, schema: Schema, state: Ints, progress: Advance | None = None
) -> NDArray[np.int16]:
    """f (..., n, features) int16 of windows (..., n, counters) in order, from
    the sums `state` (features,), which stay as they are.
    """
    kinds, n = schema.kinds, deltas.shape[-2]
    decay = np.tile(np.array([k for k, _ in kinds], np.int32), len(schema.counters))
    out_shift = np.tile(np.array([r for _, r in kinds], np.int32), len(schema.counters))
    out = np.empty((*deltas.shape[:-1], schema.features), np.int16)
    s = np.broadcast_to(state, (*deltas.shape[:-2], schema.features)).astype(np.int32)
    step = damped.STRETCH * damped.STRETCHES
    for start in range(0, n, step):
        part = deltas[..., start : start + step, :]
        x = np.empty((*part.shape, len(kinds)), np.int32)
        for at in range(0, part.shape[-2], BLOCK):
            level, full = levels(part[..., at : at + BLOCK, :], schema)
            block = x[..., at : at + BLOCK, :, :]
            block[..., : len(schema.scales)] = level[..., None]
            block[..., len(schema.scales) :] = full[..., None]
        sums = damped.damped(x.reshape(*part.shape[:-1], schema.features), s, decay)
        s = sums[..., -1, :].copy()
        for at in range(0, part.shape[-2], BLOCK):
            means = sums[..., at : at + BLOCK, :] >> out_shift
            done = slice(start + at, start + at + means.shape[-2])
            out[..., done, :] = log2_fixed(means)
        if progress:
            progress(min(start + step, n), n)
    return out


def inputs(f: NDArray[np.int16], offset: Ints, input_shift: Ints) -> Bytes:
    """The autoencoder's: x = q + 128 (..., features) uint8."""
    q = (f.astype(np.int32) - offset.astype(np.int32)) >> input_shift.astype(np.int32)
    return np.clip(q + 128, 0, 255).astype(np.uint8)


def product(a: NDArray[Any], b: NDArray[Any], largest: int) -> NDArray[Any]:
    """a @ b of integers, by floats, which are fast: no partial sum is beyond
    `largest`, so that float32 is exact below 2^24, and float64 below 2^53.
    """
    wide = np.float32 if largest < FLOAT32_EXACT else np.float64
    return a.astype(wide) @ b.astype(wide)


def dense(x: Bytes, layer: Layer) -> Bytes:
    """(n, rows) uint8, of x (n, cols)."""
    acc = product(x, layer.weights.T, 255 * 128 * x.shape[1]).astype(np.int32)
    acc += layer.bias.astype(np.int32)
    acc >>= layer.shift.astype(np.int32)
    return np.clip(acc, 0, 255, out=acc).astype(np.uint8)


def reconstruct(x: Bytes, layers: list[Layer]) -> Bytes:
    for layer in layers:
        x = dense(x, layer)
    return x


def squared_error(x: Bytes, y: Bytes) -> Ints:
    """Of the reconstruction y of x (..., features) uint8: (...,)."""
    error = x.astype(np.int32) - y
    return np.einsum("...i,...i->...", error, error).astype(np.int64)  # below 2^28


def distance(f: NDArray[np.int16], y: Bytes, offset: Ints, input_shift: Ints) -> NDArray[np.int32]:
    """How far f lies above its reconstruction y, or above the benign centre if
    that is higher, signed, in sixteenths of an octave (..., features).
    """
    back = np.maximum(y, 128).astype(np.int32) - 128 << input_shift.astype(np.int32)
    return f.astype(np.int32) - offset.astype(np.int32) - back


def excess(f: NDArray[np.int16], y: Bytes, d: Detector) -> tuple[damped.Sums, ...]:
    """Beyond high, below low and beyond far (..., features) int32, none
    negative.
    """
    wide = f.astype(np.int32)
    away = distance(f, y, d.offset, d.input_shift)
    return (
        np.maximum(wide - d.high.astype(np.int32), 0),
        np.maximum(d.low.astype(np.int32) - wide, 0),
        np.maximum(away - d.far.astype(np.int32), 0),
    )


def weighted(e: damped.Sums, weights: Ints) -> Ints:
    """The sum of excesses (n, features) with weights (features,): (n,)."""
    largest = int(e.max(initial=0)) * WEIGHT_MAX * len(weights)
    return product(e, weights, largest).astype(np.int64)


def contributions(f: NDArray[np.int16], y: Bytes, d: Detector) -> Ints:
    """Each feature's part of the score (..., features)."""
    over, under, beyond = excess(f, y, d)
    parts: Ints = over * d.weights[:, 0] + beyond * d.weights[:, 2]  # int64
    return parts + under * d.weights[:, 1] if d.by_rows else parts


@dataclass
class Trace:
    """What a run over n windows gives.

    f: (n, features) int16, log features.
    x, y: (n, features) uint8, the autoencoder's inputs and outputs.
    ae, svm, quiet: (n,), the scores.
    hot: (n,) bool.
    event: (n,): 1 raised, 2 grown, -1 cleared.
    gone: (n,): 1 gone quiet, -1 back.
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


def run(detector: Detector, deltas: Counts, progress: Advance | None = None) -> Trace:
    """Score windows (n, counters) from boot, as the device would."""
    d = detector
    f = log_features(deltas, d.schema, start_state(d.offset, d.schema), progress)
    return score(d, f)


def score(d: Detector, f: NDArray[np.int16], theirs: Bytes | None = None) -> Trace:
    """The same of log features (n, features), in bounded memory.

    theirs: the reconstruction, where it is another's (tflite.py).
    """
    x = np.empty(f.shape, np.uint8)
    y = np.empty_like(x) if theirs is None else theirs
    ae, svm, quiet = np.zeros((3, len(f)), np.int64)
    for start in range(0, len(f), BLOCK):
        part = slice(start, start + BLOCK)
        x[part] = inputs(f[part], d.offset, d.input_shift)
        if theirs is None:
            y[part] = reconstruct(x[part], d.layers)
        ae[part] = squared_error(x[part], y[part])
        over, under, beyond = excess(f[part], y[part], d)
        svm[part] = weighted(over, d.weights[:, 0]) + weighted(beyond, d.weights[:, 2])
        quiet[part] = weighted(under, d.weights[:, 1])
    odd = np.zeros(len(f), bool)
    if d.by_rows:
        svm = svm + quiet
        odd = ae > d.threshold_ae
    hot = odd | (svm > d.least)
    kinds = len(d.schema.kinds)

    def leading(i: int) -> int:
        parts = contributions(f[i], y[i], d).reshape(len(d.counters), kinds).sum(axis=1)
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
    """The alarm's decisions (n,), by the runtime's own rule.

    leading: of a window, the counter that contributes most.
    """
    alarm = Alarm(settings(d))
    out = np.zeros(len(scores), np.int64)
    over = (scores > d.least) | odd
    i = 0
    while i < len(scores):
        if alarm.hold:  # it looks at nothing until then
            i += alarm.hold
            alarm.hold = 0
        elif alarm.idle and not over[i]:
            i = _next(over, i)
        else:
            out[i] = alarm.step(int(scores[i]), bool(odd[i]), partial(leading, i))
            i += 1
    return out


def _next(marked: NDArray[np.bool_], i: int) -> int:
    """The first from i on that is marked, or their number."""
    rest = marked[i:]
    found = int(rest.argmax())
    return i + found if rest[found] else len(marked)


def quiet_events(d: Detector, scores: Ints) -> Ints:
    """When the device goes quiet (1) and is back (-1), (n,)."""
    out = np.zeros(len(scores), np.int64)
    if d.by_rows:
        return out
    sums = [0, 0]
    quiet = Quiet(settings(d), sums)
    below = scores > d.threshold_quiet
    i = 0
    while i < len(scores):
        if quiet.idle and not below[i]:
            i = _next(below, i)
            continue
        sums[1] = int(scores[i])
        quiet.step()
        out[i] = quiet.event
        i += 1
    return out
