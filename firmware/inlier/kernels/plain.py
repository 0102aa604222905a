"""The kernel any Python runs: the definition that the others must equal,
integer by integer.

Bytes are stored with an offset of 128 (no sign extension in the inner loop), so
with w = w' - 128
    sum(w * x') = sum(w' * x') - 128 * sum(x')
and sum(x') is needed once per layer. What the inputs' own offset adds is
constant and folded into the bias.

Every kernel has these five functions:
    subtract(now, last, deltas, n)
                      n counters' deltas = now - last, and last = now, of int32
                      arrays; where one went backwards it only says so
    prepare(model)    (work, x, y, f): buffers of one model; x: the
                      autoencoder's inputs + 128, uint8 (features,); y: their
                      reconstruction, uint8 (features or some more,), x itself
                      without layers; f: log features, indexable (features,)
    features(deltas, params, work)
                      one window, int32 (counters,), into f and x;
                      inlier.features has the formulas
    autoencoder(params, work)
                      the squared reconstruction error of x, below 2^30 for any
                      input (proved at export)
    evidence(params, work, sums)
                      into sums[:2], of int32 (4,): the one-class SVM's score,
                      higher for what is more outlying, and the quiet score;
                      returns whether one is over its limit, in sums[2:]
with params = model.params. Both sums are linear in excesses, in sixteenths of
an octave, with weights from 0 to 127: of a log feature beyond the highest and
below the lowest benign one, and of its distance from its reconstruction beyond
the farthest benign one. A reconstruction below the benign centre counts as the
centre: a feature that is lower than usual is no sign of an infection, whatever
the others do.
"""

from array import array

from ..features import FULL_BITS, LEVEL_MAX, start_state


class Work:
    def __init__(self, model, inputs):
        self.kinds = model.kinds
        self.scales = model.means
        self.counters = model.features // len(model.kinds)
        self.table = model.table()
        self.state = array("i", start_state(model))
        self.f = array("i", self.state)
        self.x = bytearray(model.features)
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
    return work, work.x, work.y, work.f


def subtract(now, last, deltas, n):
    for i in range(n):
        if now[i] < last[i]:
            return True
    for i in range(n):
        deltas[i] = now[i] - last[i]
        last[i] = now[i]
    return False


def features(deltas, params, work):
    state = work.state
    table = work.table
    i = 0
    p = 0
    for c in range(work.counters):
        delta = deltas[c]
        right = params[2 * c] - 8
        if right >= 0:
            level = delta >> right
        elif delta > LEVEL_MAX >> -right:
            level = LEVEL_MAX
        else:
            level = delta << -right
        if level > LEVEL_MAX:
            level = LEVEL_MAX
        right = params[2 * c + 1]  # the cap
        if delta > 1 << right:
            delta = 1 << right
        right -= FULL_BITS
        full = delta >> right if right >= 0 else delta << -right
        t = 0
        for k, r in work.kinds:
            s = state[i]
            s += (level if t < work.scales else full) - (s >> k)
            state[i] = s
            v = (s >> r) + 256
            f = -16
            while v >> 9:
                v >>= 1
                f += 16
            f += v >> 4
            work.f[i] = f
            q = f - (table[p] | table[p + 1] << 8) >> table[p + 8]
            if q > 127:
                q = 127
            elif q < -128:
                q = -128
            work.x[i] = q + 128
            i += 1
            p += 12
            t += 1


def evidence(params, work, sums):
    table = work.table
    score = quiet = p = 0
    for i in range(len(work.x)):
        f = work.f[i]
        e = f - (table[p + 2] | table[p + 3] << 8)
        if e > 0:
            score += table[p + 9] * e
        e = (table[p + 4] | table[p + 5] << 8) - f
        if e > 0:
            quiet += table[p + 10] * e
        e = f - (table[p] | table[p + 1] << 8) - (table[p + 6] | table[p + 7] << 8)
        if work.y[i] > 128:
            e -= work.y[i] - 128 << table[p + 8]
        if e > 0:
            score += table[p + 11] * e
        p += 12
    sums[0] = score
    sums[1] = quiet
    return score > sums[2] or quiet > sums[3]


def autoencoder(params, work):
    for layer in work.layers:
        dense(layer[0], layer[1], layer[2], layer[3], layer[4], layer[5], layer[6])
    return distance(work)


def dense(w, cols, bias, shift, blocks, x, y):
    """y = clamp((sum(w' * x) - 128 * sum(x) + bias) >> shift, 0, 255), for 4 *
    blocks rows.

    w: uint8 (blocks, cols, 4), four rows interleaved.
    x: uint8 (cols,).
    bias: little-endian int32 (4 * blocks,).
    shift: uint8 (4 * blocks,).
    y: uint8 (4 * blocks,), written.
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
    high = (bias[j + 3] ^ 128) - 128  # its sign goes on
    return high << 24 | bias[j + 2] << 16 | bias[j + 1] << 8 | bias[j]


def distance(work):
    x = work.x
    y = work.y
    acc = 0
    for i in range(len(x)):
        d = x[i] - y[i]
        acc += d * d
    return acc
