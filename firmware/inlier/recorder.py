"""Records windows for training, as lines (line.py): the same windows that the
monitor will score. `inlier record` makes a table of them.

    from inlier import recorder, sockets
    source = sockets.install()  # before anything imports `socket`
    asyncio.create_task(recorder.record(source, 10_000))  # printed, or
    kept = ring.Ring("windows")  # from inlier import ring: kept on flash
    asyncio.create_task(recorder.record(source, 10_000, kept))

It makes strings, and so takes heap for a while.
"""

import os

from .line import seal

HEAD_EVERY = 32


def _random():
    try:
        return 1 + int.from_bytes(os.urandom(2), "little")
    except AttributeError:  # QEMU's boards
        return 0


class Recorder:
    """write(line) is `print`, or a Ring's, which counts boots; otherwise a boot
    has a random number.
    """

    def __init__(self, source, window_ms, write=print, boot=None):
        self._head = "~b %d %s %s" % (window_ms, source.name, ",".join(source.counters))
        self._write = write
        self._boot = _random() if boot is None else boot
        self._index = 0

    def window(self, deltas, elapsed=1, scores=""):
        if self._index % HEAD_EVERY == 0:
            self._write(seal(self._head))
        self._write(
            seal(
                "~w %d %d %d %s%s"
                % (self._boot, self._index, elapsed, ",".join(map(str, deltas)), scores)
            )
        )
        self._index += 1

    def scored(self, pipeline):
        """A window that a pipeline has just scored: monitor's on_window."""
        self.window(
            pipeline.deltas,
            1,
            " %d %d %d %d" % (pipeline.ae, pipeline.svm, pipeline.hot, pipeline.event),
        )


async def record(source, window_ms, ring=None, count=-1, keep=None):
    """Print `count` windows (-1: without end), or keep them in `ring`, or have
    keep(deltas, elapsed) do what it likes with each.

    Raises OSError on a full flash; what was written stays.
    """
    from .counters import Windows
    from .ticker import Ticker  # asyncio: a bare board has none

    if keep is None:
        to = (ring.write, ring.boot) if ring else ()
        keep = Recorder(source, window_ms, *to).window
    windows = Windows(source)
    ticker = Ticker(window_ms)
    while count:
        elapsed = await ticker.tick()
        keep(windows.take(elapsed), elapsed)
        count -= 1
    if ring:
        ring.flush()
