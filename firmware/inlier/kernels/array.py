"""The matrix products by array library: ulab on MicroPython, NumPy on CPython.
The rest is plain.py's.

ulab's dot returns floats, exact while a sum stays below 2^24: up to 258 inputs
of 255 * 255. These arrays are allocated at each call, unlike those of the other
kernels.
"""

try:
    from ulab import numpy as np  # MicroPython
except ImportError:
    import numpy as np  # CPython

from .plain import Work, bias_at, distance, features, svm  # noqa: F401


def prepare(model):
    work = Work(model, lambda buffer: np.frombuffer(buffer, dtype=np.uint8))
    return work, work.x, work.y


def autoencoder(params, work):
    for layer in work.layers:
        dense(layer[0], layer[1], layer[2], layer[3], layer[4], layer[5], layer[6])
    return distance(work)


def dense(w, cols, bias, shift, blocks, x, y):
    v = x[:cols]
    total = int(np.sum(v)) << 7
    v = (
        np.array(v, dtype=np.float).reshape((1, cols))
        if hasattr(np, "float")
        else v.astype("f8").reshape((1, cols))
    )
    j = 0
    for block in range(blocks):
        rows = np.frombuffer(w, dtype=np.uint8, count=4 * cols, offset=4 * cols * block).reshape(
            (cols, 4)
        )
        sums = np.dot(v, rows)[0]
        for r in range(4):
            acc = int(sums[r]) + bias_at(bias, j) - total >> shift[j]
            y[j] = 0 if acc < 0 else 255 if acc > 255 else acc
            j += 1
