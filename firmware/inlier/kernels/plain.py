"""The kernel any Python runs: the definition that the others must equal, integer by integer.

Bytes are stored with an offset of 128 (no sign extension in the inner loop), so with w = w' - 128
    sum(w * x') = sum(w' * x') - 128 * sum(x')
and sum(x') is needed once per layer. What the inputs' own offset adds is constant and folded into the bias.
"""


def features(deltas, state, shifts, scales, quantisation, counters, n_scales, x):
    """One window into `state` (int32, counter-major) and `x` (uint8, q + 128); see inlier.features for the formulas.

    deltas: int32 (counters,); shifts: uint8 (counters,), 8 - shift; scales: uint8 (n_scales,);
    quantisation: bytes (counters * n_scales, 4), offset and multiplier as little-endian uint16.
    """
    i = 0
    p = 0
    for c in range(counters):
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
        for t in range(n_scales):
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
            q = (f - (quantisation[p] | quantisation[p + 1] << 8)) * (quantisation[p + 2] | quantisation[p + 3] << 8) >> 8
            if q > 127:
                q = 127
            elif q < -128:
                q = -128
            x[i] = q + 128
            i += 1
            p += 4


def dense(w, x, cols, bias, shift, blocks, y):
    """y = clamp((sum(w' * x) - 128 * sum(x) + bias) >> shift, 0, 255), for 4 * blocks rows.

    w: uint8 (blocks, cols, 4), four rows interleaved; x: uint8 (cols,); bias: little-endian int32 (4 * blocks,);
    shift: uint8 (4 * blocks,); y: uint8 (4 * blocks,), written.
    """
    total = 0
    for i in range(cols):
        total += x[i]
    total <<= 7
    base = 0
    for j in range(4 * blocks):
        b = 4 * j
        high = bias[b + 3]
        acc = (bias[b] | bias[b + 1] << 8 | bias[b + 2] << 16) + ((high - 256 if high > 127 else high) << 24) - total
        p = base + (j & 3)
        for i in range(cols):
            acc += w[p] * x[i]
            p += 4
        acc >>= shift[j]
        y[j] = 0 if acc < 0 else 255 if acc > 255 else acc
        if j & 3 == 3:
            base += 4 * cols


def distance(x, y, n):
    """Squared Euclidean distance of the first n bytes of x and y."""
    acc = 0
    for i in range(n):
        d = x[i] - y[i]
        acc += d * d
    return acc


def hinges(x, w, knots, n, n_knots):
    """Sum of w * max(0, |q| - t) over n features and the knots t, with weights of the side that q lies on.

    x: uint8 (n,), q + 128; w: uint8 (n, 2, n_knots), the weights + 128: knots above zero, then below; knots: uint8.
    """
    acc = 0
    p = 0
    for i in range(n):
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
