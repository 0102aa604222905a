"""Windows as lines, for a computer that listens at the serial port or for a
ring of files on flash: `inlier record --port`.

    ~b WINDOW_MS SOURCE NAME,NAME,…                         at boot, and again
    before every 32nd window
    ~w BOOT INDEX ELAPSED DELTA,DELTA,…                     a window
    ~w BOOT INDEX ELAPSED DELTA,DELTA,… AE SVM HOT EVENT    one that was scored

BOOT is another number after each boot (0 on a board that has none), INDEX
counts from 0 at boot, ELAPSED is over 1 after missed ticks. Each line ends in `
*` and the CRC-32 of what is before it, in hex: what the application prints may
come in between. A leaf, which nothing of the core imports; it makes strings,
and so takes heap for a while.

from inlier import sockets, stream source = sockets.install()
# before anything imports `socket` asyncio.create_task(stream.record(source,
10_000))                                        # or
asyncio.create_task(stream.record(source, 10_000, stream.Ring("windows")))
"""

import os

from .model import crc32

HEAD_EVERY = 32


def seal(text):
    return "%s *%08x" % (text, crc32(text.encode()) & 0xFFFFFFFF)


def _random():
    try:
        return 1 + int.from_bytes(os.urandom(2), "little")
    except AttributeError:  # QEMU's boards
        return 0


class Stream:
    """write(line) is `print`, or a Ring's, which counts boots; otherwise a boot
    has a random number.
    """

    def __init__(self, source, window_ms, write=print, boot=None):
        self._head = "~b %d %s %s" % (window_ms, source.name, ",".join(source.counters))
        self._write = write
        self._boot = _random() if boot is None else boot
        self._index = 0
        self._active = False

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
        active = pipeline.alarm.active
        self.window(
            pipeline.deltas,
            1,
            " %d %d %d %d" % (pipeline.ae, pipeline.svm, pipeline.hot, active - self._active),
        )
        self._active = active


class Ring:
    """Files path.0, path.1, …, of which the newest `segments` are kept, each of
    about segment_bytes.

    Files are only ever appended to: littlefs copies a file from the first
    changed byte on. An append rewrites a block, of 4 KB, and wears it, so lines
    gather in RAM until they are flush_bytes long, which a loss of power loses:
    with windows of 10 s and 80 bytes, flash that stands 100,000 erasures and
    100 free blocks outlive 40 years. path.boot counts the boots.
    """

    def __init__(self, path, segments=8, segment_bytes=32768, flush_bytes=1024):
        self._path = path
        self._segments = segments
        self._segment_bytes = segment_bytes
        self._flush_bytes = flush_bytes
        self._lines = []
        self._waiting = 0
        self.boot = self._count_boot()
        numbers = self._numbers()
        self._number = numbers[-1] if numbers else 0

    def _count_boot(self):
        try:
            with open(self._path + ".boot") as f:
                boot = int(f.read()) + 1
        except (OSError, ValueError):  # none yet, or a power cut tore it
            boot = self._last_boot() + 1
        with open(self._path + ".boot", "w") as f:
            f.write(str(boot))
        return boot

    def _last_boot(self):
        """The highest that a line kept has: under a lower one the windows to
        come would pass for some that were fetched before.
        """
        boot = 0
        for number in self._numbers():
            with open("%s.%d" % (self._path, number), "rb") as f:
                for line in f:
                    words = line.split(b" ")
                    if len(words) > 4 and words[0] == b"~w" and words[1].isdigit():
                        boot = max(boot, int(words[1]))
        return boot

    def _numbers(self):
        folder, _, name = self._path.rpartition("/")
        ends = [
            entry[len(name) + 1 :]
            for entry in os.listdir(folder or ".")
            if entry.startswith(name + ".")
        ]
        return sorted(int(end) for end in ends if end.isdigit())

    def write(self, line):
        """Raises OSError on a full flash; what was written stays."""
        self._lines.append(line)
        self._waiting += len(line) + 1
        if self._waiting >= self._flush_bytes:
            self.flush()

    def flush(self):
        with open("%s.%d" % (self._path, self._number), "a") as f:
            for line in self._lines:
                f.write(line + "\n")
        self._lines = []
        self._waiting = 0
        if os.stat("%s.%d" % (self._path, self._number))[6] >= self._segment_bytes:
            self._number += 1
            for number in self._numbers():
                if number <= self._number - self._segments:
                    os.remove("%s.%d" % (self._path, number))


async def record(source, window_ms, ring=None, count=-1):
    """Print `count` windows (-1: without end), or keep them in `ring`. Raises
    OSError on a full flash.
    """
    from .counters import Windows
    from .ticker import Ticker

    stream = Stream(source, window_ms, ring.write, ring.boot) if ring else Stream(source, window_ms)
    windows = Windows(source)
    ticker = Ticker(window_ms)
    while count:
        elapsed = await ticker.tick()
        stream.window(windows.take(elapsed), elapsed)
        count -= 1
    if ring:
        ring.flush()
