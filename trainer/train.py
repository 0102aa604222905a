"""From benign windows to a model: quantise, fit both detectors, calibrate, test."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from export import quantise, reference
from export.blob import pack
from export.reference import Bytes, Detector, Ints, Trace

from . import autoencoder, baseline, svm, threshold, windows
from .errors import BadInput
from .progress import Progress

CROSS_BELOW = 100_000  # windows in the fit part: a day to calibrate on may miss what a device does once in two
CROSS_FOLDS = 4
FIT_MIN = 200  # windows in the fit part: the 0.1 % and 99.9 % points and some 1,000 weights rest on them


@dataclass
class Settings:
    """What the user chooses. Time scales are shifts: a mean is damped over about 2^k windows."""

    source: str
    counters: tuple[str, ...]
    window_ms: int
    scales: tuple[int, ...] = (0, 2, 4)
    hidden: tuple[int, ...] = (16,)
    false_alarms: str = "1/week"
    alarm: tuple[int, int, int, int, int] = (2, 8, 8, 8, 32)  # k, n, m, cooldown, warm-up, in windows
    seed: int = 1
    allow_constant: Collection[str] = field(default_factory=frozenset)
    accept_anomalies: bool = False  # learn what looks like an infection, see baseline.py


@dataclass
class Trained:
    """A model, with what is known of it. test: a run over the test part alone, as from boot.

    anomalies: what looks like an infection in its recording, and was accepted.
    """

    detector: Detector
    blob: bytes
    float_layers: list[tuple[quantise.Floats, quantise.Floats]]
    deltas: Ints
    x_fit: Bytes
    test_slice: slice
    test: Trace
    anomalies: list[baseline.Anomaly]

    def summary(self) -> dict[str, object]:
        d = self.detector
        return {
            "model_bytes": len(self.blob),
            "windows": len(self.deltas),
            "features": d.features,
            "knots": list(d.knots),
            "threshold_ae": d.threshold_ae,
            "threshold_svm": d.threshold_svm,
            "test_windows": len(self.test.hot),
            "test_hot_windows": int(self.test.hot.sum()),
            "test_alarms": int((self.test.event == 1).sum()),
            "anomalies_accepted": [anomaly.said() for anomaly in self.anomalies],
        }


@dataclass
class Detectors:
    """The int8 autoencoder, the floats it was rounded from, the scores of benign windows that it had not seen; the SVM."""

    layers: list[reference.Layer]
    float_layers: list[tuple[quantise.Floats, quantise.Floats]]
    unseen_ae: Ints
    svm: svm.Fitted


def cross_parts(f: NDArray[np.int16], inside: Ints) -> list[svm.Part]:
    """Quantised features of CROSS_FOLDS folds of the windows `inside`: each with those of the others, to be scored by
    detectors that were fitted on these. f: log features (n, features)."""
    parts = []
    for fold in np.array_split(inside, CROSS_FOLDS):
        rest = np.setdiff1d(inside, fold)
        ranges = quantise.feature_ranges(f[rest])
        parts.append((reference.quantise(f[rest], *ranges), reference.quantise(f[fold], *ranges)))
    return parts


def fit_detectors(
    parts: list[svm.Part],
    hidden: tuple[int, ...],
    seed: int,
    limit: Callable[[Ints], int],
    progress: Progress,
    margin: int = svm.MARGIN,
) -> Detectors:
    """Both detectors of the last part; the others are fitted only to score what their second member holds."""
    unseen = []
    for i, (x_fit, x_check) in enumerate(parts):
        floats = autoencoder.fit(
            x_fit,
            hidden,
            seed,
            lambda done, total, before=i: progress("autoencoder", before * total + done, len(parts) * total),  # type: ignore[misc]
        )
        layers = quantise.layers(floats, x_fit)
        unseen.append(reference.autoencoder_score(x_check, layers))
    progress("one-class SVM", 0, 1)
    outlying = svm.choose(parts, seed, limit, margin)
    progress("one-class SVM", 1, 1)
    return Detectors(layers, floats, np.concatenate(unseen), outlying)


def train(deltas: Ints, settings: Settings, origin: str, progress: Progress = lambda stage, done, total: None) -> Trained:
    """Train on benign windows (n, counters) int64, in the order in which they were counted.

    origin: where they came from, for error messages. The same windows and settings give the same bytes. Raises BadInput.
    """
    windows.check(deltas, settings.counters, origin, int(FIT_MIN / 0.6), set(settings.allow_constant))
    found = baseline.anomalies(deltas, settings.counters)
    if found and not settings.accept_anomalies:
        raise BadInput(
            f"{origin}: {found[0].said()}; an infection that is learned as normal is never seen: record again from a device "
            "that you trust, or say --accept-anomalies if it always does that"
        )
    rate = threshold.rate_per_window(settings.false_alarms, settings.window_ms)
    fit, calibrate, test = windows.split(len(deltas))
    scales = settings.scales

    shifts = quantise.counter_shifts(deltas[fit])
    # From a zero state, the slowest mean has reached 98 % then; a boot is not the steady state, and never alarms either.
    fit = slice(min(4 << max(scales), fit.stop // 4), fit.stop)
    f = reference.log_features(deltas, shifts, scales, progress=lambda done, total: progress("features", done, total))
    offset, multiplier = quantise.feature_ranges(f[fit])
    x = reference.quantise(f, offset, multiplier)

    # A recording's calibration part may hold too few clusters of high scores to tell a tail: its fit part gives more.
    parts = cross_parts(f, np.arange(fit.start, fit.stop)) if fit.stop < CROSS_BELOW else []
    parts.append((x[fit], x[calibrate]))

    def limit(unseen: Ints) -> int:
        return threshold.threshold(unseen, rate / 2, *settings.alarm[:2])  # either detector alone makes a window hot

    both = fit_detectors(parts, settings.hidden, settings.seed, limit, progress)
    detector = Detector(
        source=settings.source,
        counters=settings.counters,
        window_ms=settings.window_ms,
        scales=scales,
        shifts=shifts,
        offset=offset,
        multiplier=multiplier,
        layers=both.layers,
        knots=both.svm.knots,
        svm_weights=both.svm.weights,
        threshold_ae=limit(both.unseen_ae),
        threshold_svm=both.svm.threshold(limit),
        alarm=settings.alarm,
        metadata={"windows": len(deltas), "false_alarms": settings.false_alarms, "seed": settings.seed},
    )
    trace = reference.run(detector, deltas[test])
    return Trained(detector, pack(detector), both.float_layers, deltas, x[fit], test, trace, found)
