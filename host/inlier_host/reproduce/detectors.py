"""This project's two detectors on rows of statistics: one fit; scores in
floats, in int8, and MicroPython's.

A row is a window by itself (the sample's order is lost). A statistic becomes a
counter by its magnitude with FRACTION_BITS fractional bits: the runtime's
features are logarithms of such numbers.
"""

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import inlier
from inlier.counters import DELTA_MAX
from inlier.features import LEVEL_MAX, UNIT_BITS
from inlier_export import quantise, reference
from inlier_export.model_file import pack
from inlier_export.reference import NEVER, Bytes, Detector, Ints, Schema
from inlier_trainer import autoencoder
from inlier_trainer.autoencoder import FloatLayers
from inlier_trainer.threshold import row_threshold, row_thresholds

from . import hinges
from .hinges import HINGES, Ranges
from .nbaiot import Rows

FRACTION_BITS = 8
HIDDEN = (4,)  # what keeps a model of 115 statistics at 8 KB
# Of few rows, a fold must not take too many from those that are fitted on.
FOLDS, FEW_FOLDS, FEW = 4, 10, 2500
RATE = 0.005  # false alarms a row that a threshold is set for, on benign rows alone
PART = 1 << 16  # rows scored at once
_DEVICE = Path(__file__).parent / "device"
Scores = NDArray[np.float64]


def counters(rows: Rows) -> Ints:
    return np.minimum(np.rint(np.abs(rows) * (1 << FRACTION_BITS)), DELTA_MAX).astype(np.int64)


Pair = tuple[Scores, Scores] | tuple[Ints, Ints]  # the autoencoder's, the SVM's


@dataclass
class Fitted:
    """Both detectors of some rows, in int8 without thresholds, and what they
    were rounded from.
    """

    detector: Detector
    float_layers: FloatLayers
    ranges: Ranges

    def float_features(self, rows: Rows) -> Scores:
        """The autoencoder's inputs q (n, columns), with the saturation of int8
        but not its rounding.
        """
        d = self.detector
        f = _logarithms(rows, d.schema.shifts)
        return np.clip((f - d.offset[::HINGES]) / 2.0 ** d.input_shift[::HINGES], -128, 127)

    def floats(self, rows: Rows) -> tuple[Scores, Scores]:
        """The same network and hinges before any rounding, on exact logarithms."""
        q = np.repeat(self.float_features(rows), HINGES, axis=1)
        y = q / (1 << quantise.INPUT_BITS)
        for i, (weights, bias) in enumerate(self.float_layers):
            y = y @ weights.T.astype(np.float64) + bias
            if i < len(self.float_layers) - 1:
                y = np.maximum(y, 0)
        error = q - y * (1 << quantise.INPUT_BITS)
        f = _logarithms(rows, self.detector.schema.shifts)
        return (error * error).sum(axis=1), hinges.scores(f, self.ranges)


@dataclass(frozen=True)
class Limits:
    """Thresholds of each detector by itself, and of both where either decides;
    the autoencoder's first.
    """

    alone: tuple[float, float]
    both: tuple[float, float]

    @staticmethod
    def of(unseen: Sequence[Pair]) -> "Limits":
        """From the scores of each fold."""
        ae, svm = (np.concatenate(scores) for scores in zip(*unseen, strict=True))
        limit_ae, limit_svm = row_thresholds([ae, svm], RATE)
        return Limits((row_threshold(ae, RATE), row_threshold(svm, RATE)), (limit_ae, limit_svm))

    def together(self, ae: Scores | Ints, svm: Scores | Ints) -> Scores:
        """One score of both detectors: over 1 where either is over its
        threshold.
        """
        return np.maximum(ae / max(1, self.both[0]), svm / max(1, self.both[1]))


