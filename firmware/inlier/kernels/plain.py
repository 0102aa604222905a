"""The kernel any Python runs: the definition that the others must equal,
integer by integer.

Bytes are stored with an offset of 128 (no sign extension in the inner loop), so
with w = w' - 128
    sum(w * x') = sum(w' * x') - 128 * sum(x')
and sum(x') is needed once per layer. What the inputs' own offset adds is
constant and folded into the bias.

Every kernel has these four functions:
    prepare(model)                  (work, x, y): buffers of one model; x: quantised features +
                                    128, uint8 (features,);
                                    y: their reconstruction, uint8 (features or some more,)
    features(deltas, params, work)  one window, int32 (counters,), into x; inlier.features has
                                    the formulas
    autoencoder(params, work)       the squared reconstruction error of x, below 2^30 for any
                                    input (proved at export)
    svm(params, work)               minus the linear one-class SVM's decision on the hinges of x,
                                    without its constant
with params = model.params. Scores are higher for what is more outlying.
"""

from array import array

from ..features import start_state


class Work:
    def __init__(self, model, inputs):
        self.model = model
        self.shifts = model.shifts()
        self.quantisation = model.quantisation()
        self.state = array("i", start_state(model))
        self.x = bytearray(model.features)
        self.svm_weights = model.svm_weights()
        # Buffers that a layer's inputs come from, made once: (weights, cols,
        # bias, shift, blocks, inputs, outputs)
        self.layers = []
        source = self.x
        for layer in model.layers():
            y = bytearray(4 * layer[4])
            self.layers.append(layer + (inputs(source), y))
            source = y
        self.y = source


def prepare(model):
    work = Work(model, lambda buffer: buffer)
    return work, work.x, work.y


def features(deltas, params, work):
    state = work.state
    shifts = work.shifts
    scales = work.model.scales
    quantisation = work.quantisation
    x = work.x
    i = 0
    p = 0
    for c in range(len(shifts)):
        level = deltas[c]
        right = shifts[c] - 8
        if right >= 0:
            level >>= right
        elif level > 0x3FFFFFF >> -right:
            level = 0x3FFFFFF
        else:
            level <<= -right
        if level > 0x3FFFFFF:
            level = 0x3FFFFFF
        for t in range(len(scales)):
            k = scales[t]
            s = state[i]
            s += level - (s >> k)
            state[i] = s
            v = (s >> k) + 256
            f = -16
            while v > 511:
                v >>= 1
                f += 16
            f += v >> 4
            q = (f - (quantisation[p] | quantisation[p + 1] << 8)) * (
                quantisation[p + 2] | quantisation[p + 3] << 8
            ) >> 8
            if q > 127:
                q = 127
            elif q < -128:
                q = -128
            x[i] = q + 128
            i += 1
            p += 4


def autoencoder(params, work):
    for layer in work.layers:
        dense(layer[0], layer[1], layer[2], layer[3], layer[4], layer[5], layer[6])
    return distance(work)


def dense(w, cols, bias, shift, blocks, x, y):
    """y = clamp((sum(w' * x) - 128 * sum(x) + bias) >> shift, 0, 255), for 4 *
    blocks rows.

    w: uint8 (blocks, cols, 4), four rows interleaved; x: uint8 (cols,); bias:
    little-endian int32 (4 * blocks,);
    shift: uint8 (4 * blocks,); y: uint8 (4 * blocks,), written.
    """
    total = 0
    for i in range(cols):
        total += x[i]
    total <<= 7
    base = 0
    for j in range(4 * blocks):
        acc = bias_at(bias, j) - total
        p = base + (j & 3)
        for i in range(cols):
            acc += w[p] * x[i]
            p += 4
        acc >>= shift[j]
        y[j] = 0 if acc < 0 else 255 if acc > 255 else acc
        if j & 3 == 3:
            base += 4 * cols


def bias_at(bias, j):
    j *= 4
    high = bias[j + 3]
    return (bias[j] | bias[j + 1] << 8 | bias[j + 2] << 16) + (
        (high - 256 if high > 127 else high) << 24
    )


def distance(work):
    x = work.x
    y = work.y
    acc = 0
    for i in range(len(x)):
        d = x[i] - y[i]
        acc += d * d
    return acc


def svm(params, work):
    """Sum of w * max(0, |q| - t) over the features and the knots t, with
    weights of the side that q lies on.

    Weights: uint8 (features, 2, knots), + 128: knots above zero, then below.
    """
    x = work.x
    w = work.svm_weights
    knots = work.model.knots
    n_knots = len(knots)
    acc = 0
    p = 0
    for i in range(len(x)):
        q = x[i] - 128
        side = p
        if q < 0:
            q = -q
            side += n_knots
        for t in range(n_knots):
            h = q - knots[t]
            if h > 0:
                acc += (w[side + t] - 128) * h
        p += 2 * n_knots
    return acc
