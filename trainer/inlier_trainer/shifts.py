"""Made-up sustained shifts: how watchful a model is, asked of benign windows
alone. Some of the device's own counters do a little more, for half an hour.
"""

from collections.abc import Sequence

import numpy as np

from inlier_export import reference
from inlier_export.reference import Detector, Ints

from .horizons import raised
from .one_class_svm import INBOUND

SHIFTS, LENGTH, LEAD = 24, 180, 700
PERIODS = (1, 2, 6)  # every window, every second, every sixth
FACTORS = (1, 1, 4, 32)  # times the median of the windows in which a counter counts
SEED = 7


def made_up(windows: Ints, counters: tuple[str, ...]) -> Ints:
    """What is added: (SHIFTS, LENGTH, counters)."""
    rng = np.random.default_rng(SEED)
    own = [i for i, name in enumerate(counters) if name not in INBOUND]
    unit = np.array([max(1, int(np.median(c[c > 0]))) if (c > 0).any() else 1 for c in windows.T])
    out = np.zeros((SHIFTS, LENGTH, len(counters)), np.int64)
    for j in range(SHIFTS):
        moved = rng.choice(own, min(len(own), int(rng.integers(2, 6))), replace=False)
        factor = FACTORS[j // len(PERIODS) % len(FACTORS)]
        out[j, :: PERIODS[j % len(PERIODS)], moved] = (unit[moved] * factor)[:, None]
    return out


def delays(windows: Ints, detectors: Sequence[Detector]) -> list[float]:
    """The median delay in windows of each detector, which share all but
    thresholds and weights; LENGTH where a shift is not seen.
    """
    d = detectors[0]
    added = made_up(windows, d.counters)
    lead = min(LEAD, len(windows) // 2)
    last = len(windows) - LENGTH
    starts = np.linspace(lead, max(lead, last), SHIFTS).astype(int)
    laid = np.stack([windows[max(0, s - lead) : s + LENGTH][: lead + LENGTH] for s in starts])
    n = laid.shape[1] - lead
    laid[:, lead:] += added[:, :n]
    f = reference.log_features(laid, d.schema, reference.start_state(d.offset, d.schema))
    y = reference.reconstruct(
        reference.inputs(f, d.offset, d.input_shift).reshape(-1, d.features), d.layers
    ).reshape(f.shape)
    found = []
    for each in detectors:
        over, _, beyond = reference.excess(f, y, each)
        scores = over @ each.weights[:, 0] + beyond @ each.weights[:, 2]
        limits = [limit for _, _, limit in each.horizons]
        seen = raised(scores, limits, [(k, n_) for k, n_, _ in each.horizons])[:, lead:]
        first = np.where(seen.any(axis=1), seen.argmax(axis=1) + 1, LENGTH)
        found.append(float(np.median(first)))
    return found
