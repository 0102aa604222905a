"""The counts of a capture's windows, in little memory however long it is: only
the blocks of windows that were counted into last are kept as they are, the
others compressed, and one that nothing was counted into not at all.
"""

import zlib
from collections.abc import Iterator

import numpy as np

from inlier_export.reference import Ints

BLOCK = 4096  # windows
PACKING = 1  # zlib's level, the fastest
OPEN_MAX = 16  # blocks: stamps out of order come back to those before


class Tally:
    """Of windows 0 to `length` - 1, (length, columns) int64."""

    def __init__(self, columns: int) -> None:
        self.length = 0
        self._columns = columns
        self._open: dict[int, Ints] = {}  # in the order in which they were last counted into
        self._packed: dict[int, bytes] = {}

    def add(self, window: Ints, column: int | slice, amounts: Ints | int) -> None:
        """Add an amount to a column of each window (n,), or amounts
        (n, columns) to several columns.
        """
        block = window // BLOCK
        for at in np.unique(block).tolist():
            inside = block == at
            rows = self._of(at)[:, column]
            part = amounts if isinstance(amounts, int) else amounts[inside]
            np.add.at(rows, window[inside] - at * BLOCK, part)

    def parts(self) -> Iterator[Ints]:
        """All windows, in order, a block at a time."""
        for at in range(-(-self.length // BLOCK)):
            rows = self._open[at] if at in self._open else self._unpacked(at)
            yield rows[: self.length - at * BLOCK]

    def _of(self, at: int) -> Ints:
        rows = self._open.pop(at) if at in self._open else self._unpacked(at)
        self._open[at] = rows
        if len(self._open) > OPEN_MAX:
            oldest = next(iter(self._open))
            self._packed[oldest] = zlib.compress(self._open.pop(oldest).tobytes(), PACKING)
        return rows

    def _unpacked(self, at: int) -> Ints:
        if at not in self._packed:
            return np.zeros((BLOCK, self._columns), np.int64)
        content = bytearray(zlib.decompress(self._packed[at]))
        return np.frombuffer(content, np.int64).reshape(BLOCK, self._columns)
