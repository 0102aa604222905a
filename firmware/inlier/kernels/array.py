"""The matrix products by array library: ulab on MicroPython, NumPy on CPython.
The rest is plain.py's.

One product a layer: many small ones cost more than they save. For it the
weights are copied once, row by row. Unlike the other kernels' buffers, what a
product gives is allocated at each call.
"""

from array import array

try:
    from ulab import numpy as np  # MicroPython

    SCALE = None
except ImportError:
    import numpy as np  # CPython

    SCALE = 1.0  # doubles once, where memory is no matter

from . import plain
from .plain import Work, bias_at, distance, evidence, features, subtract  # noqa: F401


def most_inputs():
    """A product's sums are floats: of how many inputs they are exact, 255 * 255
    each. 258 in 32 bits, fewer where the interpreter keeps two of these for
    itself.
    """
    sums = 1 << 20
    while sums < 1 << 28 and int(float(sums + 1)) == sums + 1:
        sums <<= 1
    return sums // (255 * 255)


def prepare(model):
    work = Work(model, lambda buffer: buffer)
    most = most_inputs()
    layers = []
    for w, cols, bias, shift, blocks, x, y in work.layers:
        rows = None
        if cols <= most:
            x = np.frombuffer(x, dtype=np.uint8)[:cols]
            rows = by_row(w, cols, blocks)
            bias = array("i", [bias_at(bias, j) for j in range(4 * blocks)])
        layers.append((rows, w, cols, bias, shift, blocks, x, y))
    work.layers = layers
    return work, work.x, work.y, work.f


def by_row(w, cols, blocks):
    """w: uint8 (blocks, cols, 4); gives an ndarray (4 * blocks, cols)."""
    flat = bytearray(len(w))
    p = 0
    for start in range(0, len(w), 4 * cols):
        for i in range(start, start + cols):
            for at in range(i, i + 4 * cols, cols):
                flat[at] = w[p]
                p += 1
    rows = np.frombuffer(flat, dtype=np.uint8).reshape((4 * blocks, cols))
    return rows if SCALE is None else rows * SCALE


def autoencoder(params, work):
    for rows, w, cols, bias, shift, blocks, x, y in work.layers:
        if rows is None:
            plain.dense(w, cols, bias, shift, blocks, x, y)
        else:
            dense(rows, bias, shift, x, y)
    return distance(work)


def dense(rows, bias, shift, x, y):
    total = int(np.sum(x)) << 7
    j = 0
    for s in np.dot(rows, x):
        acc = int(s) + bias[j] - total >> shift[j]
        y[j] = 0 if acc < 0 else 255 if acc > 255 else acc
        j += 1
