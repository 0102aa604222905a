"""From benign windows to a model: quantise, fit both detectors, calibrate,
test.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from inlier_export import quantise, reference
from inlier_export.errors import BadInput
from inlier_export.model_file import pack
from inlier_export.reference import Bytes, Detector, Ints, Trace

from . import autoencoder, infection_check, recordings, svm, threshold
from .progress import Progress

# windows in the fit part: a day to calibrate on may miss what a device does
# once in two
CROSS_BELOW = 100_000
CROSS_FOLDS, CROSS_BLOCKS = 4, 4
STRETCH_MIN = 512  # windows: 32 times what the slowest mean remembers
WINDOWS_MIN = (
    333  # a recording: on its fit part, 200, the features' ranges and some 1,000 weights rest
)


@dataclass
class Settings:
    """What the user chooses. Time scales are shifts: a mean is damped over
    about 2^k windows.
    """

    source: str
    counters: tuple[str, ...]
    window_ms: int
    scales: tuple[int, ...] = (0, 2, 4)
    hidden: tuple[int, ...] = (16,)
    false_alarms: str = "1/week"
    alarm: tuple[int, int, int, int, int] = (
        2,
        8,
        8,
        8,
        32,
    )  # k, n, m, cooldown, warm-up, in windows
    seed: int = 1
    allow_constant: Collection[str] = field(default_factory=frozenset)
    accept_anomalies: bool = False  # learn what looks like an infection, see infection_check.py


@dataclass
class Trained:
    """A model, with what is known of it. tests: what was held back of each
    recording; test: runs over them, each as from boot. unseen_…: scores of the
    benign windows that the thresholds rest on; rate: alarms accepted per
    window, of both detectors together. anomalies: what looks like an infection
    in its recordings, and was accepted.
    """

    detector: Detector
    blob: bytes
    float_layers: list[tuple[quantise.Floats, quantise.Floats]]
    windows: int
    x_fit: Bytes
    tests: list[Ints]
    test: Trace
    unseen_ae: Ints
    unseen_svm: Ints
    rate: float
    anomalies: list[infection_check.Anomaly]

    def interval(self, unseen: Ints) -> tuple[int, int] | None:
        """Between what the threshold of one detector lies; see
        threshold.interval.
        """
        k, n = self.detector.alarm[:2]
        return threshold.interval(threshold.alarm_level(unseen, k, n), n, self.rate / 2)

    def shortage(self) -> threshold.Shortage | None:
        return threshold.shortage(
            self.windows, len(self.unseen_ae), self.rate, self.detector.window_ms
        )

    def with_detector(self, detector: Detector) -> "Trained":
        """The same, but for thresholds."""
        test = _run_each(detector, self.tests)
        return replace(self, detector=detector, blob=pack(detector), test=test)

    @property
    def test_windows(self) -> Ints:
        return np.concatenate(self.tests)

    def summary(self) -> dict[str, object]:
        d, short = self.detector, self.shortage()
        return {
            "model_bytes": len(self.blob),
            "windows": self.windows,
            "features": d.features,
            "knots": list(d.knots),
            "threshold_ae": d.threshold_ae,
            "threshold_svm": d.threshold_svm,
            "interval_ae": self.interval(self.unseen_ae),
            "interval_svm": self.interval(self.unseen_svm),
            "calibration_windows": len(self.unseen_ae),
            "record_windows_more": short.windows_more if short else 0,
            "test_windows": len(self.test.hot),
            "test_hot_windows": int(self.test.hot.sum()),
            "test_alarms": int((self.test.event == 1).sum()),
            "anomalies_accepted": [anomaly.said() for anomaly in self.anomalies],
        }


@dataclass
class Detectors:
    """The int8 autoencoder, the floats it was rounded from, the scores of
    benign windows that it had not seen; the SVM.
    """

    layers: list[reference.Layer]
    float_layers: list[tuple[quantise.Floats, quantise.Floats]]
    unseen_ae: Ints
    svm: svm.Fitted


def fold_stretches(inside: Ints) -> list[list[Ints]]:
    """The windows `inside` in CROSS_FOLDS folds, each of up to CROSS_BLOCKS
    stretches of time spread over the whole: what a device does on some days
    then has its like among the other folds, as next week's will among this
    week's. A stretch is never so short that the means at its ends, which its
    neighbours share, make up much of it.
    """
    stretches = max(1, min(CROSS_BLOCKS, len(inside) // (CROSS_FOLDS * STRETCH_MIN)))
    blocks = np.array_split(inside, CROSS_FOLDS * stretches)
    return [blocks[i::CROSS_FOLDS] for i in range(CROSS_FOLDS)]


def time_folds(inside: Ints) -> list[Ints]:
    """The folds of fold_stretches, each in one piece."""
    return [np.concatenate(stretches) for stretches in fold_stretches(inside)]


def cross_parts(
    f: NDArray[np.int16], folds: Sequence[Ints], headroom: quantise.Headroom = quantise.HEADROOM
) -> list[svm.Part]:
    """Quantised features of each of the folds, indices of windows, with those
    of the others, to be scored by detectors that were fitted on these. f: log
    features (n, features).
    """
    parts = []
    for i, fold in enumerate(folds):
        rest = np.sort(np.concatenate([other for j, other in enumerate(folds) if j != i]))
        ranges = quantise.feature_ranges(f[rest], headroom)
        parts.append((reference.quantise(f[rest], *ranges), reference.quantise(f[fold], *ranges)))
    return parts


def fit_detectors(
    parts: list[svm.Part],
    hidden: tuple[int, ...],
    seed: int,
    limit: Callable[[Ints], int],
    progress: Progress,
    margin: int = svm.MARGIN,
    headroom: quantise.Headroom = quantise.HEADROOM,
    noise: float = 0,
) -> Detectors:
    """Both detectors of the last part; the others are fitted only to score what
    their second member holds.

    limit: from such scores to a threshold; margin: see svm.MARGIN; noise: see
    autoencoder.fit.
    """
    unseen = []
    for i, (x_fit, x_check) in enumerate(parts):
        floats = autoencoder.fit(
            x_fit,
            hidden,
            seed,
            lambda done, total, before=i: progress(
                "autoencoder", before * total + done, len(parts) * total
            ),  # type: ignore[misc]
            noise,
        )
        layers = quantise.layers(floats, x_fit)
        unseen.append(reference.autoencoder_score(x_check, layers))
    progress("one-class SVM", 0, 1)
    outlying = svm.choose(parts, seed, limit, margin, headroom.half)
    progress("one-class SVM", 1, 1)
    return Detectors(layers, floats, np.concatenate(unseen), outlying)


def _anomalies(
    recordings: Sequence[Ints], settings: Settings, origin: str
) -> list[infection_check.Anomaly]:
    """What looks like an infection, if that is accepted. Raises BadInput if it
    is not.
    """
    found = []
    for i, recording in enumerate(recordings):
        found += infection_check.anomalies(recording, settings.counters)
        if found and not settings.accept_anomalies:
            which = f" (recording {i + 1})" if len(recordings) > 1 else ""
            raise BadInput(
                f"{origin}{which}: {found[0].said()}; an infection that is learned as normal is "
                f"never seen: record again "
                "from a device that you trust, or say --accept-anomalies if it always does that"
            )
    return found


def train(
    deltas: Ints,
    settings: Settings,
    origin: str,
    progress: Progress = lambda stage, done, total: None,
    lengths: Sequence[int] = (),
) -> Trained:
    """Train on benign windows (n, counters) int64, in the order in which they
    were counted.

    lengths: of the recordings that `deltas` are made of, one after the other,
    where several units of a device type were recorded: each is split by itself,
    and each is scored by detectors that saw the others, so that the thresholds
    hold for a unit that was never recorded. origin: where they came from, for
    error messages. The same windows and settings give the same bytes. Raises
    BadInput.
    """
    recordings.check(deltas, settings.counters, origin, WINDOWS_MIN, set(settings.allow_constant))
    rate = threshold.rate_per_window(settings.false_alarms, settings.window_ms)
    scales = settings.scales
    ends = np.cumsum(lengths or [len(deltas)])
    units = [
        slice(int(end - length), int(end))
        for end, length in zip(ends, lengths or [len(deltas)], strict=True)
    ]
    anomalies = _anomalies([deltas[unit] for unit in units], settings, origin)
    split = [recordings.indices(unit) for unit in units]
    # From a zero state, the slowest mean has reached 98 % then; a boot is not
    # the steady state, and never alarms either.
    settled = [fit[min(4 << max(scales), len(fit) // 4) :] for fit, _, _ in split]
    fit, calibrate = np.concatenate(settled), np.concatenate([part for _, part, _ in split])

    shifts = quantise.counter_shifts(deltas[np.concatenate([part for part, _, _ in split])])
    f = np.concatenate(
        [
            reference.log_features(
                deltas[unit],
                shifts,
                scales,
                progress=lambda done, total, before=unit.start: progress(
                    "features", before + done, len(deltas)
                ),  # type: ignore[misc]
            )
            for unit in units
        ]
    )
    offset, multiplier = quantise.feature_ranges(f[fit])
    x = reference.quantise(f, offset, multiplier)

    # A recording's calibration part may hold too few clusters of high scores to
    # tell a tail: its fit part gives more.
    folds = settled if len(units) > 1 else time_folds(fit) if len(fit) < CROSS_BELOW else []
    parts = [*cross_parts(f, folds), (x[fit], x[calibrate])]

    def limit(unseen: Ints) -> int:
        return threshold.threshold(
            unseen, rate / 2, k, n
        )  # either detector alone makes a window hot

    k, n = settings.alarm[:2]
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
        metadata={
            "windows": len(deltas),
            "false_alarms": settings.false_alarms,
            "seed": settings.seed,
        },
    )
    tests = [deltas[part] for _, _, part in split]
    return Trained(
        detector=detector,
        blob=pack(detector),
        float_layers=both.float_layers,
        windows=len(deltas),
        x_fit=x[fit],
        tests=tests,
        test=_run_each(detector, tests),
        unseen_ae=both.unseen_ae,
        unseen_svm=both.svm.unseen,
        rate=rate,
        anomalies=anomalies,
    )


def _run_each(detector: Detector, recordings: Sequence[Ints]) -> Trace:
    return reference.joined([reference.run(detector, windows) for windows in recordings])
