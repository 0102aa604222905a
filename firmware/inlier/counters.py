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


def subtract(now, last, deltas):
    """deltas = now - last; says whether any is no plain count: ~(the former
    delta) stays there. Small: see Windows.take.
    """
    odd = False
    for i in range(len(now)):
        d = now[i] - last[i]
        if d >> 30:  # below 0, or over DELTA_MAX
            odd = True
            d = ~deltas[i]
        deltas[i] = d
    return odd


class Windows:
    """Windows of one source: `take()` returns the deltas since the last call."""

    def __init__(self, source):
        n = len(source.counters)
        self._source = source
        self._half = 1 << (source.bits - 1)
        self._exact = getattr(
            source, "exact", False
        )  # a reset counter of its holds the whole delta
        self._now = [0] * n
        self._last = [0] * n
        self.deltas = array("i", bytes(4 * n))
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
        self._source.read(self._now)
        if subtract(self._now, self._last, self.deltas):
            self._mend(elapsed)
        if elapsed > 1:
            self._spread(elapsed)
        self._now, self._last = self._last, self._now
        return self.deltas

    def _mend(self, elapsed):
        for i in range(len(self.deltas)):
            former = ~self.deltas[i]
            if former >= 0:
                now = self._now[i]
                self.deltas[i] = delta(
                    now, self._last[i], self._half, now if self._exact else former * elapsed
                )

    def _spread(self, elapsed):
        for i in range(len(self.deltas)):
            d = self.deltas[i]
            self.deltas[i] = d // elapsed + d % elapsed * 2 // elapsed
