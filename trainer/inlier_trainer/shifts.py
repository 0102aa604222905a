"""Made-up sustained shifts: how watchful a model is, asked of benign windows
alone. Some of the device's own counters do a little more, for half an hour.
"""

from collections.abc import Sequence

import numpy as np

from inlier_export import reference
from inlier_export.reference import Counts, Detector, Ints

from .horizons import raised
from .one_class_svm import INBOUND

SHIFTS, LENGTH, LEAD = 24, 180, 700
TOGETHER = 4  # all at once they take more memory than all else of a training
PERIODS = (1, 2, 6)  # every window, every second, every sixth
FACTORS = (1, 1, 4, 32)  # times the median of the windows in which a counter counts
SEED = 7


def made_up(windows: Counts, counters: tuple[str, ...]) -> Ints:
    """What is added: (SHIFTS, LENGTH, counters)."""
    rng = np.random.default_rng(SEED)
    own = [i for i, name in enumerate(counters) if name not in INBOUND]
    unit = np.array([int(np.median(c[c > 0].tolist() or [1])) for c in windows.T])
    out = np.zeros((SHIFTS, LENGTH, len(counters)), np.int64)
    for j in range(SHIFTS):
        moved = rng.choice(own, min(len(own), int(rng.integers(2, 6))), replace=False)
        factor = FACTORS[j // len(PERIODS) % len(FACTORS)]
        out[j, :: PERIODS[j % len(PERIODS)], moved] = (unit[moved] * factor)[:, None]
    return out


def delays(windows: Counts, detectors: Sequence[Detector]) -> list[float]:
    """The median delay in windows of each detector, which share all but
    thresholds and weights; LENGTH where a shift is not seen.
    """
    d = detectors[0]
    added = made_up(windows, d.counters)
    lead = min(LEAD, len(windows) // 2)
    last = len(windows) - LENGTH
    starts = np.linspace(lead, max(lead, last), SHIFTS).astype(int)
    laid = np.stack([windows[s - lead : s + LENGTH] for s in starts])
    laid = laid.astype(np.int64)
    n = laid.shape[1] - lead
    laid[:, lead:] += added[:, :n]
    scored = np.empty((len(detectors), *laid.shape[:2]), np.int64)
    state = reference.start_state(d.offset, d.schema)
    for at in range(0, SHIFTS, TOGETHER):
        part = slice(at, at + TOGETHER)
        f = reference.log_features(laid[part], d.schema, state)
        x = np.concatenate(reference.inputs(f, d.offset, d.input_shift))  # one after the other
        y = reference.reconstruct(x, d.layers).reshape(f.shape)
        for each, scores in zip(detectors, scored, strict=True):
            over, _, beyond = reference.excess(f, y, each)
            scores[part] = over @ each.weights[:, 0] + beyond @ each.weights[:, 2]
    found = []
    for each, scores in zip(detectors, scored, strict=True):
        limits = [limit for _, _, limit in each.horizons]
        seen = raised(scores, limits, [(k, n_) for k, n_, _ in each.horizons])[:, lead:]
        first = np.where(seen.any(axis=1), seen.argmax(axis=1) + 1, LENGTH)
        found.append(float(np.median(first)))
    return found
