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
import sys

from . import __version__
from .line import seal

HEAD_EVERY = 32
CLOCK_UNSET = 2024  # a board begins in 2000 or 2021 until somebody sets its clock


def _random():
    try:
        return 1 + int.from_bytes(os.urandom(2), "little")
    except AttributeError:  # QEMU's boards
        return 0


def device():
    """What tells this board from others like it; "-" where nothing does."""
    try:
        import machine

        return "".join(["%02x" % octet for octet in machine.unique_id()])
    except (ImportError, AttributeError):  # a computer, QEMU's boards
        return os.uname()[1] if hasattr(os, "uname") else "-"


def firmware():
    """What runs: micropython-1.25.0,inlier-0.3.0."""
    made = sys.implementation
    return "%s-%d.%d.%d,inlier-%s" % ((made.name,) + tuple(made.version[:3]) + (__version__,))


def clock():
    """UTC, RFC 3339; "-" where nobody has set a clock."""
    try:
        from time import gmtime
    except ImportError:  # a bare board
        return "-"
    now = gmtime()
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % now[:6] if now[0] > CLOCK_UNSET else "-"


class Recorder:
    """write(line) is `print`, or a Ring's, which counts boots; otherwise a boot
    has a random number.
    """

    def __init__(self, source, window_ms, write=print, boot=None):
        self._head = "~b %d %s %s %s %s " % (
            window_ms,
            source.name,
            ",".join(source.counters),
            device(),
            firmware(),
        )
        self._write = write
        self._boot = _random() if boot is None else boot
        self._index = 0

    def window(self, deltas, elapsed=1, scores=""):
        if self._index % HEAD_EVERY == 0:
            self._write(seal(self._head + clock()))
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
    keep(deltas, elapsed) do what it likes with each. elapsed is 0 where the
    source says that it has `lost` some: what is left is no window.

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
        deltas = windows.take(elapsed)
        keep(deltas, 0 if getattr(source, "lost", 0) else elapsed)
        count -= 1
    if ring:
        ring.flush()
