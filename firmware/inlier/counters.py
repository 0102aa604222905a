"""From cumulative counters to a window of deltas.

Counter wrap, counter reset and a missed tick are handled here and nowhere else.
"""

from array import array

# The largest int that a 31-bit small-int board keeps out of the heap; a larger
# delta saturates here.
DELTA_MAX = (1 << 30) - 1


def delta(now, last, half, lost):
    """Events between two readings of a counter that wraps at 2 * half;
    0..DELTA_MAX.

    A counter that went backwards has wrapped if it came from the top quarter of
    its range and arrived in the bottom quarter. Otherwise it was reset, and
    `lost` is the answer.
    """
    d = now - last
    if d < 0:
        quarter = half >> 1
        if last >= half + quarter and now < quarter:
            d = d + half + half  # never forms 2 * half, which a 31-bit board would allocate
        else:
            d = lost
    return d if d < DELTA_MAX else DELTA_MAX


class Windows:
    """Windows of one source: `take()` returns the deltas since the last call.

    subtract: a kernel's, for counters of at most 30 bits, which
    never differ by more than DELTA_MAX.
    """

    def __init__(self, source, subtract=None):
        n = len(source.counters)
        self.source = source
        self._read = source.read  # bound once: each binding takes heap
        self.deltas = array("i", bytes(4 * n))
        self._n = n
        if source.bits <= 30:
            self._subtract = subtract
            self._now = getattr(source, "live", None) or array("i", self.deltas)
            self._last = array("i", self.deltas)
        else:
            self._subtract = None
            self._now = [0] * n
            self._last = [0] * n
        source.read(self._last)

    def take(self, elapsed=1):
        """Deltas of one window: array('i'), one per counter, the same object at
        every call.

        How much a counter that was reset had counted can't be known, and what
        it holds now may be little, or what is left of a sum: it is taken to
        have counted as in the window before.

        elapsed: window lengths that passed since the last call; more than 1
        after a missed tick. The deltas are then the mean window, rounded to the
        nearest: rounded up, one event of each kind in a long stretch would look
        like a window in which everything happened.
        """
        # Small functions: a frame beyond 11 words would come from MicroPython's
        # heap.
        now = self._now
        deltas = self.deltas
        self._read(now)
        subtract = self._subtract
        if subtract is None or subtract(now, self._last, deltas, self._n):
            self._mend(elapsed)
        if elapsed > 1:
            self._spread(elapsed)
        return deltas

    def _mend(self, elapsed):
        source = self.source
        half = 1 << (source.bits - 1)
        exact = getattr(source, "exact", False)  # a reset counter of its holds the whole delta
        for i in range(self._n):
            now = self._now[i]
            lost = now if exact else self.deltas[i] * elapsed
            self.deltas[i] = delta(now, self._last[i], half, lost)
            self._last[i] = now

    def _spread(self, elapsed):
        for i in range(len(self.deltas)):
            d = self.deltas[i]
            self.deltas[i] = d // elapsed + d % elapsed * 2 // elapsed
