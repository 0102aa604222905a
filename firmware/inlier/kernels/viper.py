"""Native code from MicroPython's viper emitter: any port that has it, the ESP32's Xtensa first of all.

The same integers as plain.py, on the buffer that native.py describes. The first three locals live in registers: each
function's parameters come first, and are its hottest variables.
"""

import micropython
from micropython import const

from .native import prepare  # noqa: F401

_COUNTERS = const(0)
_SCALES = const(1)
_FEATURES = const(2)
_LAYERS = const(3)
_KNOTS = const(4)
_LAYERS_AT = const(5)
_X_AT = const(6)
_NET_AT = const(7)
_SVM_AT = const(8)
_SCALE = const(16)
_STATE = const(24)


@micropython.viper
def features(deltas: ptr32, params: ptr8, work: ptr32):
    shifts = params
    quantisation = ptr8(int(params) + work[_COUNTERS])
    n_scales = work[_SCALES]
    x = ptr8(int(work) + work[_X_AT])
    counters = work[_COUNTERS]
    i = 0
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
            k = work[_SCALE + t]
            s = work[_STATE + i]
            s += level - (s >> k)
            work[_STATE + i] = s
            v = (s >> k) + 256
            f = -16
            while v > 8191:
                v >>= 4
                f += 64
            while v > 511:
                v >>= 1
                f += 16
            f += v >> 4
            f -= quantisation[0] | quantisation[1] << 8
            q = (f * (quantisation[2] | quantisation[3] << 8) >> 8) + 128
            if q > 255:
                q = 255
            elif q < 0:
                q = 0
            x[i] = q
            i += 1
            quantisation = ptr8(int(quantisation) + 4)
            t += 1
        c += 1


@micropython.viper
def autoencoder(w: ptr8, x: ptr8) -> int:
    # Parameters: the model's params and the work buffer. From here on w walks through the layers' parameters.
    acc = 0
    work = ptr32(x)
    n = work[_FEATURES]
    layers = work[_LAYERS]
    inputs = int(x) + work[_X_AT]
    record = ptr32(int(x) + work[_LAYERS_AT])
    w = ptr8(int(w) + work[_NET_AT])
    while layers:
        cols = record[0]
        rows = record[1] << 2
        record = ptr32(int(record) + 8)
        w = ptr8(int(w) + (rows << 2))  # past the biases, which record holds
        shift = w
        w = ptr8(int(w) + rows)
        outputs = ptr8(inputs + (cols + 3 & -4))
        end = inputs + cols
        end8 = inputs + (cols & -8)
        x = ptr8(inputs)
        total = 0x20000000
        while int(x) < end:
            total += x[0] << 7
            x = ptr8(int(x) + 1)
        j = 0
        while j < rows:
            # One row of four that are interleaved.
            acc = record[j] - total
            x = ptr8(inputs)
            while int(x) < end8:
                acc += w[0] * x[0]
                acc += w[4] * x[1]
                acc += w[8] * x[2]
                acc += w[12] * x[3]
                acc += w[16] * x[4]
                acc += w[20] * x[5]
                acc += w[24] * x[6]
                acc += w[28] * x[7]
                x = ptr8(int(x) + 8)
                w = ptr8(int(w) + 32)
            while int(x) < end:
                acc += w[0] * x[0]
                x = ptr8(int(x) + 1)
                w = ptr8(int(w) + 4)
            acc >>= int(shift[j])
            if acc < 0:
                acc = 0
            elif acc > 255:
                acc = 255
            outputs[j] = acc
            j += 1
            if j & 3:
                w = ptr8(int(w) - (cols << 2) + 1)
            else:
                w = ptr8(int(w) - 3)
        record = ptr32(int(record) + (rows << 2))
        inputs = int(outputs)
        layers -= 1
    w = ptr8(int(work) + work[_X_AT])
    x = ptr8(inputs)
    end = int(x) + n
    total = 0
    while int(x) < end:
        acc = int(w[0]) - int(x[0])
        total += acc * acc
        w = ptr8(int(w) + 1)
        x = ptr8(int(x) + 1)
    return total


@micropython.viper
def svm(w: ptr8, x: ptr8) -> int:
    # Parameters: the model's params and the work buffer.
    q = 0
    work = ptr32(x)
    knots = ptr32(int(x) + 80)  # 4 * KNOT
    n_knots = work[_KNOTS]
    n = work[_FEATURES]
    first = knots[0]
    acc = 0
    w = ptr8(int(w) + work[_SVM_AT])
    x = ptr8(int(x) + work[_X_AT])
    while n:
        q = int(x[0]) - 128
        side = 0
        if q < 0:
            q = 0 - q
            side = n_knots
        if q > first:
            t = 0
            while t < n_knots:
                h = q - knots[t]
                if h > 0:
                    acc += (int(w[side + t]) - 128) * h
                t += 1
        w = ptr8(int(w) + (n_knots << 1))
        x = ptr8(int(x) + 1)
        n -= 1
    return acc
