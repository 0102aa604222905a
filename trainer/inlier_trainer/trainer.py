"""What is fitted to benign windows, of all folds and with some left out:
features, autoencoder, one-class SVM, and thresholds at each rung of the ladder.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inlier.benign import PAD
from inlier_export import quantise, reference
from inlier_export.reference import Bytes, Counts, Detector, Horizon, Ints, Layer, Schema

from . import autoencoder, budget, gone_quiet, one_class_svm
from .autoencoder import FloatLayers
from .folds import plan
from .horizons import episodes, greatest_level, raised
from .progress import Progress, quiet

# As inlier.benign.PAD is for log features, for their distance from their
# reconstruction: sixteenths of an octave.
DISTANCE_PAD = 5
DETECTORS = ("svm", "autoencoder", "both")


@dataclass
class Settings:
    """What the user chooses.

    backend: fits the autoencoder.
    detectors: whose part of the score counts.
    """

    source: str
    counters: tuple[str, ...]
    window_ms: int
    hidden: tuple[int, ...] = (16,)
    false_alarms: str = "1/week"
    seed: int = 1
    detectors: str = "both"
    backend: str = "numpy"
    allow_constant: Collection[str] = field(default_factory=frozenset)
    accept_anomalies: bool = False  # learn what looks like an infection, see infection_check.py


@dataclass
class Fitted:
    """Ranges and autoencoder of some folds.

    high, offset, input_shift, far: (features,), without pads.
    x: the autoencoder's inputs of distinct rows, that it was fitted on.
    """

    high: Ints
    offset: Ints
    input_shift: Ints
    far: Ints
    x: Bytes
    layers: list[Layer]
    float_layers: FloatLayers


@dataclass
class Outlying:
    """The windows of a block with any excess.

    at: their places in it.
    excess: (windows, 2 * features), beyond high, then beyond far.
    length: of the block.
    """

    at: Ints
    excess: Ints
    length: int

    def scores(self, weights: Ints) -> Ints:
        out = np.zeros(self.length, np.int64)
        out[self.at] = self.excess @ weights
        return out


class Trainer:
    """Fits each set of folds once; the weights and thresholds of any rung
    follow at once. Recordings: as of train().
    """

    def __init__(
        self,
        recorded: Sequence[Counts],
        settings: Settings,
        progress: Progress = quiet,
        unit: Sequence[int] | None = None,
    ) -> None:
        self.settings = settings
        self.plan = plan([len(part) for part in recorded], unit)
        self._progress = progress
        together = end_to_end(recorded)
        self.schema = Schema(
            settings.counters,
            self.plan.scales,
            self.plan.persistence,
            quantise.counter_shifts(together),
            quantise.caps(together, settings.counters),
        )
        level, full = reference.levels(together, self.schema)
        kinds = self.schema.kinds
        start = np.empty((len(settings.counters), len(kinds)), np.int64)
        for t, (k, _) in enumerate(kinds):
            mean = (level if t < len(self.schema.scales) else full).mean(axis=0)
            start[:, t] = mean * (1 << k)
        progress("features", 0, 1)
        parts = [reference.log_features(r, self.schema, start.ravel()) for r in recorded]
        self.f = np.concatenate(parts)
        progress("features", 1, 1)
        self.upper = np.tile(one_class_svm.upper_bounds(settings.counters, len(kinds)), 2)
        self._fits: dict[frozenset[int], Fitted] = {}
        self._outlying: dict[tuple[int, frozenset[int]], Outlying] = {}
        self._weights: dict[tuple[float, frozenset[int]], tuple[Ints, list[int]]] = {}

    def fitted(self, out: frozenset[int] = frozenset()) -> Fitted:
        """Of all folds but `out`."""
        if out not in self._fits:
            self._fits[out] = self._fit(self.f[self.plan.inside(out)])
            folds = self.plan.folds
            self._progress("autoencoder", len(self._fits), 1 + folds * (folds + 1) // 2)
        return self._fits[out]

    def _fit(self, f: NDArray[np.int16]) -> Fitted:
        settings = self.settings
        rows = autoencoder.distinct(f, settings.seed)
        offset, input_shift = autoencoder.ranges(rows)
        high = f.max(axis=0).astype(np.int64)
        x = reference.inputs(rows, offset, input_shift)
        if settings.detectors == "svm":
            return Fitted(high, offset, input_shift, np.zeros_like(high), x, [], [])
        shown = autoencoder.examples(rows, offset, input_shift, len(self.schema.kinds))
        floats = autoencoder.fit(shown, settings.hidden, settings.seed, settings.backend)
        layers = quantise.layers(floats, x)
        far = autoencoder.greatest_distance(f, offset, input_shift, layers)
        return Fitted(high, offset, input_shift, far, x, layers, floats)

    def outlying(self, f: NDArray[np.int16], fit: Fitted) -> Outlying:
        """Excess of log features f (n, features) under a fit."""
        both, places = [], []
        high, far = (fit.high + PAD).astype(np.int16), (fit.far + DISTANCE_PAD).astype(np.int32)
        for start in range(0, len(f), reference.BLOCK):
            part = f[start : start + reference.BLOCK]
            n = self.schema.features
            excess = np.zeros((len(part), 2 * n), np.int32)
            if self.settings.detectors != "autoencoder":
                np.maximum(part - high, 0, out=excess[:, :n])
            if fit.layers:
                y = reference.reconstruct(
                    reference.inputs(part, fit.offset, fit.input_shift), fit.layers
                )
                away = reference.distance(part, y, fit.offset, fit.input_shift)
                np.maximum(away - far, 0, out=excess[:, n:])
            any_ = np.flatnonzero(excess.any(axis=1))
            both.append(excess[any_].astype(np.int64))
            places.append(any_ + start)
        return Outlying(np.concatenate(places), np.concatenate(both), len(f))

    def left_out(self, block: int, out: frozenset[int]) -> Outlying:
        """A block of windows under what was fitted without some folds, its own
        among them. Both the choice of weights and the count of novel alarms ask
        for it.
        """
        if (block, out) not in self._outlying:
            found = self.outlying(self.f[self.plan.blocks[block]], self.fitted(out))
            self._outlying[block, out] = found
        return self._outlying[block, out]

    def unseen(self, rung: float, out: frozenset[int] = frozenset()) -> tuple[Ints, list[int]]:
        """Weights, and each horizon's least threshold, from the folds but
        `out`, each scored by detectors that had not seen it. The margin is the
        shortest horizon's floor: benign events are pressed below what it lets
        by anyway.
        """
        plan_ = self.plan
        if (rung, out) not in self._weights:
            excess = [
                self.left_out(block, out | {fold})
                for block, fold in enumerate(plan_.fold)
                if fold not in out
            ]
            rows = np.concatenate([part.excess for part in excess])
            weights = one_class_svm.weights(rows, self.upper, rung * plan_.floors[0])
            scores = [part.scores(weights) for part in excess]
            least = [max(greatest_level(s, *h) for s in scores) for h in plan_.horizons]
            self._weights[rung, out] = weights, least
        return self._weights[rung, out]

    def thresholds(self, rung: float, out: frozenset[int] = frozenset()) -> list[int]:
        """Of each horizon, none above the one before: k of n at a longer one
        implies it at a shorter.
        """
        least = self.unseen(rung, out)[1]
        floors = [int(127 * rung * floor) for floor in self.plan.floors]
        limits = [max(pair) for pair in zip(floors, least, strict=True)]
        return np.minimum.accumulate(limits).tolist()

    def novelty(self) -> list[int]:
        """Alarms on each fold by what was fitted without it in anything, at
        each rung of the ladder.
        """
        counts = np.zeros(len(budget.LADDER), np.int64)
        for fold in range(self.plan.folds):
            out = frozenset([fold])
            held = [self.left_out(b, out) for b, i in enumerate(self.plan.fold) if i == fold]
            for at, rung in enumerate(budget.LADDER):
                weights, limits = self.unseen(rung, out)[0], self.thresholds(rung, out)
                for part in held:
                    on = raised(part.scores(weights), limits, self.plan.horizons)
                    counts[at] += episodes(on)
            self._progress("left-out folds", fold + 1, self.plan.folds)
        return counts.tolist()

    def detector(self, rung: float) -> Detector:
        """At a rung of the ladder."""
        settings, fit = self.settings, self.fitted()
        weights = self.unseen(rung)[0]
        n = self.schema.features
        low, low_weights, threshold_quiet = gone_quiet.usual(
            self.f[self.plan.inside(frozenset())], self.schema
        )
        limits = self.thresholds(rung)
        horizons: tuple[Horizon, ...] = tuple(
            (k, n_, limit) for (k, n_), limit in zip(self.plan.horizons, limits, strict=True)
        )
        over, beyond = weights[:n].copy(), weights[n:].copy()
        if settings.detectors == "autoencoder":
            over[:] = 0
        if settings.detectors == "svm":
            beyond[:] = 0
        return Detector(
            source=settings.source,
            window_ms=settings.window_ms,
            schema=self.schema,
            offset=fit.offset,
            high=fit.high + PAD,
            low=low,
            far=fit.far + DISTANCE_PAD,
            input_shift=fit.input_shift,
            weights=np.stack([over, low_weights, beyond], axis=1),
            layers=fit.layers,
            horizons=horizons,
            threshold_quiet=threshold_quiet,
            metadata={
                "windows": len(self.f),
                "false_alarms": settings.false_alarms,
                "rung": rung,
                "seed": settings.seed,
            },
        )


def end_to_end(recorded: Sequence[Counts]) -> Counts:
    """No copy of one that is alone."""
    return recorded[0] if len(recorded) == 1 else np.concatenate(recorded)
