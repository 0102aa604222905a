"""`inlier monitor --save`: the windows that are watched become a recording, to
report on or to learn from.
"""

from pathlib import Path
from typing import TextIO

from inlier_export.errors import BadInput
from inlier_trainer.files import check_output
from inlier_trainer.sources import counters_of

from .feed import Event


class Save:
    """Each window's deltas, a row of CSV as `inlier record` writes them. first:
    the window of the first row; rows.

    Raises BadInput for a file that is there already, and when a device says
    more or fewer counters than its source has.
    """

    def __init__(self, path: Path):
        check_output(path, new=True)
        self._path = path
        self._file: TextIO | None = None
        self.first = 0
        self.rows = 0

    def take(self, event: Event) -> None:
        if "deltas" not in event:
            return
        if self._file is None:
            counters = counters_of(event["source"])
            if len(event["deltas"]) != len(counters):
                raise BadInput(
                    f"--save: the device counts other than source '{event['source']}' here: use "
                    f"the same version"
                )
            self._file = self._path.open("x")
            self._file.write(",".join(counters) + "\n")
            self.first = event["window"]
        try:
            self._file.write(",".join(map(str, event["deltas"])) + "\n")
            self._file.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from None
        self.rows += 1

    def __enter__(self) -> "Save":
        return self

    def __exit__(self, *error: object) -> None:
        if self._file:
            self._file.close()
