"""Models made by hand, byte for byte as the format says, and scored."""

import struct
from array import array

from golden import Source, sealed

from inlier.model import HEADER_BYTES, VERSION, Model
from inlier.pipeline import Pipeline


def feature(offset=10, high=20, low=5, far=3, s=0, weight=100):
    return struct.pack("<HHHHBBBB", offset, high, low, far, s, weight, 50, 25)


def small(
    horizons=1,
    means=1,
    persistences=1,
    layers=b"",
    rows=(),  # of each layer
    counters=2,
    flags=0,
    scaling=b"\0\2",  # shift 8, cap 2^2
    each=feature(),
    window_ms=1000,
    metadata=b"{}",
):
    kinds = means + persistences
    body = b"".join([struct.pack("<BBi", 1, n + 1, 500 - n) for n in range(horizons)])
    body += bytes(range(means)) + bytes([4] * persistences)
    body += struct.pack("<%dH" % len(rows), *rows)
    body += scaling * counters + each * (counters * kinds) + layers
    text = b"replay\0" + b"".join([b"c%d\0" % c for c in range(counters)]) + metadata
    length = HEADER_BYTES + len(body) + len(text) + 4
    head = struct.pack("<4sBBHIIii", b"INLR", VERSION, flags, counters, length, window_ms, 7, 9)
    head += struct.pack("<BBBBBB", means, persistences, len(rows), horizons, 8, 56)
    head += struct.pack("<HHHII", 8, 0, len(text), 0x04030201, 0)
    return sealed(head + body + text)


def layer(bias, shift, weight=0, rows=1, cols=1):
    """Each row alike."""
    size = rows + 3 & -4
    biases = struct.pack("<i", bias) * size
    return biases + bytes([shift] * size) + bytes([128 + weight] * (size * cols))


def scored(blob, *windows, kernel=None):
    model = Model(blob)
    pipeline = Pipeline(model, Source(model.counters()), kernel)
    for deltas in windows:
        event = pipeline.score(array("i", deltas))
    return pipeline, event
