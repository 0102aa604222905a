"""The matrix products by array library: ulab on MicroPython, NumPy on CPython. The rest is plain.py's.

ulab's dot returns floats, exact while a sum stays below 2^24: up to 258 inputs of 255 * 255. These arrays are
allocated at each call, unlike those of the other kernels.
"""

try:
    from ulab import numpy as np  # MicroPython
except ImportError:
    import numpy as np  # CPython

from .plain import distance, features, hinges  # noqa: F401


def dense(w, x, cols, bias, shift, blocks, y):
    v = np.frombuffer(x, dtype=np.uint8)[:cols]
    total = int(np.sum(v)) << 7
    v = np.array(v, dtype=np.float).reshape((1, cols)) if hasattr(np, "float") else v.astype("f8").reshape((1, cols))
    j = 0
    for block in range(blocks):
        rows = np.frombuffer(w, dtype=np.uint8, count=4 * cols, offset=4 * cols * block).reshape((cols, 4))
        sums = np.dot(v, rows)[0]
        for r in range(4):
            b = 4 * j
            high = bias[b + 3]
            acc = int(sums[r]) + (bias[b] | bias[b + 1] << 8 | bias[b + 2] << 16)
            acc = acc + ((high - 256 if high > 127 else high) << 24) - total >> shift[j]
            y[j] = 0 if acc < 0 else 255 if acc > 255 else acc
            j += 1
