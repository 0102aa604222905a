"""Windows to quantised features: damped means at a few time scales, fixed-point
log2, int8.

Per counter, x' = delta << shift (shift <= 8, negative: >>), at most 2^26 - 1;
256 is one event. Per time scale k, S += x' - (S >> k) keeps the exponentially
damped mean S >> k (a first-order filter with pole 1 - 2^-k). Its logarithm has
four fractional bits and is linear between powers of two (Mitchell, "Computer
multiplication and division using binary logarithms", 1962): f = 16 * log2(1 +
mean / 256). Last, q = (f - offset) * multiplier >> 8, clamped to int8, kept as
the byte q + 128. The loop itself is a kernel's.
"""

LEVEL_MAX = (
    1 << 26
) - 1  # x' <= LEVEL_MAX and k <= SCALE_MAX keep S below 2^30: no allocation on a 31-bit board
SCALE_MAX = 4
UNIT_BITS = 8  # 2^8 = one event at the finest shift
LOG_MAX = (26 - UNIT_BITS) * 16 + 15  # the largest f


def mean_of_log(f):
    """The least damped mean whose logarithm is f."""
    return (((f & 15) + 16) << (UNIT_BITS - 4 + (f >> 4))) - (1 << UNIT_BITS)


def start_state(model):
    """Yields each feature's first S: at the centre of its benign range, so that
    boot looks like what was trained.
    """
    p = model.quantisation()
    scales = model.scales
    for i in range(model.features):
        yield mean_of_log(p[4 * i] | p[4 * i + 1] << 8) << scales[i % len(scales)]
