"""On MicroPython with firmware/lwip: the ordinary monitor scores what passes
lwIP's interface. Its clock is played with the frames, in play.c's format.

    scores.py MODEL PLAYED
"""

import asyncio
import struct
import sys
from array import array

import _inlier_packets
import lwip_feed
import micropython

from inlier import monitor, packets

played = open(sys.argv[2], "rb")


def window():
    """Play up to the end of a window; says whether there was one."""
    while True:
        kind = played.read(1)
        if kind != b"F":
            if kind == b"T":
                lwip_feed.at(struct.unpack("<I", played.read(4))[0])
                continue
            return kind == b"R"
        sent, n = struct.unpack("<BI", played.read(5))
        lwip_feed.frame(played.read(n), sent)


class Over(Exception):
    pass


class Ticker:
    def __init__(self, window_ms):
        pass

    async def tick(self):
        if not window():
            raise Over
        return 1


def scored(pipeline):
    print(*pipeline.deltas, pipeline.ae, pipeline.svm, int(pipeline.hot), pipeline.event)


def refused(error, attempt):
    try:
        attempt()
    except error:
        return True


lwip_feed.add(played.read(6))
window()
source = packets.source()
names = [name for name in dir(_inlier_packets) if not name.startswith("__")]
assert names == ["read"], "nothing resets it"
assert refused(AttributeError, lambda: setattr(_inlier_packets, "read", print))
assert refused(TypeError, lambda: _inlier_packets.__dict__.clear())
assert refused(TypeError, lambda: source.read((0,) * 18)), "a tuple never changes"
for kind, n in (("i", 17), ("i", 19), ("I", 18), ("f", 18)):
    assert refused(ValueError, lambda: source.read(array(kind, bytes(4 * n)))), (kind, n)
values = array("i", bytes(4 * 18))
micropython.heap_lock()
source.read(values)
micropython.heap_unlock()
monitor.Ticker = Ticker
try:
    asyncio.run(monitor.watch(sys.argv[1], source, on_window=scored))
except Over:
    pass
source.read(values)
before = values[0]
frame = bytes(65535)
for _ in range(1 << 14):  # a gigabyte: past what a small int of a board holds
    lwip_feed.frame(frame, True)
source.read(values)
assert values[0] == (before + (len(frame) << 14)) & 0x3FFFFFFF, "bytes sent wrap at 2^30"
