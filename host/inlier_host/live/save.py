"""`inlier monitor --save`: the windows that are watched become a recording, to
report on or to learn from.
"""

import time
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from inlier_export.errors import BadInput
from inlier_trainer.about import MARKS, About, at
from inlier_trainer.files import check_output
from inlier_trainer.sources import counters_of

from .feed import Event


class Save:
    """Each window's deltas, a row of CSV as `inlier record` writes them.

    device: whose they are.
    first: the window of the first row; rows.

    Raises BadInput for a file that is there already, and when a device says
    more or fewer counters than its source has.
    """

    def __init__(self, path: Path, device: str):
        check_output(path, new=True)
        self._path = path
        self._device = device
        self._file: TextIO | None = None
        self._boot = 1
        self._last = -1
        self.first = 0
        self.rows = 0

    def take(self, event: Event) -> None:
        if "deltas" not in event:
            return
        if self._file is None:
            self._begin(event)
        if event["window"] == self._last:  # sent again
            return
        self._boot += event["window"] < self._last
        self._last = event["window"]
        row = (self._boot, event["window"], 1, *event["deltas"])
        self._write(",".join(map(str, row)) + "\n")
        self.rows += 1

    def _begin(self, event: Event) -> None:
        counters = counters_of(event["source"])
        if len(event["deltas"]) != len(counters):
            raise BadInput(
                f"--save: the device counts other than source '{event['source']}' here: use "
                f"the same version"
            )
        window_ms = event.get("window_ms", 0)
        about = About(
            event["source"], window_ms, self._device, clock=at(time.time() - window_ms / 1000)
        )
        self._file = self._path.open("x")
        self._write(about.comment() + ",".join((*MARKS, *counters)) + "\n")
        self.first = event["window"]

    def _write(self, text: str) -> None:
        assert self._file
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from None

    def __enter__(self) -> "Save":
        return self

    def __exit__(self, *error: object) -> None:
        if self._file:
            with suppress(OSError):  # each line was flushed, or is said not to be
                self._file.close()
