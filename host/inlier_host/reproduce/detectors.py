"""This project's two detectors on rows of statistics: one fit; scores in
floats, in int8, and MicroPython's.

A row is a window by itself (the sample's order is lost), so that the one time
scale is the row. A statistic becomes a counter by its magnitude with
FRACTION_BITS fractional bits: the runtime's features are logarithms of such
numbers.
"""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import inlier
from inlier.counters import DELTA_MAX
from inlier.features import LEVEL_MAX, UNIT_BITS
from inlier_export import quantise, reference
from inlier_export.model_file import pack
from inlier_export.reference import Bytes, Detector, Ints
from inlier_trainer.threshold import row_threshold, row_thresholds
from inlier_trainer.train import CROSS_FOLDS, cross_parts, fit_detectors

from .nbaiot import Rows

FRACTION_BITS = 8
HIDDEN = (18,)
# Chosen on benign rows: of such as had some statistics multiplied, more are
# told apart than with a window's headroom.
HEADROOM = quantise.Headroom(31, 16)
NOISE = 0.1  # chosen likewise
FOLDS, FOLDS_BELOW = (
    10,
    2500,
)  # rows: of few, a fold must not take too many from those that are fitted on
ALONE, TOGETHER = (
    0.003,
    0.005,
)  # false alarms a row that one detector, or both, are calibrated for, on benign rows alone
_DEVICE = Path(__file__).parent / "device"
Scores = NDArray[np.float64]


def counters(rows: Rows) -> Ints:
    return np.minimum(np.rint(np.abs(rows) * (1 << FRACTION_BITS)), DELTA_MAX).astype(np.int64)


@dataclass
class Fitted:
    """The int8 detectors, their floats, thresholds of each detector alone, and
    the benign rows' folds for other detectors.

    detector: its own thresholds are those of both together. low, high: of the
    benign rows' exact logarithms (features,).
    """

    detector: Detector
    low: Scores
    high: Scores
    blob: bytes
    float_layers: list[tuple[quantise.Floats, quantise.Floats]]
    float_svm: quantise.Floats
    alone: tuple[int, int]
    parts: list[tuple[Bytes, Bytes]]

    def together(self, ae: Scores | Ints, svm: Scores | Ints) -> Scores:
        """One score of both detectors: over 1 where either is over its
        threshold.
        """
        return np.maximum(
            ae / max(1, self.detector.threshold_ae), svm / max(1, self.detector.threshold_svm)
        )

    def int8(self, deltas: Ints) -> tuple[Ints, Ints]:
        trace = reference.run(self.detector, deltas)
        return trace.ae, trace.svm

    def floats(self, rows: Rows) -> tuple[Scores, Scores]:
        """The same network and hinges before any rounding, on exact logarithms,
        in the int8 scores' units.
        """
        q = self.float_features(rows)
        y = q / (1 << quantise.INPUT_BITS)
        for i, (weights, bias) in enumerate(self.float_layers):
            y = y @ weights.T.astype(np.float64) + bias
            if i < len(self.float_layers) - 1:
                y = np.maximum(y, 0)
        error = q - y * (1 << quantise.INPUT_BITS)
        knots = np.asarray(self.detector.knots, np.float64)
        hinges = np.concatenate(
            [np.maximum(0, side * q[:, :, None] - knots) for side in (1, -1)], axis=2
        )
        scale = 127 / float(self.float_svm.max())
        return (error * error).sum(axis=1), hinges.reshape(len(q), -1) @ self.float_svm.reshape(
            -1
        ).astype(np.float64) * scale

    def float_features(self, rows: Rows) -> Scores:
        """q (n, features), with the saturation of int8 but not its rounding: by
        a millionth, lest a range's own end open a hinge.
        """
        half = np.maximum((self.high - self.low) / 2, HEADROOM.narrowest)
        q = (
            (_logarithms(rows, self.detector.shifts) - (self.low + self.high) / 2)
            * HEADROOM.half
            / half
        )
        return np.clip(np.round(q, 6), -128, 127)


def _logarithms(rows: Rows, shifts: Ints) -> Scores:
    """What reference.log_features approximates (n, columns)."""
    mean = np.minimum(np.abs(rows) * 2.0 ** (FRACTION_BITS + shifts), LEVEL_MAX)
    return 16 * np.log2(1 + mean / (1 << UNIT_BITS))


def fit(rows: Rows, columns: tuple[str, ...], seed: int) -> Fitted:
    """Both detectors, fitted and calibrated on benign rows (n, columns), in
    random order.
    """
    benign = counters(rows)
    shifts = quantise.counter_shifts(benign)
    f = reference.log_features(benign, shifts, (0,))
    offset, multiplier = quantise.feature_ranges(f, HEADROOM)
    x = reference.quantise(f, offset, multiplier)

    def limit(unseen: Ints) -> int:
        return row_threshold(unseen, ALONE)

    split = np.array_split(
        np.arange(len(f)), FOLDS if len(f) < FOLDS_BELOW else CROSS_FOLDS
    )  # rows are in no order of time
    parts = [*cross_parts(f, split, HEADROOM), (x, x[:0])]
    both = fit_detectors(
        parts, HIDDEN, seed, limit, lambda *_: None, margin=0, headroom=HEADROOM, noise=NOISE
    )
    together_ae, together_svm = row_thresholds([both.unseen_ae, both.svm.unseen], TOGETHER)
    detector = Detector(
        source="nbaiot",
        counters=columns,
        window_ms=1000,  # of no meaning: a row is a packet
        scales=(0,),
        shifts=shifts,
        offset=offset,
        multiplier=multiplier,
        layers=both.layers,
        knots=both.svm.knots,
        svm_weights=both.svm.weights,
        threshold_ae=together_ae,
        threshold_svm=together_svm,
        alarm=(1, 1, 1, 0, 0),
        metadata={"seed": seed},
    )
    alone = limit(both.unseen_ae), limit(both.svm.unseen)
    exact = _logarithms(rows, shifts)
    return Fitted(
        detector=detector,
        low=exact.min(axis=0),
        high=exact.max(axis=0),
        blob=pack(detector),
        float_layers=both.float_layers,
        float_svm=both.svm.floats,
        alone=alone,
        parts=parts,
    )


def micropython(
    interpreter: Path, blob: bytes, deltas: Ints
) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Scores of both detectors and the verdict (n,) of rows (n, columns), by
    the runtime under Unix MicroPython.
    """
    with tempfile.TemporaryDirectory() as folder:
        model, rows, scores = (Path(folder) / name for name in ("model", "rows", "scores"))
        model.write_bytes(blob)
        deltas.astype("<i4").tofile(rows)
        path = f"{Path(inlier.__file__).parent.parent}:.frozen"
        subprocess.run(
            [interpreter, _DEVICE / "score.py", model, rows, scores],
            check=True,
            env={"MICROPYPATH": path},
        )
        said = np.fromfile(scores, "<i4").reshape(-1, 3).astype(np.int64)
    return said[:, 0], said[:, 1], said[:, 2] > 0
