"""k of the last n scores over a threshold, at several lengths: the alarm's
rule, vectorised over recordings.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inlier_export.reference import Ints

# k of the last n windows: from at once to half an hour of windows of 10 s.
HORIZONS = ((2, 8), (8, 12), (20, 24), (56, 64), (170, 192))
# What no horizon's threshold is below, in sixteenths of an octave at the whole
# weight, times the rung (budget.py): one event that never happened in the
# recording raises nothing; the longer something lasts, the less it takes.
FLOORS = (48, 40, 36, 28, 20)
GAP = 16  # windows without a reason that part one alarm from the next


def reached(over: NDArray[np.bool_], k: int, n: int) -> NDArray[np.bool_]:
    """Whether k of the last n of `over` are true, at each (..., windows)."""
    count = np.cumsum(over, axis=-1, dtype=np.int64)
    inside = count.copy()
    inside[..., n:] -= count[..., :-n]
    return inside >= k


def raised(
    scores: Ints, thresholds: Sequence[int], horizons: Sequence[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Whether any horizon has its k of n, at each score (..., windows)."""
    pairs = zip(thresholds, horizons, strict=True)
    found: NDArray[np.bool_] = np.any([reached(scores > t, *h) for t, h in pairs], axis=0)
    return found


def greatest_level(scores: Ints, k: int, n: int) -> int:
    """The least threshold at which k of n never alarm on `scores` (windows,):
    the greatest k-th largest of n in a row.
    """
    values = np.unique(scores[scores > 0])
    low, high = -1, len(values) - 1  # the greatest i whose value k of n reach
    while low < high:
        middle = (low + high + 1) // 2
        if reached(scores >= values[middle], k, n).any():
            low = middle
        else:
            high = middle - 1
    return int(values[low]) if low >= 0 else 0


def episodes(is_raised: NDArray[np.bool_], gap: int = GAP) -> int:
    """How many alarms: runs that are further apart than `gap` windows."""
    on = np.flatnonzero(is_raised)
    return 1 + int((np.diff(on) > gap).sum()) if len(on) else 0
