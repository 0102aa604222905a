"""From benign windows to a model: quantise, fit both detectors, calibrate, test."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np

from export import quantise, reference
from export.blob import pack
from export.reference import Bytes, Detector, Ints, Trace

from . import autoencoder, svm, threshold, windows

Progress = Callable[[str, int, int], None]  # stage, done, total

FIT_MIN = 200  # windows in the fit part: the 0.1 % and 99.9 % points and some 1,000 weights rest on them


@dataclass
class Settings:
    """What the user chooses. Time scales are shifts: a mean is damped over about 2^k windows."""

    source: str
    counters: tuple[str, ...]
    window_ms: int
    scales: tuple[int, ...] = (0, 2, 4)
    hidden: tuple[int, ...] = (16, 4, 16)
    false_alarms: str = "1/week"
    alarm: tuple[int, int, int, int, int] = (2, 8, 8, 8, 32)  # k, n, m, cooldown, warm-up, in windows
    seed: int = 1
    allow_constant: Collection[str] = field(default_factory=frozenset)


@dataclass
class Trained:
    """A model, with what is known of it. test: a run over the test part alone, as from boot."""

    detector: Detector
    blob: bytes
    float_layers: list[tuple[quantise.Floats, quantise.Floats]]
    deltas: Ints
    x_fit: Bytes
    test_slice: slice
    test: Trace

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
        }


def train(deltas: Ints, settings: Settings, origin: str, progress: Progress = lambda stage, done, total: None) -> Trained:
    """Train on benign windows (n, counters) int64, in the order in which they were counted.

    origin: where they came from, for error messages. The same windows and settings give the same bytes. Raises BadInput.
    """
    windows.check(deltas, settings.counters, origin, int(FIT_MIN / 0.6), set(settings.allow_constant))
    rate = threshold.rate_per_window(settings.false_alarms, settings.window_ms, settings.alarm[0], settings.alarm[1])
    fit, calibrate, test = windows.split(len(deltas))
    scales = settings.scales

    shifts = quantise.counter_shifts(deltas[fit])
    # From a zero state, the slowest mean has reached 98 % then; a boot is not the steady state, and never alarms either.
    fit = slice(min(4 << max(scales), fit.stop // 4), fit.stop)
    offset, multiplier = quantise.feature_ranges(reference.log_features(deltas[: fit.stop], shifts, scales)[fit])
    f = reference.log_features(
        deltas,
        shifts,
        scales,
        reference.start_state(offset, scales),
        lambda done, total: progress("features", done, total),
    )
    x = reference.quantise(f, offset, multiplier)
    x_fit = x[fit]
    q_fit = (x_fit.astype(np.int16) - 128).astype(np.int8)
    q_calibrate = (x[calibrate].astype(np.int16) - 128).astype(np.int8)

    floats = autoencoder.fit(q_fit, settings.hidden, settings.seed, lambda done, total: progress("autoencoder", done, total))
    progress("one-class SVM", 0, 1)
    knots = svm.choose_knots(q_fit, q_calibrate, settings.seed)
    detector = Detector(
        source=settings.source,
        counters=settings.counters,
        window_ms=settings.window_ms,
        scales=scales,
        shifts=shifts,
        offset=offset,
        multiplier=multiplier,
        layers=quantise.layers(floats, x_fit),
        knots=knots,
        svm_weights=quantise.svm_weights(svm.fit(q_fit, knots, settings.seed)),
        alarm=settings.alarm,
        metadata={"windows": len(deltas), "false_alarms": settings.false_alarms, "seed": settings.seed},
    )
    progress("one-class SVM", 1, 1)
    ae, outlying = reference.score(x, detector.layers, knots, detector.svm_weights)
    # Either detector alone makes a window hot. The fit part is benign too: a threshold below its tail would be a short
    # calibration's luck.
    detector.threshold_ae = max(threshold.threshold(ae[part], rate / 2) for part in (fit, calibrate))
    tails = [threshold.threshold(outlying[part], rate / 2) for part in (fit, calibrate)]
    detector.threshold_svm = max(*tails, svm.MARGIN * int(detector.svm_weights.max()))
    return Trained(detector, pack(detector), floats, deltas, x_fit, test, reference.run(detector, deltas[test]))
