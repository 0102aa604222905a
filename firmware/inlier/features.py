"""Windows to log features, and those to the autoencoder's inputs.

Per counter two levels. x = delta << shift (shift <= 8, negative: >>), at most
2^26 - 1; 256 is one event. And p = min(delta, 2^cap) scaled so that 2^12 is a
full window: a burst counts once, however large.

Per feature kind a sum S += level - (S >> k), exponentially damped over about
2^k windows (a first-order filter with pole 1 - 2^-k). A mean is S >> k of x; a
persistence is S >> 4 of p, the damped number of full windows. Its logarithm
has four fractional bits and is linear between powers of two (Mitchell,
"Computer multiplication and division using binary logarithms", 1962):
f = 16 * log2(1 + (S >> r) / 256), r = k for a mean and 4 for a persistence.
Last, the autoencoder's input q = (f - offset) >> s, clamped to int8, is kept
as the byte q + 128. The loop itself is a kernel's.
"""

# x <= LEVEL_MAX and k <= SCALE_MAX keep S below 2^30: no allocation on a
# 31-bit board. So do p <= 2^FULL_BITS and k <= PERSISTENCE_MAX.
LEVEL_MAX = (1 << 26) - 1
SCALE_MAX = 4
PERSISTENCE_MAX = 10
UNIT_BITS = 8  # 2^8 = one event at the finest shift
FULL_BITS = 12  # 2^12 = one full window of a persistence
PERSISTENCE_OUT = FULL_BITS - UNIT_BITS  # r
LOG_MAX = (26 - UNIT_BITS) * 16  # the largest f


def mean_of_log(f):
    """The least damped mean whose logarithm is f."""
    return (((f & 15) + 16) << (UNIT_BITS - 4 + (f >> 4))) - (1 << UNIT_BITS)


def start_state(model):
    """Yields each feature's first S: at the centre of its benign range, so that
    boot looks like what was trained.
    """
    table = model.table()
    kinds = model.kinds
    for i in range(model.features):
        offset = table[12 * i] | table[12 * i + 1] << 8
        yield mean_of_log(offset) << kinds[i % len(kinds)][1]