@dataclass
class FittedDevice:
    """A device's detectors with their thresholds, and the benign rows' folds
    for other detectors.

    detector: its thresholds are int8's of both together; blob: its model file,
    blob_svm: one of the SVM alone. parts: quantised rows to fit on and to
    calibrate on; the last is the whole of them.
    """

    fitted: Fitted
    int8: Limits
    floats: Limits
    parts: list[tuple[Bytes, Bytes]]
    detector: Detector
    blob: bytes
    blob_svm: bytes

    def run(self, deltas: Ints) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """The int8 autoencoder's scores, the SVM's and the verdict (n,) of each
        row.
        """
        traces = [
            reference.run(self.detector, deltas[at : at + PART])
            for at in range(0, len(deltas), PART)
        ]
        ae, svm, hot = zip(*((t.ae, t.svm, t.hot) for t in traces), strict=True)
        return np.concatenate(ae), np.concatenate(svm), np.concatenate(hot)


def _logarithms(rows: Rows, shifts: Ints) -> Scores:
    """What reference.log_features approximates (n, columns)."""
    mean = np.minimum(np.abs(rows) * 2.0 ** (FRACTION_BITS + shifts), LEVEL_MAX)
    return 16 * np.log2(1 + mean / (1 << UNIT_BITS))


def _fit(rows: Rows, f: NDArray[np.int16], schema: Schema, seed: int) -> Fitted:
    """Of benign rows (n, columns) and their log features (n, features)."""
    shown = autoencoder.distinct(f, seed)
    offset, input_shift = autoencoder.ranges(shown)
    examples = autoencoder.examples(shown, offset, input_shift, HINGES)
    floats = autoencoder.fit(examples, HIDDEN, seed)
    high, low, weights = hinges.bounds(Ranges.of(f[:, ::HINGES]))
    never = np.zeros_like(weights)
    detector = Detector(
        source="nbaiot",
        window_ms=1000,  # of no meaning: a row is a packet
        schema=schema,
        offset=offset,
        high=high,
        low=low,
        far=never,
        input_shift=input_shift,
        weights=np.stack([weights, weights, never], axis=1),
        layers=quantise.layers(floats, reference.inputs(shown, offset, input_shift)),
        horizons=((1, 1, NEVER),),
        by_rows=True,
        clear_after=1,
        quiet_after=1,
        cooldown=0,
        warmup=0,
        metadata={"seed": seed},
    )
    return Fitted(detector, floats, Ranges.of(_logarithms(rows, schema.shifts)))


def fit(rows: Rows, columns: tuple[str, ...], seed: int) -> FittedDevice:
    """Both detectors, fitted and calibrated on benign rows (n, columns), in
    random order: thresholds come from rows that a fold's detectors had not
    seen.
    """
    benign = counters(rows)
    shifts = quantise.counter_shifts(benign)
    schema = Schema(columns, (0,) * HINGES, (), shifts, np.zeros_like(shifts))
    f = reference.log_features(benign, schema, np.zeros(schema.features, np.int64))
    parts = []
    int8: list[Pair] = []
    floats: list[Pair] = []
    for held in np.array_split(np.arange(len(f)), FEW_FOLDS if len(f) < FEW else FOLDS):
        kept = np.delete(f, held, axis=0)
        fitted = _fit(np.delete(rows, held, axis=0), kept, schema, seed)
        trace = reference.score(fitted.detector, f[held])
        int8.append((trace.ae, trace.svm))
        floats.append(fitted.floats(rows[held]))
        parts.append((_columns(kept, fitted.detector), trace.x[:, ::HINGES]))
    limits = Limits.of(int8)
    whole = _fit(rows, f, schema, seed)
    ae, svm = map(int, limits.both)
    detector = replace(whole.detector, threshold_ae=ae, horizons=((1, 1, svm),))
    alone = replace(whole.detector, layers=[], horizons=((1, 1, int(limits.alone[1])),))
    everything = _columns(f, detector)
    return FittedDevice(
        fitted=whole,
        int8=limits,
        floats=Limits.of(floats),
        parts=[*parts, (everything, everything[:0])],
        detector=detector,
        blob=pack(detector),
        blob_svm=pack(alone),
    )


def _columns(f: NDArray[np.int16], d: Detector) -> Bytes:
    """The autoencoder's inputs, one a statistic."""
    return reference.inputs(f, d.offset, d.input_shift)[:, ::HINGES]


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
