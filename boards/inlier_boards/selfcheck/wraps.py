"""Counters that wrap or are reset while nothing else happens, see
device/wraps.py: no alarm may come of it.
"""

import numpy as np

from inlier.sinks.benign import BENIGN_HALF
from inlier_export import quantise, reference
from inlier_export.model_file import pack
from inlier_export.reference import Detector, Ints, Layer
from inlier_trainer import threshold

from .outcome import Outcome, Progress, device_path, in_parts, quiet

with device_path():
    import wraps as device  # type: ignore[import-not-found]

BENIGN = 20_000
SCALES = (0, 2, 4)
ALARM = (2, 8, 8, 8, 32)
RATE = 1e-6  # false alarms accepted per window
PER_CALL = 4000
BOARD_PER_CALL = 100


def fitted(benign: Ints) -> Detector:
    """The simplest that can be: distance from the centre of the benign ranges,
    and how far beyond them. Fitted at once.
    """
    shifts = quantise.counter_shifts(benign)
    f = reference.log_features(benign, shifts, SCALES)[64:]
    offset, multiplier = quantise.feature_ranges(f)
    n = f.shape[1]
    centre = Layer(np.zeros((n, n), np.int8), np.full(n, 128), np.zeros(n, np.int64))
    svm_weights = np.ones((n, 2), np.int8)
    x = reference.quantise(f, offset, multiplier)
    return Detector(
        source="replay",
        counters=device.COUNTERS,
        window_ms=10_000,
        scales=SCALES,
        shifts=shifts,
        offset=offset,
        multiplier=multiplier,
        layers=[centre],
        knots=(BENIGN_HALF,),
        svm_weights=svm_weights,
        threshold_ae=threshold.threshold(
            reference.autoencoder_score(x, [centre]), RATE, *ALARM[:2]
        ),
        threshold_svm=threshold.threshold(
            reference.svm_score(x, (BENIGN_HALF,), svm_weights), RATE, *ALARM[:2]
        ),
        alarm=ALARM,
    )


def run(where: str, count: int, seed: int = 1, progress: Progress = quiet) -> Outcome:
    """Raises BadInput."""
    label = f"wraps, {where}"
    progress(label, 0, count)
    blob = pack(fitted(np.array(device.windows(seed, BENIGN), np.int64)))
    told: list[dict[str, int]] = []
    prepare, call = "import wraps; model = wraps.load('/model')", "wraps.run(model, {}, {})"
    for part in in_parts(
        where, "wraps", blob, prepare, call, seed, count, BOARD_PER_CALL, PER_CALL
    ):
        told.append(part)
        progress(label, sum(part["wraps"] + part["resets"] for part in told), count)
    total = {key: sum(part[key] for part in told) for key in told[0]}
    failure = ""
    if total["false_alarms"] or total["differing"]:
        failure = (
            f"{total['false_alarms']} false alarms, "
            f"{total['differing']} windows after a wrap hold other deltas"
        )
    return Outcome(
        "wraps",
        where,
        total["wraps"] + total["resets"],
        total["false_alarms"] + total["differing"],
        failure,
        detail=f"{total['wraps']} wraps at 2^{', 2^'.join(map(str, device.WIDTHS))}, "
        f"{total['resets']} resets",
    )
