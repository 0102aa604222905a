"""Native code from MicroPython's viper emitter: any port that has it, the
ESP32's Xtensa first of all.

The same integers as plain.py, on the buffer that native.py describes. Two
locals live in registers, the first parameters: each function reuses these names
for its hottest variables. Casts cost nothing. A store at a constant index is at
0: at any other, MicroPython 1.25 for Xtensa stores the wrong register
(py/emitnative.c, emit_native_store_subscr; mended in 1.26).
"""

import micropython
from micropython import const

from .native import prepare  # noqa: F401

_COUNTERS = const(0)
_KINDS = const(1)
_FEATURES = const(2)
_LAYERS = const(3)
_LAYERS_AT = const(4)
_X_AT = const(5)
_NET_AT = const(6)
_Y_AT = const(7)
_LEVEL = const(8)
_FULL = const(9)
_LOGS_AT = const(10)
_KIND = const(16)
_STATE = const(34)


@micropython.viper
def subtract(now: ptr32, last: ptr32, deltas: ptr32, n: int) -> int:
    back = 0
    i = n
    while i:
        i -= 1
        back |= now[i] - last[i]
    if back >= 0:
        while n:
            n -= 1
            i = now[n]
            deltas[n] = i - last[n]
            last[n] = i
    return back >> 31


@micropython.viper
def features(deltas: ptr32, params: ptr8, work: ptr32):
    n_kinds = work[_KINDS]
    counters = work[_COUNTERS]
    table = ptr8(int(params) + (counters << 1))
    x = ptr8(int(work) + work[_X_AT])
    logs = ptr16(int(work) + work[_LOGS_AT])
    level_of = ptr32(int(work) + (_LEVEL << 2))
    full_of = ptr32(int(work) + (_FULL << 2))
    # LEVEL_MAX, in two steps: frozen code for ARMv6-M lies on halfwords, and
    # would load a 32-bit literal from beside it.
    top = 1 << 26
    top -= 1
    i = 0
    c = 0
    while c < counters:
        delta = deltas[c]
        right = int(params[0]) - 8
        if right >= 0:
            level = delta >> right
            if level > top:
                level = top
        else:
            right = 0 - right
            if delta > top >> right:
                level = top
            else:
                level = delta << right
        level_of[0] = level
        right = int(params[1])
        if delta > 1 << right:
            delta = 1 << right
        right -= 12
        if right >= 0:
            delta >>= right
        else:
            right = 0 - right
            delta <<= right
        full_of[0] = delta
        params = ptr8(int(params) + 2)
        kind = ptr32(int(work) + (_KIND << 2))
        t = 0
        while t < n_kinds:
            k = kind[0]
            s = work[_STATE + i]
            level_at = ptr32(int(work) + kind[2])
            s += level_at[0] - (s >> k)
            work[_STATE + i] = s
            k = kind[1]
            v = (s >> k) + 256
            f = -16
            while v > 8191:
                v >>= 4
                f += 64
            while v > 511:
                v >>= 1
                f += 16
            f += v >> 4
            logs[i] = f
            f -= table[0] | table[1] << 8
            k = int(table[8])
            q = (f >> k) + 128
            if q > 255:
                q = 255
            elif q < 0:
                q = 0
            x[i] = q
            i += 1
            table = ptr8(int(table) + 12)
            kind = ptr32(int(kind) + 12)
            t += 1
        c += 1


