"""Counters that wrap or are reset while nothing else happens, see
device/wraps.py: no alarm may come of it.
"""

import numpy as np

from inlier_export import quantise, reference
from inlier_export.model_file import pack
from inlier_export.reference import Detector, Ints, Schema
from inlier_trainer.figures import number_of
from inlier_trainer.progress import Progress, quiet

from .outcome import Outcome, device_path, in_parts

with device_path():
    import wraps as device  # type: ignore[import-not-found]

BENIGN = 20_000
FLOOR = 64 * 127  # four octaves in all: what no benign window comes near
PER_CALL = 4000
BOARD_PER_CALL = 100


def fitted(benign: Ints) -> Detector:
    """The simplest that can be: how far features lie beyond their benign
    ranges. Fitted at once.
    """
    schema = Schema(
        device.COUNTERS, (0, 3), (4,), quantise.counter_shifts(benign), quantise.caps(benign)
    )
    f = reference.log_features(benign, schema, np.zeros(schema.features, np.int64))[64:]
    n = schema.features
    zero = np.zeros(n, np.int64)
    return Detector(
        source="replay",
        window_ms=10_000,
        schema=schema,
        offset=np.rint(f.mean(axis=0)).astype(np.int64),
        high=f.max(axis=0).astype(np.int64),
        low=zero,
        far=zero,
        input_shift=zero,
        weights=np.tile([127, 0, 0], (n, 1)),
        layers=[],
        horizons=((2, 8, FLOOR),),
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
            f"{number_of(total['false_alarms'], 'false alarm')}, "
            f"{number_of(total['differing'], 'window')} with other deltas after a wrap"
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
