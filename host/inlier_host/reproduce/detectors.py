"""This project's two detectors on rows of statistics, alone and together: one
fit; scores in floats, in int8, and MicroPython's.

A row is a window by itself (the sample's order is lost). A statistic becomes a
counter by its magnitude with FRACTION_BITS fractional bits: the runtime's
features are logarithms of such numbers.
"""

import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inlier.counters import DELTA_MAX
from inlier.features import LEVEL_MAX, UNIT_BITS
from inlier_boards.build.micropython import search_path
from inlier_export import quantise, reference
from inlier_export.model_file import pack
from inlier_export.reference import NEVER, Bytes, Detector, Ints, Schema
from inlier_trainer import autoencoder
from inlier_trainer.autoencoder import FloatLayers
from inlier_trainer.threshold import row_threshold

from . import hinges
from .hinges import HINGES, Ranges
from .nbaiot import Rows

FRACTION_BITS = 8
HIDDEN = (4,)  # what a model of 115 statistics has room for in 8 KB
# Of few rows, a fold must not take too many from those that are fitted on.
FOLDS, FEW_FOLDS, FEW = 4, 10, 2500
RATE = 0.005  # false alarms a row that a threshold is set for, on benign rows alone
PART = 1 << 15  # rows scored at once
_DEVICE = Path(__file__).parent / "device"
Scores = NDArray[np.float64]


def counters(rows: Rows) -> Ints:
    return np.minimum(np.rint(np.abs(rows) * (1 << FRACTION_BITS)), DELTA_MAX).astype(np.int64)


@dataclass
class FittedDetectors:
    """Both detectors of some rows, in int8 and without thresholds, and what
    they were rounded from.
    """

    detector: Detector
    float_layers: FloatLayers
    ranges: Ranges
    far: Scores

    def variants(self) -> dict[str, Detector]:
        """By name: the autoencoder, whose squared error decides; the hinges
        without and with its distances.
        """
        d = self.detector
        return {
            "autoencoder": replace(d, weights=np.zeros_like(d.weights)),
            "svm": replace(d, layers=[], weights=d.weights * (1, 1, 0)),
            "both": d,
        }

    def floats(self, rows: Rows) -> dict[str, Scores]:
        """Scores of the same before any rounding, on exact logarithms (n,)."""
        d = self.detector
        f = _logarithms(rows, d.schema.shifts)
        q = float_features(rows, d)
        y = _reconstruct(q, self.float_layers)
        error = np.repeat(q, HINGES, axis=1) - y
        svm = hinges.scores(f, self.ranges)
        both = svm + hinges.far_scores(_distance(f, y, d), self.far)
        return {"autoencoder": (error * error).sum(axis=1), "svm": svm, "both": both}


def float_features(rows: Rows, d: Detector) -> Scores:
    """The autoencoder's inputs q (n, columns), with the saturation of int8 but
    not its rounding.
    """
    f = _logarithms(rows, d.schema.shifts)
    return np.clip((f - d.offset[::HINGES]) / 2.0 ** d.input_shift[::HINGES], -128, 127)


def _reconstruct(q: Scores, layers: FloatLayers) -> Scores:
    """(n, features) of inputs q (n, columns)."""
    y = np.repeat(q, HINGES, axis=1) / (1 << quantise.INPUT_BITS)
    for i, (weights, bias) in enumerate(layers):
        y = y @ weights.T.astype(np.float64) + bias
        if i < len(layers) - 1:
            y = np.maximum(y, 0)
    return y * (1 << quantise.INPUT_BITS)


def _distance(f: Scores, y: Scores, d: Detector) -> Scores:
    """What reference.distance rounds, one a statistic."""
    back = np.clip(y, -128, 127) * 2.0**d.input_shift
    return f - d.offset[::HINGES] - back[:, ::HINGES]


def run(
    detectors: dict[str, Detector], f: NDArray[np.int16]
) -> dict[str, tuple[Ints, NDArray[np.bool_]]]:
    """Of each detector its scores and verdict (n,) of log features."""
    said = {}
    for name, d in detectors.items():
        traces = [reference.score(d, f[at : at + PART]) for at in range(0, len(f), PART)]
        score = np.concatenate([t.ae if name == "autoencoder" else t.svm for t in traces])
        said[name] = score, np.concatenate([t.hot for t in traces])
    return said


@dataclass
class FittedDevice:
    """A device's detectors with their thresholds, and the benign rows' folds
    for other detectors.

    models, blobs: of each of FittedDetectors.variants(), int8.
    float_limits: the floats' thresholds, of the same.
    parts: quantised rows to fit on and to calibrate on; the last is the whole
        of them.
    """

    fitted: FittedDetectors
    models: dict[str, Detector]
    blobs: dict[str, bytes]
    float_limits: dict[str, float]
    parts: list[tuple[Bytes, Bytes]]

    def limit(self, name: str) -> int:
        d = self.models[name]
        return d.threshold_ae if name == "autoencoder" else d.least


