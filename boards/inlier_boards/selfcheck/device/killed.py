"""What the host kills at random moments, and starts again: killed.py
update|state|recording FOLDER MODEL.

Says what it has finished, one line each; whatever it said must be there at the
next start.
"""

import asyncio
import sys
from array import array

from inlier import recorder
from inlier.model import FLAG_HMAC, IDENTITY_AT, Model, ModelError, crc32
from inlier.pipeline import Pipeline
from inlier.secure.authentic import Authentic, hmac_sha256
from inlier.secure.record import read_file
from inlier.secure.slots import Slots
from inlier.secure.state import Keeper

KEY = bytes(range(32))
COUNTERS = ("bytes", "packets", "connects")
STEP = 123456789  # of each counter a window: a torn number shows


class Counting:
    name = "replay"
    bits = 62
    counters = COUNTERS

    def __init__(self):
        self._total = 0

    def read(self, values):
        self._total += STEP
        for i in range(len(values)):
            values[i] = self._total


def say(what):
    sys.stdout.write("%d\n" % what)
    if hasattr(sys.stdout, "flush"):
        sys.stdout.flush()


def signed(blob, n):
    body = bytearray(blob[:-4])
    body[5] |= FLAG_HMAC
    body[IDENTITY_AT : IDENTITY_AT + 4] = n.to_bytes(4, "little")
    content = bytes(body) + (crc32(body) & 0xFFFFFFFF).to_bytes(4, "little")
    return content + hmac_sha256(KEY, content)


def slots():
    return Slots(Authentic(KEY), KEY)


def running(folder):
    """The number of the model that would run, 0 if there is none."""
    try:
        return slots()._current(folder, None, None)[2]
    except ModelError:
        return 0


def update(folder, blob):
    n = running(folder)
    say(n)
    while True:
        n += 1
        slots().update(folder, signed(blob, n))
        say(n)


def kept_index(folder, blob):
    """The index of the state that would be taken up, 0 if there is none."""
    model = Model(blob)
    pipeline = Pipeline(model, Counting())
    return pipeline.index if Keeper(folder + "/state", KEY).restore(pipeline) else 0


def state(folder, blob):
    n = kept_index(folder, blob)
    say(n)
    model = Model(blob)
    pipeline = Pipeline(model, Counting())
    keeper = Keeper(folder + "/state", KEY)
    deltas = array("i", [1000] * len(model.counters()))
    while True:
        n += 1
        pipeline.score(deltas)
        pipeline.index = n
        keeper.save(pipeline)
        say(n)


def rows(folder):
    """Whole rows of the recording; raises AssertionError for one that is not
    what was counted.
    """
    lines = read_file(folder + "/windows.csv").split(b"\n")[:-1]
    for i in range(1, len(lines)):
        numbers = [int(word) for word in lines[i].split(b",")]
        if numbers != [numbers[0]] * len(
            COUNTERS
        ):  # less than STEP where ticks were missed, but all alike
            raise AssertionError("row %d: %s" % (i, lines[i]))
    return max(0, len(lines) - 1)


def recording(folder, blob):
    n = [rows(folder)]
    say(n[0])

    def on_window(deltas):
        n[0] += 1
        say(n[0])

    asyncio.run(recorder.record(folder + "/windows.csv", Counting(), 1, -1, on_window))


KINDS = {"update": (update, lambda folder, blob: running(folder)), "state": (state, kept_index)}
KINDS["recording"] = (recording, lambda folder, blob: rows(folder))

if __name__ == "__main__":
    KINDS[sys.argv[1]][0](sys.argv[2], read_file(sys.argv[3]))
