"""Mutated model files against the loader: each is refused by a ModelError, or
loads and scores within bounds. Between them mutated replay files: each is
refused by a ValueError, or gives windows within bounds.

mutate.py MODEL SEED COUNT, under CPython and MicroPython;
inlier_boards/selfcheck also runs it on emulated boards.
"""

import gc
import json
import random
import sys
from array import array

from inlier.counters import DELTA_MAX, Windows
from inlier.kernels import chosen, plain
from inlier.model import HEADER_BYTES, Model, ModelError, crc32
from inlier.pipeline import Pipeline
from inlier.replay import Replay

_EDGES = (
    0,
    1,
    2,
    3,
    4,
    29,
    30,
    31,
    127,
    128,
    255,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x3FFFFFFF,
    0x40000000,
    0x7FFFFFFF,
    0xFFFFFFFF,
)
_SCORE_MAX = 1 << 30
_CLOSELY_EVERY = 4
_REPLAY_EVERY = 4
_REPLAY = b"bytes,packets\n1,2\n0,0\n1073741823,7\n12,3456\n99,-8\n"


def below(n):
    return random.getrandbits(24) % n


def mutated(blob):
    """A copy with one to four faults. Mostly the length and the checksum are
    mended, as an attacker would.
    """
    b = bytearray(blob)
    for _ in range(1 + below(4)):
        kind = below(8)
        # Half of the faults in the header and what follows it at once: there
        # the sizes are.
        at = below(len(b) if below(2) else min(len(b), HEADER_BYTES + 40)) if b else 0
        if kind < 2 and b:
            b[at] ^= 1 << below(8)
        elif kind == 2 and b:
            b[at] = _EDGES[below(len(_EDGES))] & 255
        elif kind == 3 and len(b) > 8:
            at = min(at, len(b) - 4)
            b[at : at + 4] = _EDGES[below(len(_EDGES))].to_bytes(4, "little")
        elif kind == 4 and len(b) > 8:
            at = min(at, len(b) - 2)
            b[at : at + 2] = (_EDGES[below(len(_EDGES))] & 0xFFFF).to_bytes(2, "little")
        elif kind == 5:
            b = b[: below(len(b) + 1)]
        elif kind == 6:
            b = b[:at] + bytes(below(256) for _ in range(below(12))) + b[at:]
        elif kind == 7:
            b = b[:at] + b[at + below(12) :]
    if below(8) and len(b) > HEADER_BYTES + 4:
        if below(8):
            b[8:12] = len(b).to_bytes(4, "little")
        b[-4:] = (crc32(b[:-4]) & 0xFFFFFFFF).to_bytes(4, "little")
    return b


def scored(model, kernel):
    """Scores of three windows: silence, one event each, and the most that a
    window can hold.
    """
    pipeline = Pipeline(model, Replay((), model.counters()), kernel)
    found = []
    for level in (0, 1, DELTA_MAX):
        pipeline.score(array("i", [level] * len(model.counters())))
        if not (0 <= pipeline.ae < _SCORE_MAX and -_SCORE_MAX < pipeline.svm < _SCORE_MAX):
            raise AssertionError("scores %d, %d" % (pipeline.ae, pipeline.svm))
        found.append((pipeline.ae, pipeline.svm))
    pipeline.explain()
    return found


def in_use():
    return gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0


def attempt(content, closely, most):
    """True if it loaded; any exception but ModelError is a fault of the
    loader's.

    closely: hold the kernel's scores against the plain one's, and keep in
    most[0] the most heap that a load took.
    """
    before = in_use() if closely else 0
    try:
        model = Model(content)
    except ModelError:
        return False
    finally:
        if closely:
            most[0] = max(most[0], in_use() - before)
    found = scored(model, chosen)
    if closely and found != scored(model, plain):
        raise AssertionError("kernels differ")
    model.metadata()
    return True


def replay(content):
    """Raises AssertionError for a window out of bounds, and whatever else
    leaves the parser but a ValueError.
    """
    try:
        rows = bytes(content).split(b"\n")
        source = Replay(str(row, "utf-8") for row in rows if row)
        windows = Windows(source)
        while source.advance():
            deltas = windows.take()
            if min(deltas) < 0 or max(deltas) > DELTA_MAX:
                raise AssertionError("deltas %s" % list(deltas))
    except ValueError:  # and UnicodeError, which is one
        pass


def run(blob, seed, count):
    """Prints what was found, as JSON."""
    random.seed(seed)
    loaded = replays = 0
    most = [0]
    crashes = []
    for i in range(count):
        try:
            loaded += attempt(mutated(blob), i % _CLOSELY_EVERY == 0, most)
            if i % _REPLAY_EVERY == 0:
                replays += 1
                replay(mutated(_REPLAY))
        except (
            Exception
        ) as error:  # MemoryError too: a blob may not take more than its own size allows
            crashes.append("%d: %r" % (i, error))
            if len(crashes) > 9:
                break
    print(
        json.dumps(
            {
                "mutations": i + 1,
                "kernel": chosen.__name__.split(".")[-1],
                "loaded": loaded,
                "crashes": crashes,
                "most_bytes": most[0],
                "replays": replays,
            }
        )
    )


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as f:
        content = f.read()
    run(content, int(sys.argv[2]), int(sys.argv[3]))
