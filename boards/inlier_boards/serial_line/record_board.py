"""`inlier record --port`: windows out of the lines of a board (inlier.stream)
into a table, with gaps and reboots marked.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from inlier.counters import DELTA_MAX
from inlier.stream import seal
from inlier_export import reference
from inlier_export.errors import BadInput, Interrupted
from inlier_export.model_file import unpack
from inlier_trainer.files import write_atomic
from inlier_trainer.progress import Progress
from inlier_trainer.recordings import MARKS, csv_bytes, read_marked, write_windows

SILENT_S = 30  # beyond the length of a window
SILENT_UNKNOWN_S = 120  # before that is known


@dataclass(frozen=True)
class Window:
    """boot: the board's number of the boot; index: of the window, from 0 at
    boot; missed: windows lost between the one before and this; scores: the
    board's own (ae, svm, hot, event), () where it scores none.
    """

    boot: int
    index: int
    missed: int
    deltas: tuple[int, ...]
    scores: tuple[int, ...]


@dataclass
class Lines:
    """Makes windows of lines, in order; those of the application, and damaged
    ones, are left out.

    boot, index, counters: of the last window recorded before, to go on from
    there. ring: the lines are those of a ring, which is read from its beginning
    each time, and counts boots.
    """

    ring: bool = False
    boot: int = 0
    index: int = -1
    counters: tuple[str, ...] = ()
    source: str = ""
    window_ms: int = 0
    damaged: int = 0
    _early: list[list[str]] = field(
        default_factory=list
    )  # windows before the names of their counters

    def take(self, line: str) -> Iterator[Window]:
        start = line.find("~")
        text = line[start:].rstrip()
        if start < 0 or text[:3] not in ("~b ", "~w "):
            return
        body = text.rpartition(" *")[0]
        if seal(body) != text:
            self.damaged += 1
            return
        words = body.split(" ")
        if words[0] == "~b":
            self._begin(int(words[1]), words[2], tuple(words[3].split(",")))
            early, self._early = self._early, []
            for before in early:
                yield from self._window(before)
        elif self.counters:
            yield from self._window(words)
        else:
            self._early.append(words)

    def _begin(self, window_ms: int, source: str, counters: tuple[str, ...]) -> None:
        if self.counters and counters != self.counters:
            raise BadInput(
                f"the board counts {','.join(counters)}, what was recorded before is "
                f"{','.join(self.counters)}: "
                "record into another file"
            )
        self.window_ms, self.source, self.counters = window_ms, source, counters

    def _window(self, words: list[str]) -> Iterator[Window]:
        boot, index, elapsed = (int(word) for word in words[1:4])
        if self.ring and (boot, index) <= (self.boot, self.index):
            return
        begun = self.boot > 0
        again = not begun or index <= self.index or boot not in (0, self.boot)
        missed = index - (0 if again else self.index + 1) + elapsed - 1
        self.boot = boot or self.boot + again
        self.index = index
        deltas = tuple(map(int, words[4].split(",")))
        yield Window(self.boot, index, missed if begun else 0, deltas, tuple(map(int, words[5:])))


class Part:
    """The recording as it grows: `<out>.part`, a CSV line a window, kept by
    whatever ends the recording, and gone on with.

    What a ring holds is added to a former `out`. Raises BadInput for a part of
    something else.
    """

    def __init__(self, out: Path, ring: bool = False) -> None:
        self.path = out.with_name(out.name + ".part")
        self._file: IO[str] | None = None
        self.lines = Lines(ring)
        self.rows = 0
        if ring and out.exists() and not self.path.exists():  # a ring is fetched again and again
            counters, marks, windows = read_marked(out)
            write_atomic(
                self.path, csv_bytes((*MARKS, *counters), np.concatenate([marks, windows], axis=1))
            )
        if self.path.exists():
            text = self.path.read_text()
            whole = text[: text.rfind("\n") + 1]
            if whole != text:  # the last line was cut
                self.path.write_text(whole)
            head, *rows = whole.splitlines() or [""]
            if tuple(head.split(",")[: len(MARKS)]) != MARKS:
                raise BadInput(
                    f"{self.path}: it is no recording of a board: move it away, then record again"
                )
            self.rows = len(rows)
            self.lines.counters = tuple(head.split(",")[len(MARKS) :])
            if rows:
                self.lines.boot, self.lines.index = (int(word) for word in rows[-1].split(",")[:2])

    def add(self, window: Window) -> None:
        if self._file is None:
            self._file = self.path.open("a")
            if not self.path.stat().st_size:
                self._file.write(",".join((*MARKS, *self.lines.counters)) + "\n")
        self._file.write(
            ",".join(map(str, (window.boot, window.index, window.missed, *window.deltas))) + "\n"
        )
        self._file.flush()
        self.rows += 1

    def close(self) -> None:
        if self._file:
            self._file.close()


@dataclass(frozen=True)
class Recording:
    """boots, windows, missed, silences (gaps): of all the table; damaged: lines
    of this run; compared, differ: windows whose scores by the board were
    compared with the reference's, and were others.
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
) -> Recording:
    """Write `count` windows (None: all that the ring has whose lines these are)
    to `out`, CSV or Parquet, with the columns inlier_trainer.recordings.MARKS.
    blob: a model, to compare scores with. An end before that leaves
    `<out>.part`, with which the next one goes on. Raises BadInput, OSError.
    """
    part = Part(out, ring=count is None)
    taken = part.lines
    seen: list[Window] = []
    heard = time.monotonic()
    try:
        for line in lines if count is None or part.rows < count else ():
            for window in taken.take(line):
                part.add(window)
                seen.append(window)
                heard = time.monotonic()
                progress("recording", part.rows, count or part.rows)
                if part.rows == count:
                    break
            if part.rows == count:
                break
            limit_s = taken.window_ms / 1000 + SILENT_S if taken.window_ms else SILENT_UNKNOWN_S
            if time.monotonic() - heard > limit_s:
                raise BadInput(
                    f"{port}: no window came for {limit_s:g} s: does its program print them "
                    f"(inlier.stream)? --restart "
                    f"begins it again; {part.rows} windows are in {part.path}, record again to "
                    f"go on"
                )
    except Interrupted:
        raise Interrupted(
            f"{part.rows} windows are in {part.path}, record again to go on; {out} is as it was"
        ) from None
    finally:
        part.close()
    if not part.rows:
        raise BadInput(f"{port}: it holds no window: has its program run for a while?")
    counters, marks, rows = read_marked(part.path)
    write_windows(out, (*MARKS, *counters), np.concatenate([marks, rows], axis=1))
    part.path.unlink()
    compared, differ = compare(blob, seen) if blob else (0, 0)
    boots, missed = len(np.unique(marks[:, 0])), marks[:, 2]
    gaps = int((missed > 0).sum())
    return Recording(
        taken.source,
        taken.window_ms,
        len(rows),
        boots,
        gaps,
        int(missed.sum()),
        taken.damaged,
        compared,
        differ,
    )


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
        if runs and window.scores and len(runs[-1]) == window.index:
            runs[-1].append(window)
    compared = differ = 0
    for run in filter(None, runs):
        theirs = reference.run(detector, np.minimum(np.array([w.deltas for w in run]), DELTA_MAX))
        expected = np.stack([theirs.ae, theirs.svm, theirs.hot, theirs.event], axis=1)
        differ += int((expected != np.array([w.scores for w in run])).any(axis=1).sum())
        compared += len(run)
    return compared, differ
