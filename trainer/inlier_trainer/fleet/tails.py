"""How often a device's day is as bad as this: the tail of its days' greatest
severities, in octaves.

Peaks over a base (Pickands, "Statistical inference using extreme order
statistics", 1975): how often a day exceeds the base and by how much on average
is the device's own, drawn to its type's where its days are few; the tail's
shape is the type's, pooled over its devices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inlier_export.reference import Ints

Floats = NDArray[np.float64]

BASE_SHARE = 0.9  # of a type's days lie below the base
NOTHING = 64  # severities up to here, a quarter of the threshold, tell days apart no more
SOFT = 32  # from there on an octave is the first, then it doubles
DAYS_PRIOR = 15  # days of its type that stand beside a device's own
EVENTS_PRIOR = 3  # events of its type, likewise
SHAPE_MAX = 0.3  # of octaves: heavier is a mixture of devices, not a tail
SHAPE_EVENTS = 30  # fewer say nothing of it
SCALE_MIN, SCALE_PRIOR = 0.5, 2.0  # octaves
PERIOD_MAX = 1e9  # days


def octaves(severity: Ints | int | Floats) -> Floats:
    over = np.maximum(np.asarray(severity, np.float64) - NOTHING, 0)
    return np.log2(1 + over / SOFT)


def severity_of(x: Floats) -> Floats:
    return NOTHING + SOFT * (np.exp2(x) - 1)


@dataclass(frozen=True)
class Tail:
    """Of the devices of a type, in their order.

    rate: days a day over base.
    scale: mean excess over it, octaves.
    days: all of the type's, sorted.
    """

    base: float
    shape: float
    rate: Floats
    scale: Floats
    days: Floats

    def chance(self, x: Floats) -> Floats:
        """That a day is at least as bad as x octaves, of each device
        (devices,).
        """
        reached = len(self.days) - np.searchsorted(self.days, x, side="left")
        within = (reached + 1) / (len(self.days) + 1)
        beyond = self.rate * _survives((x - self.base) / self.scale, self.shape)
        return np.where(x > self.base, beyond, within)

    def level(self, rate: Floats) -> Floats:
        """What is exceeded on so many days a day (devices,), base at least."""
        with np.errstate(divide="ignore"):
            ratio = np.maximum(self.rate / np.maximum(rate, 1e-12), 1)
        sigma = self.scale * (1 - self.shape)
        if self.shape < 1e-6:
            return self.base + sigma * np.log(ratio)
        return self.base + sigma * (ratio**self.shape - 1) / self.shape


def _survives(excess: Floats, shape: float) -> Floats:
    """P(more than `excess` mean excesses) of a generalised Pareto law."""
    over = np.maximum(excess, 0) / (1 - shape)
    if shape < 1e-6:
        return np.exp(-over)
    return (1 + shape * over) ** (-1 / shape)


def tail(days: Sequence[Floats]) -> Tail:
    """Of a type: each device's days' greatest severities, octaves."""
    together = np.sort(np.concatenate(days))
    base = float(np.quantile(together, BASE_SHARE)) if len(together) else 0.0
    counts = np.array([(d > base).sum() for d in days], np.float64)
    lengths = np.array([len(d) for d in days], np.float64)
    sums = np.array([(d[d > base] - base).sum() for d in days])
    events = counts.sum()
    typical_rate = (events + 1) / max(lengths.sum(), 1)
    typical = (sums.sum() + EVENTS_PRIOR * SCALE_PRIOR) / (events + EVENTS_PRIOR)
    rate = (counts + DAYS_PRIOR * typical_rate) / (lengths + DAYS_PRIOR)
    scale = np.maximum((sums + EVENTS_PRIOR * typical) / (counts + EVENTS_PRIOR), SCALE_MIN)
    relative = [(d[d > base] - base) / s for d, s in zip(days, scale, strict=True)]
    return Tail(base, _shape(np.concatenate(relative)), rate, scale, together)


def _shape(relative: Floats) -> float:
    """By moments: the excesses' variance over their squared mean (Hosking and
    Wallis, "Parameter and quantile estimation for the generalized Pareto
    distribution", 1987).
    """
    if len(relative) < SHAPE_EVENTS:
        return 0.0
    ratio = float(relative.mean() ** 2 / max(relative.var(), 1e-9))
    return float(np.clip((1 - ratio) / 2, 0.0, SHAPE_MAX))
