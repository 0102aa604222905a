"""Golden vectors: windows and the exact integers that every implementation must
give for them.
"""

import json
import zlib

import numpy as np

from inlier.counters import DELTA_MAX

from . import reference
from .reference import Counts, Detector, Ints

ORDINARY = 64


def extremes(counters: int) -> Ints:
    """Windows (n, counters) at the edges: silence, one event, every third
    power of two, saturation, one counter alone.
    """
    rows = [np.zeros(counters), np.ones(counters)]
    rows += [np.full(counters, 1 << 3 * i + 1) for i in range(11)]
    rows += [np.full(counters, DELTA_MAX), np.zeros(counters)]
    rows += list(np.eye(counters) * 1000)
    return np.asarray(rows, np.int64)


def windows(benign: Counts) -> Ints:
    """Ordinary windows, extremes, ordinary ones again: (n, counters), clamped
    as the runtime clamps deltas.
    """
    deltas = np.concatenate([benign[:ORDINARY], extremes(benign.shape[1]), benign[:ORDINARY]])
    return np.minimum(deltas, DELTA_MAX)


def vectors(detector: Detector, benign: Counts) -> dict[str, object]:
    """windows: deltas, clamped as a window is; x and f: of the autoencoder's
    inputs + 128, uint8, and of the log features, little-endian int16, the low
    30 bits of the CRC-32, for a small board's heap; ae, svm, quiet, event,
    gone: ints, one a window.
    """
    deltas = windows(benign)
    t = reference.run(detector, deltas)
    return {
        "windows": deltas.tolist(),
        "x": [zlib.crc32(row.tobytes()) & DELTA_MAX for row in t.x],
        "f": [zlib.crc32(row.astype("<i2").tobytes()) & DELTA_MAX for row in t.f],
        **{name: getattr(t, name).tolist() for name in ("ae", "svm", "quiet", "event", "gone")},
    }


def dump(detector: Detector, benign: Counts) -> bytes:
    return json.dumps(vectors(detector, benign), separators=(",", ":")).encode()
