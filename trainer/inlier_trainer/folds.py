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
    """What recordings of these lengths can carry.

    blocks: indices of windows of recordings laid end to end, that follow
        each other.
    fold: of each block.
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


def plan(runs: Sequence[int], unit: Sequence[int] | None = None) -> Plan:
    """For recordings of so many windows each, and the unit that each is of; by
    default each is of another. Of one unit, something is missing between them;
    it has train.WINDOWS_MIN at least. A short one is trained without the
    longest sums and horizons, which it cannot tell.
    """
    of = range(len(runs)) if unit is None else unit
    lengths = [sum(n for n, i in zip(runs, of, strict=True) if i == u) for u in dict.fromkeys(of)]
    whole, shortest = sum(lengths), min(lengths)
    longest = (whole // 8).bit_length() - 1  # eight times 2^k windows and more
    persistence = tuple(min(k, longest) for k in PERSISTENCE)
    blocks = max(1, min(BLOCKS, shortest // (FOLDS * BLOCK_MIN)))
    # a fold holds each twice; one of several blocks is longer than all need
    horizons = tuple(h for h in HORIZONS if 2 * h[1] * FOLDS <= shortest)
    cut: list[Ints] = []
    fold: list[int] = []
    at = 0
    for u, n in enumerate(lengths):
        parts = np.array_split(np.arange(at + min(SETTLE, n // 10), at + n), FOLDS * blocks)
        cut += parts
        by_unit = len(lengths) >= UNITS_MIN
        fold += [u if by_unit else i % FOLDS for i in range(len(parts))]
        at += n
    apart = np.cumsum(runs)  # what no block goes across
    pieces = [
        (piece, i)
        for block, i in zip(cut, fold, strict=True)
        for piece in np.split(block, apart[(apart > block[0]) & (apart <= block[-1])] - block[0])
    ]
    blocks_, folds = (tuple(part) for part in zip(*pieces, strict=True))
    return Plan(SCALES, persistence, horizons, FLOORS[: len(horizons)], blocks_, folds)
