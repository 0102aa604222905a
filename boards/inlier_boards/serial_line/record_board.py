"""`inlier record --port`: the windows of a board into a table, with gaps and
reboots marked.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np

from inlier.counters import DELTA_MAX
from inlier_export import reference
from inlier_export.errors import BadInput, Interrupted
from inlier_export.inputs import RECORDING_MAX, read_input
from inlier_export.model_file import unpack
from inlier_export.reference import Ints
from inlier_trainer.about import MARKS, at
from inlier_trainer.figures import are, number_of
from inlier_trainer.files import check_output, write_atomic
from inlier_trainer.progress import Progress
from inlier_trainer.recordings import Recording, Table, csv_bytes, table, write

from .intake import Intake, Window

SILENT_S = 30  # beyond the length of a window
SILENT_UNKNOWN_S = 120  # before that is known
WORD_S = 10  # without a window, after which it is said what comes


class Part:
    """The recording as it grows: `<out>.part`, a CSV line a window, kept by
    whatever ends the recording, and gone on with.

    What a ring holds is added to a former `out`. Raises BadInput for a part of
    something else.
    """

    def __init__(self, out: Path, ring: bool = False) -> None:
        self.path = out.with_name(out.name + ".part")
        check_output(self.path)
        self._file: IO[str] | None = None
        self.lines = Intake(ring)
        self.rows = 0
        if ring and out.exists() and not self.path.exists():  # a ring is fetched again and again
            write_atomic(self.path, csv_bytes(table(out).board_recording()))
        if self.path.exists():
            text = read_input(self.path, RECORDING_MAX, "recording").decode(errors="replace")
            whole = text[: text.rfind("\n") + 1]
            if whole != text:  # the last line was cut
                self.path.write_text(whole)
        if self.path.exists() and self.path.stat().st_size:
            self._go_on(table(self.path))

    def _go_on(self, there: Table) -> None:
        if there.names[: len(MARKS)] != MARKS:
            raise BadInput(
                f"{self.path}: it is no recording of a board: move it away, then record again"
            )
        self.rows = len(there)
        self.lines.counters = there.names[len(MARKS) :]
        self.lines.about = there.about
        if self.rows:
            try:
                self.lines.boot, self.lines.index = (
                    int(there.columns[name][-1]) for name in MARKS[:2]
                )
            except (ValueError, TypeError):
                raise BadInput(
                    f"{self.path}: line {there.first + self.rows - 1} is no window: remove that "
                    f"line, or move the file away, then record again"
                ) from None

    def add(self, window: Window) -> None:
        if self._file is None:
            self._file = self.path.open("a")
            if not self.path.stat().st_size:
                self._file.write(self.lines.about.comment())
                self._file.write(",".join((*MARKS, *self.lines.counters)) + "\n")
        place = (window.boot, window.index, window.elapsed)
        try:
            self._file.write(",".join(map(str, (*place, *window.deltas))) + "\n")
            self._file.flush()
        except OSError as error:  # such as of a full disk
            raise OSError(
                error.errno,
                f"{error.strerror} after {number_of(self.rows, 'window')}, which "
                f"{are(self.rows)} in {self.path}, and with which the next recording goes on",
            ) from None
        self.rows += 1

    def said(self) -> str:
        rows = f"{number_of(self.rows, 'window')} {are(self.rows)}"
        return f"{rows} in {self.path}, record again to go on"

    def close(self) -> None:
        if self._file:
            with contextlib.suppress(OSError):  # each line was flushed, or is said not to be
                self._file.close()


@dataclass(frozen=True)
class Recorded:
    """boots, windows, missed, silences (gaps): of all the table.
    damaged: lines of this run.
    compared, differ: windows whose scores by the board were compared with
        the reference's, and were others.
    """

    source: str
    window_ms: int
    windows: int
    boots: int
    gaps: int
    missed: int
    damaged: int
    compared: int
    differ: int


def record(
    lines: Iterable[str],
    port: str,
    out: Path,
    count: int | None,
    blob: bytes | None,
    progress: Progress,
    say: Callable[[str], None] = lambda text: None,
) -> Recorded:
    """Write `count` windows (None: all that the ring has whose lines these are)
    to `out`, CSV or Parquet, with the columns inlier_trainer.recordings.MARKS.
    An end before that leaves `<out>.part`, with which the next one goes on.
    Raises BadInput, OSError.

    blob: a model, to compare scores with.
    say: what a line is told that brings no window.
    """
    part = Part(out, ring=count is None)
    seen: list[Window] = []
    try:
        for window in _windows(lines, port, count, part, say):
            part.add(window)
            seen.append(window)
            progress("recording", part.rows, count or part.rows)
    except Interrupted:
        kept = part.said() if part.rows else "no window had come"
        raise Interrupted(f"{kept}; {out} was not written") from None
    finally:
        part.close()
    if not part.rows:
        raise BadInput(f"{port}: it holds no window: has its program run for a while?")
    recording = table(part.path).board_recording()
    about = part.lines.about
    write(out, replace(recording, about=about))  # what is added to a bare file names it
    part.path.unlink()
    compared, differ = compare(blob, seen) if blob else (0, 0)
    missed = missing(recording)
    assert recording.marks is not None
    return Recorded(
        about.source,
        about.window_ms,
        len(recording.windows),
        len(np.unique(recording.marks[:, 0])),
        int((missed > 0).sum()),
        int(missed.sum()),
        part.lines.damaged,
        compared,
        differ,
    )


def _windows(
    lines: Iterable[str],
    port: str,
    count: int | None,
    part: Part,
    say: Callable[[str], None],
) -> Iterator[Window]:
    """What is in the lines, until the part holds `count`. Raises BadInput where
    nothing comes for long.
    """
    taken = part.lines
    heard = time.monotonic()
    silent = came = told = 0
    if count is not None and part.rows >= count:
        return
    for line in lines:
        silent += not line
        for window in taken.take(line):
            if count is not None and not part.rows and not taken.about.clock:
                window_s = taken.about.window_ms / 1000  # it has just ended
                began = at(time.time() - window.elapsed * window_s)
                taken.about = replace(taken.about, clock=began)
            came += 1
            heard = time.monotonic()
            yield window
            if part.rows == count:
                return
        if not came and not told and time.monotonic() - heard > WORD_S:
            told = 1
            what = "nothing comes" if silent else "what comes is no window"
            say(f"{port}: {what}; waiting on, Ctrl-C ends it")
        window_s = taken.about.window_ms / 1000
        limit_s = window_s + SILENT_S if window_s else SILENT_UNKNOWN_S
        if time.monotonic() - heard > limit_s:
            raise BadInput(
                f"{port}: no window came for {limit_s:g} s: does its program print them "
                f"(inlier.recorder)? --restart begins it again; {part.said()}"
            )


def missing(recording: Recording) -> Ints:
    """Windows that are not there: lost before each, or part of its mean."""
    assert recording.marks is not None
    boot, window, elapsed = recording.marks.T
    again = np.diff(boot) != 0
    lost = window[1:] - np.where(again, 0, window[:-1] + 1)
    return np.concatenate([[0], lost]) + np.maximum(elapsed - 1, 0)


def compare(blob: bytes, windows: Iterable[Window]) -> tuple[int, int]:
    """(windows compared, windows in which an integer of the board's differs
    from the reference's): each boot from its first window up to a gap, behind
    which the damped means are others.
    """
    detector = unpack(blob)
    runs: list[list[Window]] = []
    for window in windows:
        if window.index == 0:
            runs.append([])
        if runs and window.scores and window.elapsed and len(runs[-1]) == window.index:
            runs[-1].append(window)
    compared = differ = 0
    for run in filter(None, runs):
        theirs = reference.run(detector, np.minimum(np.array([w.deltas for w in run]), DELTA_MAX))
        expected = np.stack([theirs.ae, theirs.svm, theirs.hot, theirs.event], axis=1)
        differ += int((expected != np.array([w.scores for w in run])).any(axis=1).sum())
        compared += len(run)
    return compared, differ
