"""The work buffer of the kernels in native code: one block of memory, so that
two pointers say everything.

Words (int32): a header, then each feature's state, then per layer cols, blocks
and 4 * blocks biases + BIAS_OFFSET, which makes them positive and aligned (the
model file may start at any address, and a Cortex-M0 faults on an unaligned
word).
Bytes: x, then each layer's output, each begun at a multiple of four.
"""

import struct

from ..features import start_state
from ..model import KNOTS_MAX

# Places in the header, in words; thumb.py and viper.py repeat those they use,
# for the compiler's constants.
COUNTERS, SCALES, FEATURES, LAYERS, KNOTS, LAYERS_AT, X_AT, NET_AT, SVM_AT = range(9)
SCRATCH = 9  # seven words
SCALE = 16  # four words
KNOT = 20  # four words
STATE = 24
BIAS_OFFSET = 1 << 29


def prepare(model):
    """(work, x, y), as plain.py has it."""
    n = model.features
    words = STATE + n
    size = n + 3 & -4
    for _, _, _, _, blocks in model.layers():
        words += 2 + 4 * blocks
        size += 4 * blocks
    work = bytearray(4 * words + size)
    n_scales = len(model.scales)
    n_knots = len(model.knots)
    n_counters = n // n_scales
    header = (n_counters, n_scales, n, len(model.rows), n_knots, 4 * (STATE + n), 4 * words)
    header += (n_counters + 4 * n, len(model.params) - 2 * n * n_knots)
    struct.pack_into("<9i", work, 0, *header)
    for i in range(n_scales):
        work[4 * (SCALE + i)] = model.scales[i]
    for i in range(KNOTS_MAX):  # no |q| is beyond 255
        work[4 * (KNOT + i)] = model.knots[i] if i < n_knots else 255
    at = 4 * STATE
    for s in start_state(model):
        struct.pack_into("<i", work, at, s)
        at += 4
    for _, cols, bias, _, blocks in model.layers():
        struct.pack_into("<ii", work, at, cols, blocks)
        at += 8
        for j in range(4 * blocks):
            struct.pack_into("<i", work, at, struct.unpack_from("<i", bias, 4 * j)[0] + BIAS_OFFSET)
            at += 4
    view = memoryview(work)
    return work, view[at : at + n], view[len(work) - 4 * blocks :]