def _logarithms(rows: Rows, shifts: Ints) -> Scores:
    """What reference.log_features approximates (n, columns)."""
    mean = np.minimum(np.abs(rows) * 2.0 ** (FRACTION_BITS + shifts), LEVEL_MAX)
    return 16 * np.log2(1 + mean / (1 << UNIT_BITS))


def _features(deltas: Ints, schema: Schema) -> NDArray[np.int16]:
    return reference.log_features(deltas, schema, np.zeros(schema.features, np.int64))


def _fit(rows: Rows, f: NDArray[np.int16], schema: Schema, seed: int) -> FittedDetectors:
    """Of benign rows (n, columns) and their log features (n, features)."""
    shown = autoencoder.distinct(f, seed)
    offset, input_shift = autoencoder.ranges(shown)
    examples = autoencoder.examples(shown, offset, input_shift, HINGES)
    floats = autoencoder.fit(examples, HIDDEN, seed)
    x = reference.inputs(shown, offset, input_shift)
    layers = quantise.layers(floats, x)
    y = reference.reconstruct(x, layers)
    distance = reference.distance(shown, y, offset, input_shift)
    high, low, weights = hinges.bounds(Ranges.of(f[:, ::HINGES]))
    far, far_weights = hinges.far_bounds(hinges.farthest(distance[:, ::HINGES]))
    detector = Detector(
        source="nbaiot",
        window_ms=1000,  # of no meaning: a row is a packet
        schema=schema,
        offset=offset,
        high=high,
        low=low,
        far=far,
        input_shift=input_shift,
        weights=np.stack([weights, weights, far_weights], axis=1),
        layers=layers,
        horizons=((1, 1, NEVER),),
        by_rows=True,
        clear_after=1,
        quiet_after=1,
        cooldown=0,
        warmup=0,
        metadata={"seed": seed},
    )
    exact = _logarithms(rows, schema.shifts)
    back = _reconstruct(float_features(rows, detector), floats)
    away = hinges.farthest(_distance(exact, back, detector))
    return FittedDetectors(detector, floats, Ranges.of(exact), away)


def fit(rows: Rows, columns: tuple[str, ...], seed: int) -> FittedDevice:
    """Every detector, fitted and calibrated on benign rows (n, columns), in
    random order: thresholds come from rows that a fold's detectors had not
    seen.
    """
    benign = counters(rows)
    shifts = quantise.counter_shifts(benign)
    schema = Schema(columns, (0,) * HINGES, (), shifts, np.zeros_like(shifts))
    f = _features(benign, schema)
    parts, unseen, unseen_floats = [], [], []
    for held in np.array_split(np.arange(len(f)), FEW_FOLDS if len(f) < FEW else FOLDS):
        kept = np.delete(f, held, axis=0)
        fitted = _fit(np.delete(rows, held, axis=0), kept, schema, seed)
        unseen.append({name: said[0] for name, said in run(fitted.variants(), f[held]).items()})
        unseen_floats.append(fitted.floats(rows[held]))
        parts.append((_columns(kept, fitted.detector), _columns(f[held], fitted.detector)))
    whole = _fit(rows, f, schema, seed)
    models = {}
    for name, d in whole.variants().items():
        limit = int(row_threshold(np.concatenate([scores[name] for scores in unseen]), RATE))
        if name == "autoencoder":
            models[name] = replace(d, threshold_ae=limit)
        else:
            models[name] = replace(d, horizons=((1, 1, limit),))
    everything = _columns(f, whole.detector)
    return FittedDevice(
        fitted=whole,
        models=models,
        blobs={name: pack(d) for name, d in models.items()},
        float_limits={
            name: row_threshold(np.concatenate([scores[name] for scores in unseen_floats]), RATE)
            for name in models
        },
        parts=[*parts, (everything, everything[:0])],
    )


def _columns(f: NDArray[np.int16], d: Detector) -> Bytes:
    """The autoencoder's inputs, one a statistic."""
    return reference.inputs(f, d.offset, d.input_shift)[:, ::HINGES]


def score(
    fitted: FittedDevice, deltas: Ints, interpreter: Path
) -> dict[str, tuple[Ints, Ints, int]]:
    """Of each of the models the scores of rows (n, columns), the reference's
    and MicroPython's, and for how many rows any integer or the verdict differs.
    """
    said = run(fitted.models, _features(deltas, fitted.fitted.detector.schema))
    result = {}
    for name, (scores, hot) in said.items():
        ae, svm, device_hot = micropython(interpreter, fitted.blobs[name], deltas)
        device = ae if name == "autoencoder" else svm
        result[name] = scores, device, int(((scores != device) | (hot != device_hot)).sum())
    return result


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
        subprocess.run(
            [interpreter, _DEVICE / "score.py", model, rows, scores],
            check=True,
            env={"MICROPYPATH": search_path()},
        )
        said = np.fromfile(scores, "<i4").reshape(-1, 3).astype(np.int64)
    return said[:, 0], said[:, 1], said[:, 2] > 0
