"""Lines (line.py) kept on flash, in a ring of files: for `inlier record
--ring`.
"""

import os


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
        with open(self._path + ".new", "w") as f:
            f.write(str(boot))
        os.rename(self._path + ".new", self._path + ".boot")  # whole, or the former
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
                    if line.startswith(b"~w ") and words[1].isdigit():
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