@micropython.viper
def autoencoder(w: ptr8, x: ptr8) -> int:
    # w, the model's params, walks through the layers; x, the work buffer,
    # becomes the input that four rows share. In the order of these sums, an
    # accumulator is not spilled to wait for its product.
    work = ptr32(x)
    layers = work[_LAYERS]
    inputs = int(x) + work[_X_AT]
    record = ptr32(int(x) + work[_LAYERS_AT])
    w = ptr8(int(w) + work[_NET_AT])
    while layers:
        cols = record[0]
        blocks = record[1]
        record = ptr32(int(record) + 8)
        shift = ptr8(int(w) + (blocks << 4))  # past the biases, which record holds
        w = ptr8(int(shift) + (blocks << 2))
        outputs = ptr8(inputs + (cols + 3 & -4))
        first = int(outputs)
        source = ptr8(inputs)
        total = 0
        n = cols
        while n:
            total += source[0]
            source = ptr8(int(source) + 1)
            n -= 1
        total = (total << 7) + 0x20000000
        while blocks:
            a = record[0] - total
            b = record[1] - total
            c = record[2] - total
            d = record[3] - total
            source = ptr8(inputs)
            n = cols >> 3
            while n:
                x = ptr8(source[0])
                a = w[0] * int(x) + a
                b = w[1] * int(x) + b
                c = w[2] * int(x) + c
                d = w[3] * int(x) + d
                x = ptr8(source[1])
                a = w[4] * int(x) + a
                b = w[5] * int(x) + b
                c = w[6] * int(x) + c
                d = w[7] * int(x) + d
                x = ptr8(source[2])
                a = w[8] * int(x) + a
                b = w[9] * int(x) + b
                c = w[10] * int(x) + c
                d = w[11] * int(x) + d
                x = ptr8(source[3])
                a = w[12] * int(x) + a
                b = w[13] * int(x) + b
                c = w[14] * int(x) + c
                d = w[15] * int(x) + d
                x = ptr8(source[4])
                a = w[16] * int(x) + a
                b = w[17] * int(x) + b
                c = w[18] * int(x) + c
                d = w[19] * int(x) + d
                x = ptr8(source[5])
                a = w[20] * int(x) + a
                b = w[21] * int(x) + b
                c = w[22] * int(x) + c
                d = w[23] * int(x) + d
                x = ptr8(source[6])
                a = w[24] * int(x) + a
                b = w[25] * int(x) + b
                c = w[26] * int(x) + c
                d = w[27] * int(x) + d
                x = ptr8(source[7])
                a = w[28] * int(x) + a
                b = w[29] * int(x) + b
                c = w[30] * int(x) + c
                d = w[31] * int(x) + d
                w = ptr8(int(w) + 32)
                source = ptr8(int(source) + 8)
                n -= 1
            n = cols & 7
            while n:
                x = ptr8(source[0])
                a = w[0] * int(x) + a
                b = w[1] * int(x) + b
                c = w[2] * int(x) + c
                d = w[3] * int(x) + d
                w = ptr8(int(w) + 4)
                source = ptr8(int(source) + 1)
                n -= 1
            a >>= int(shift[0])
            if a & -256:
                a = ~(a >> 31) & 255
            outputs[0] = a
            b >>= int(shift[1])
            if b & -256:
                b = ~(b >> 31) & 255
            outputs = ptr8(int(outputs) + 1)
            outputs[0] = b
            c >>= int(shift[2])
            if c & -256:
                c = ~(c >> 31) & 255
            outputs = ptr8(int(outputs) + 1)
            outputs[0] = c
            d >>= int(shift[3])
            if d & -256:
                d = ~(d >> 31) & 255
            outputs = ptr8(int(outputs) + 1)
            outputs[0] = d
            shift = ptr8(int(shift) + 4)
            outputs = ptr8(int(outputs) + 1)
            record = ptr32(int(record) + 16)
            blocks -= 1
        inputs = first
        layers -= 1
    w = ptr8(int(work) + work[_X_AT])
    x = ptr8(inputs)
    n = work[_FEATURES]
    total = 0
    while n:
        a = int(w[0]) - int(x[0])
        total = a * a + total
        w = ptr8(int(w) + 1)
        x = ptr8(int(x) + 1)
        n -= 1
    return total


@micropython.viper
def evidence(w: ptr8, x: ptr32, sums: ptr32) -> bool:
    # w, the model's params, walks through the features' table.
    y = ptr8(int(x) + x[_Y_AT])
    n = x[_FEATURES]
    w = ptr8(int(w) + (x[_COUNTERS] << 1))
    logs = ptr16(int(x) + x[_LOGS_AT])
    score = 0
    quiet = 0
    while n:
        f = int(logs[0])
        e = f - (w[2] | w[3] << 8)
        if e > 0:
            score += int(w[9]) * e
        e = (w[4] | w[5] << 8) - f
        if e > 0:
            quiet += int(w[10]) * e
        e = int(y[0]) - 128
        if e > 0:
            f -= e << int(w[8])
        f -= w[0] | w[1] << 8
        f -= w[6] | w[7] << 8
        if f > 0:
            score += int(w[11]) * f
        w = ptr8(int(w) + 12)
        logs = ptr16(int(logs) + 2)
        y = ptr8(int(y) + 1)
        n -= 1
    sums[0] = score
    sums = ptr32(int(sums) + 4)
    sums[0] = quiet
    return score > sums[1] or quiet > sums[2]
