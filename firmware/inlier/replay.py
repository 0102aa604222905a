"""Source of recorded windows, for tests and emulators: rows of deltas become
the counters that would have shown them.
"""

_TOTAL_MAX = 1 << 29


class Replay:
    """rows: an iterable of CSV lines, counter names first, or of int sequences
    with `counters` given.

    `advance()` moves to the next window and says whether there is one. Raises
    ValueError for a row that is no window.
    """

    name = "replay"
    bits = 62  # never wraps: a recorded delta may be as large as a whole counter
    exact = True  # see advance

    def __init__(self, rows, counters=None):
        self._rows = iter(rows)
        if counters is None:
            counters = next(self._rows, "").strip().split(",")
        self.counters = tuple(counters)
        self._totals = [0] * len(self.counters)

    def advance(self):
        try:
            row = next(self._rows)
        except StopIteration:
            return False
        if isinstance(row, str):
            row = row.strip().split(",")
        if len(row) != len(self._totals):
            raise ValueError("a row holds %d numbers, not %d" % (len(row), len(self._totals)))
        for i in range(len(self._totals)):
            total = self._totals[i]
            d = int(row[i])
            if d < 0:
                raise ValueError("a row holds %d" % d)
            # A reset, which Windows sees through, keeps a long replay's totals
            # small ints.
            self._totals[i] = d if d < total > _TOTAL_MAX else total + d
        return True

    def read(self, values):
        for i in range(len(values)):
            values[i] = self._totals[i]
