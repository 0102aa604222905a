"""Sink that keeps the last alarms on flash: a ring of two files, one JSON
object a line.

Lines are appended to `path`; when it is full it becomes `path`.old, whose
former lines go. So at least the last `max_bytes` / 2 are kept, at most
`max_bytes` are used, and flash is written only when an alarm is raised, grows
or clears, and when the device goes quiet or is back.
"""

import json
import os

from .message import Teller


class Log(Teller):
    """A full or missing flash does not stop the scoring: `problem` is then the
    OSError, `lost` counts the events.
    """

    def __init__(self, path, max_bytes=8192):
        super().__init__()
        self._path = path
        self._max_bytes = max_bytes
        self._torn = True  # until looked at: a power cut may have left half a line
        self.problem = None
        self.lost = 0

    def tell(self, event):
        try:
            self._append(json.dumps(event) + "\n")
            self.problem = None
        except OSError as error:
            self.problem = error
            self.lost += 1

    def _append(self, line):
        try:
            if 2 * (os.stat(self._path)[6] + len(line)) >= self._max_bytes:
                # replaces: with littlefs, FAT's driver and Linux alike
                os.rename(self._path, self._path + ".old")
            elif self._torn and not self._ends_whole():
                line = "\n" + line
        except OSError:
            pass  # nothing written yet
        with open(self._path, "a") as f:
            f.write(line)
        self._torn = False

    def _ends_whole(self):
        with open(self._path, "rb") as f:
            f.seek(-1, 2)
            return f.read() == b"\n"

    def lines(self):
        """The events kept, oldest first. A line that a power cut left half
        written is skipped.
        """
        events = []
        for path in (self._path + ".old", self._path):
            try:
                with open(path, "rb") as f:  # what a cut left may be no text
                    for line in f:
                        try:
                            events.append(json.loads(line))
                        except ValueError:
                            pass
            except OSError:
                pass
        return events
