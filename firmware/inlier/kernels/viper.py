"""Native code from MicroPython's viper emitter: any port that has it, the ESP32's Xtensa first of all.

The same integers as plain.py, which describes the arguments. Parameters are read byte by byte: a model frozen into flash
may start at any address, and a Cortex-M0 faults on an unaligned word.
"""

import micropython


@micropython.viper
def features(
    deltas: ptr32, state: ptr32, shifts: ptr8, scales: ptr8, quantisation: ptr8, counters: int, n_scales: int, x: ptr8
):
    i = 0
    p = 0
    c = 0
    while c < counters:
        level = deltas[c]
        right = int(shifts[c]) - 8
        if right >= 0:
            level >>= right
            if level > 0x3FFFFFF:
                level = 0x3FFFFFF
        else:
            right = 0 - right
            if level > 0x3FFFFFF >> right:
                level = 0x3FFFFFF
            else:
                level <<= right
        t = 0
        while t < n_scales:
            k = int(scales[t])
            s = state[i]
            s += level - (s >> k)
            state[i] = s
            v = (s >> k) + 256
            f = -16
            while v > 8191:
                v >>= 4
                f += 64
            while v > 511:
                v >>= 1
                f += 16
            f += v >> 4
            f -= quantisation[p] | quantisation[p + 1] << 8
            q = (f * (quantisation[p + 2] | quantisation[p + 3] << 8) >> 8) + 128
            if q > 255:
                q = 255
            elif q < 0:
                q = 0
            x[i] = q
            i += 1
            p += 4
            t += 1
        c += 1


@micropython.viper
def dense(w: ptr8, x: ptr8, cols: int, bias: ptr8, shift: ptr8, blocks: int, y: ptr8):
    total = 0
    i = 0
    while i < cols:
        total += x[i]
        i += 1
    total <<= 7
    p = 0
    j = 0
    end = blocks << 2
    while j < end:
        # Four rows share each loaded input.
        a0 = 0 - total
        a1 = a0
        a2 = a0
        a3 = a0
        i = 0
        while i < cols:
            v = x[i]
            a0 += w[p] * v
            a1 += w[p + 1] * v
            a2 += w[p + 2] * v
            a3 += w[p + 3] * v
            p += 4
            i += 1
        b = 4 * j
        r = 0
        while r < 4:
            high = (int(bias[b + 3]) ^ 128) - 128  # sign-extended: viper's int is the machine's word, 64 bits on x64
            a0 += bias[b] | bias[b + 1] << 8 | bias[b + 2] << 16 | high << 24
            a0 >>= int(shift[j])
            if a0 < 0:
                a0 = 0
            elif a0 > 255:
                a0 = 255
            y[j] = a0
            a0 = a1
            a1 = a2
            a2 = a3
            b += 4
            j += 1
            r += 1


@micropython.viper
def distance(x: ptr8, y: ptr8, n: int) -> int:
    acc = 0
    i = 0
    while i < n:
        d = int(x[i]) - int(y[i])
        acc += d * d
        i += 1
    return acc


@micropython.viper
def hinges(x: ptr8, w: ptr8, knots: ptr8, n: int, n_knots: int) -> int:
    acc = 0
    p = 0
    i = 0
    while i < n:
        q = int(x[i]) - 128
        side = p
        if q < 0:
            q = 0 - q
            side += n_knots
        t = 0
        while t < n_knots:
            h = q - int(knots[t])
            if h > 0:
                acc += (int(w[side + t]) - 128) * h
            t += 1
        p += 2 * n_knots
        i += 1
    return acc
