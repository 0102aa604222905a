"""Windows to quantised features: damped means at a few time scales, fixed-point log2, int8.

Per counter, x' = delta << shift (shift <= 8, negative: >>), at most 2^26 - 1; 256 is one event. Per time scale k,
S += x' - (S >> k) keeps the exponentially damped mean S >> k (a first-order filter with pole 1 - 2^-k). Its logarithm has
four fractional bits and is linear between powers of two (Mitchell, "Computer multiplication and division using binary
logarithms", 1962): f = 16 * log2(1 + mean / 256). Last, q = (f - offset) * multiplier >> 8, clamped to int8, kept as the
byte q + 128. The loop itself is the kernel's.
"""

from array import array

LEVEL_MAX = (1 << 26) - 1  # x' <= LEVEL_MAX and k <= SCALE_MAX keep S below 2^30: no allocation on a 31-bit board
SCALE_MAX = 4
UNIT_BITS = 8  # 2^8 = one event at the finest shift
LOG_MAX = (26 - UNIT_BITS) * 16 + 15  # the largest f


def mean_of_log(f):
    """The least damped mean whose logarithm is f: where a state starts, so that boot looks like the trained centre."""
    return (((f & 15) + 16) << (UNIT_BITS - 4 + (f >> 4))) - (1 << UNIT_BITS)


class Features:
    """State and buffer of one model's features; `update(deltas)` returns the quantised bytes, shape (model.features,)."""

    def __init__(self, model, kernel):
        self._update = kernel.features
        self._model = model
        self._state = array("i", bytes(4 * model.features))
        self.x = bytearray(model.features)
        self.reset()

    def reset(self):
        p = self._model.quantisation
        scales = self._model.scales
        for i in range(self._model.features):
            mean = mean_of_log(p[4 * i] | p[4 * i + 1] << 8)
            self._state[i] = mean << scales[i % len(scales)]

    def update(self, deltas):
        m = self._model
        self._update(deltas, self._state, m.shifts, m.scales, m.quantisation, len(m.shifts), len(m.scales), self.x)
        return self.x
