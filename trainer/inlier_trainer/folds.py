"""Which windows are fitted on and which are left out: blocks of time, spread
over the whole recording, so that what a device does on some days has its like
among the other folds, as next week's will among this week's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inlier_export.reference import Ints

from .horizons import FLOORS, HORIZONS

SCALES = (0, 3)  # means over about 1 and 8 windows
PERSISTENCE = (4, 7)  # and sums of clipped counts over about 16 and 128
FOLDS, BLOCKS = 4, 4
BLOCK_MIN = 512  # windows; shorter, what neighbours share makes up much of it
UNITS_MIN = 3  # from so many units on, a fold is a unit
SETTLE = 300  # windows in which the longest sums come from zero


@dataclass(frozen=True)
class Plan:
    """What recordings of these lengths can carry. blocks: indices of windows of
    recordings laid end to end; fold: of each block.
    """

    scales: tuple[int, ...]
    persistence: tuple[int, ...]
    horizons: tuple[tuple[int, int], ...]
    floors: tuple[int, ...]
    blocks: tuple[Ints, ...]
    fold: tuple[int, ...]

    @property
    def folds(self) -> int:
        return max(self.fold) + 1

    @property
    def windows(self) -> int:
        """Those that are fitted on or left out."""
        return sum(map(len, self.blocks))

    def inside(self, out: frozenset[int]) -> Ints:
        """Indices of the windows of all folds but `out`."""
        return np.concatenate(
            [b for b, i in zip(self.blocks, self.fold, strict=True) if i not in out]
        )


def plan(lengths: Sequence[int]) -> Plan:
    """For recordings of so many windows each, a unit each. A short one is
    trained without the longest sums and horizons, which it cannot tell.
    """
    whole, shortest = sum(lengths), min(lengths)
    longest = max(k for k in range(3, max(PERSISTENCE) + 1) if k == 3 or 8 << k <= whole)
    persistence = tuple(sorted({min(k, longest) for k in PERSISTENCE}))
    if len(persistence) < len(PERSISTENCE):
        persistence = (max(2, longest - 2), longest)
    blocks = max(1, min(BLOCKS, shortest // (FOLDS * BLOCK_MIN)))
    block = shortest // (FOLDS * blocks)
    horizons = tuple(h for h in HORIZONS if 2 * h[1] <= block) or HORIZONS[:1]
    cut: list[Ints] = []
    fold: list[int] = []
    at = 0
    for unit, n in enumerate(lengths):
        parts = np.array_split(np.arange(at + min(SETTLE, n // 10), at + n), FOLDS * blocks)
        cut += parts
        by_unit = len(lengths) >= UNITS_MIN
        fold += [unit if by_unit else i % FOLDS for i in range(len(parts))]
        at += n
    return Plan(SCALES, persistence, horizons, FLOORS[: len(horizons)], tuple(cut), tuple(fold))
