"""The work buffer of the kernels in native code: one block of memory, so that
two pointers say everything.

Words (int32): a header, each feature's state, the log features as halfwords,
then per layer cols, blocks and 4 * blocks biases + 2^29, which makes
them positive and aligned (the model file may start at any address, and a
Cortex-M0 faults on an unaligned word). Bytes: x, then each layer's output, each
begun at a multiple of four.
"""

import struct

from ..features import start_state

# The header, in words, which thumb.py and viper.py repeat for the compiler's
# constants: 0 counters, kinds, features, layers, 4 where their records are, x,
# the network in params, y, 8 level, 9 full, 10 the log features, 11 five words
# of scratch, 16 three words a kind: k, r and where its level lies. Names cost
# RAM: only what others use has one.
X_AT = 5
LOGS_AT = 10
STATE = 34


class _Logs:
    """The log features in the buffer, none negative: what explains an alarm
    reads them, without taking heap.
    """

    def __init__(self, work, at):
        self._work = work
        self._at = at

    def __getitem__(self, i):
        at = self._at + 2 * i
        return self._work[at] | self._work[at + 1] << 8


def prepare(model):
    """(work, x, y, f), as plain.py has it."""
    n = model.features
    n_kinds = len(model.kinds)
    logs_at = 4 * (STATE + n)
    words = STATE + n + (n + 1 >> 1)
    size = n + 3 & -4
    for _, _, _, _, blocks in model.layers():
        words += 2 + 4 * blocks
        size += 4 * blocks
    work = bytearray(4 * words + size)
    x_at = 4 * words
    y_at = len(work) - 4 * blocks if model.rows else x_at
    header = (n // n_kinds, n_kinds, n, len(model.rows), logs_at + (n + 1 & -2) * 2, x_at)
    header += (2 * (n // n_kinds) + 12 * n, y_at, 0, 0, logs_at)
    struct.pack_into("<11i", work, 0, *header)
    at = 4 * 16
    for t, (k, r) in enumerate(model.kinds):
        struct.pack_into("<3i", work, at, k, r, 4 * 8 if t < model.means else 4 * 9)
        at += 12
    at = 4 * STATE
    for s in start_state(model):
        struct.pack_into("<i", work, at, s)
        at += 4
    at = logs_at + (n + 1 & -2) * 2
    for _, cols, bias, _, blocks in model.layers():
        struct.pack_into("<ii", work, at, cols, blocks)
        at += 8
        for j in range(4 * blocks):
            struct.pack_into("<i", work, at, struct.unpack_from("<i", bias, 4 * j)[0] + (1 << 29))
            at += 4
    view = memoryview(work)
    return work, view[x_at : x_at + n], view[y_at:], _Logs(work, logs_at)
