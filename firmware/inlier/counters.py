"""From cumulative counters to a window of deltas.

Counter wrap, counter reset and a missed tick are handled here and nowhere else.
"""

from array import array

# The largest int that a 31-bit small-int board keeps out of the heap; a larger delta saturates here.
DELTA_MAX = (1 << 30) - 1


def delta(now, last, half):
    """Events between two readings of a counter that wraps at 2 * half; 0..DELTA_MAX.

    A counter that went backwards has wrapped if it came from the top quarter of its range and arrived in the
    bottom quarter. Otherwise it was reset, and what it holds is all that was counted since.
    """
    d = now - last
    if d < 0:
        quarter = half >> 1
        if last >= half + quarter and now < quarter:
            d = d + half + half  # never forms 2 * half, which a 31-bit board would allocate
        else:
            d = now
    return d if d < DELTA_MAX else DELTA_MAX


class Windows:
    """Windows of one source: `take()` returns the deltas since the last call."""

    def __init__(self, source):
        n = len(source.counters)
        self._source = source
        self._half = 1 << (source.bits - 1)
        self._now = [0] * n
        self._last = [0] * n
        self.deltas = array("i", bytes(4 * n))
        source.read(self._last)

    def take(self, elapsed=1):
        """Deltas of one window: array('i'), one per counter, the same object at every call.

        elapsed: window lengths that passed since the last call; more than 1 after a missed tick. The deltas are then
        the mean window, rounded up so that a single event stays visible.
        """
        now = self._now
        last = self._last
        half = self._half
        self._source.read(now)
        for i in range(len(now)):
            value = now[i]
            d = delta(value, last[i], half)
            if elapsed > 1:
                d = -(-d // elapsed)
            self.deltas[i] = d
            last[i] = value
        return self.deltas
