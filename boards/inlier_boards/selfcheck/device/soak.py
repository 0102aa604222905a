"""Windows without end: what a formula counts, through counters that wrap,
features, scores and alarm, in constant memory.

soak.py MODEL COUNT EVERY, under CPython and MicroPython;
inlier_boards/selfcheck also runs it on emulated boards and holds the digests
against the NumPy reference's.
"""

import gc
import sys

from inlier.model import crc32, load
from inlier.pipeline import Pipeline

_WRAP = 0x3FFFFFFF  # counters of 30 bits


class Wrapping:
    """Counters of 30 bits that move by what `fill` says, and wrap every few
    thousand windows.
    """

    name = "replay"
    bits = 30

    def __init__(self, counters):
        self.counters = counters
        self._state = 1
        self._deltas = [0] * len(counters)
        self._totals = [_WRAP - 5000 * i for i in range(len(counters))]

    def fill(self, deltas):
        """The next window's deltas, below 2^19, all magnitudes alike; one
        window in 64 is silent.
        """
        s = self._state
        for i in range(len(deltas)):
            s = (s * 1021 + 24593) & 0xFFFFF  # stays below 2^30: no allocation on a 31-bit board
            deltas[i] = (s & 0x7FFFF) >> (s >> 16)
        if s & 0x3F000 == 0:
            for i in range(len(deltas)):
                deltas[i] = 0
        self._state = s + 1 & 0xFFFFF

    def read(self, values):
        deltas = self._deltas
        totals = self._totals
        self.fill(deltas)
        for i in range(len(values)):
            totals[i] = totals[i] + deltas[i] & _WRAP
            values[i] = totals[i]


def add(digest, x, ae, svm, hot, event):
    """Digest of a window's integers.

    x: bytes or a buffer; its CRC alone is made new, the rest is arithmetic.
    """
    digest = (digest << 5 & 0x3FFFFFFF | digest >> 25) ^ crc32(x) & 0x3FFFFFFF
    return digest ^ ae ^ (svm & 0x3FFFFFFF) ^ (event + 1 << 28 | hot << 27)


class Soak:
    def __init__(self, model):
        self._pipeline = Pipeline(model, Wrapping(model.counters()))
        self._digest = 0

    def run(self, count):
        """Score `count` windows more; prints the digest of all so far."""
        p = self._pipeline
        digest = self._digest
        for _ in range(count):
            event = p.step()
            digest = add(digest, p.x, p.ae, p.svm, p.hot, event)
        self._digest = digest
        print(digest)

    def heap(self):
        gc.collect()
        print("heap", gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0)


def main(path, count, every):
    soak = Soak(load(path))
    soak.run(every)
    soak.heap()
    for _ in range(every, count, every):
        soak.run(every)
    soak.heap()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
