"""`inlier record --port`: windows out of the lines of a board (inlier.recorder)
into a table, with gaps and reboots marked.
"""

import contextlib
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import numpy as np

from inlier.counters import DELTA_MAX
from inlier.model import FEATURES_MAX, WINDOW_MS_MAX
from inlier_export import reference
from inlier_export.errors import BadInput, Interrupted
from inlier_export.inputs import RECORDING_MAX, read_input
from inlier_export.model_file import unpack
from inlier_export.reference import Ints
from inlier_trainer.about import MARKS, NOTHING, About, at, before, hold_against, is_clock, told
from inlier_trainer.figures import are, number_of
from inlier_trainer.files import check_output, write_atomic
from inlier_trainer.progress import Progress
from inlier_trainer.recordings import Recording, Table, csv_bytes, table, write

from .lines import INT_MAX, Damaged, opened

SILENT_S = 30  # beyond the length of a window
SILENT_UNKNOWN_S = 120  # before that is known
WORD_S = 10  # without a window, after which it is said what comes
EARLY_MAX = 64  # windows before the names, which come with every 32nd
NUMBER = re.compile(r"-?[0-9]{1,10}")
NAME = re.compile(r"[0-9A-Za-z_.:/-]{1,64}")  # that needs no quotes in a CSV
WORD = re.compile(r"[!-~]{1,64}")


@dataclass(frozen=True)
class Window:
    """boot, index, elapsed: as inlier_trainer.recordings.MARKS.
    scores: the board's own (ae, svm, hot, event), () where it scores none.
    """

    boot: int
    index: int
    elapsed: int
    deltas: tuple[int, ...]
    scores: tuple[int, ...]


@dataclass
class Intake:
    """Makes windows of lines, in order; those of the application, and damaged
    ones, are left out.

    boot, index, counters, about: of what was recorded before, to go on from
        there.
    ring: the lines are those of a ring, which is read from its beginning each
        time, and counts boots.
    """

    ring: bool = False
    boot: int = 0
    index: int = -1
    counters: tuple[str, ...] = ()
    about: About = NOTHING
    damaged: int = 0
    # windows before the names of their counters
    _early: list[list[str]] = field(default_factory=list)

    def take(self, line: str) -> Iterator[Window]:
        try:
            kind, said = opened(line) or ("", "")
        except Damaged:
            self.damaged += 1
            return
        words = said.split(" ")
        if kind == "b":
            head = _head(words)
            if head is None:
                self.damaged += 1
                return
            self._begin(*head)
            early, self._early = self._early, []
            if early:  # the clock is that of the window to come
                self.about = replace(self.about, clock="")
            for before in early:
                yield from self._window(before)
        elif kind == "w" and self.counters:
            yield from self._window(words)
        elif kind == "w":
            self._early = [*self._early[1 - EARLY_MAX :], words]

    def _begin(self, about: About, counters: tuple[str, ...]) -> None:
        if self.counters and counters != self.counters:
            raise BadInput(
                f"the board counts {','.join(counters)}, what was recorded before is "
                f"{','.join(self.counters)}: "
                "record into another file"
            )
        if self.index >= 0:  # the clock of what comes is not that of the first window
            hold_against(
                Path("the board"),
                replace(about, device="", clock=""),
                self.about.source,
                self.about.window_ms,
                "what was recorded before has",
                "record into another file",
            )
            about = replace(about, clock=self.about.clock)
        self.about, self.counters = about, counters

    def _window(self, words: list[str]) -> Iterator[Window]:
        numbers = _numbers(words, len(self.counters))
        if numbers is None:
            self.damaged += 1
            return
        (boot, index, elapsed), deltas, scores = numbers
        if self.ring and (boot, index) <= (self.boot, self.index):
            return
        again = not self.boot or index <= self.index or boot not in (0, self.boot)
        if self.index < 0:  # the head was written when this window was over
            began = before(self.about.clock, elapsed * self.about.window_ms)
            self.about = replace(self.about, clock=began)
        self.boot = boot or self.boot + again
        self.index = index
        yield Window(self.boot, index, elapsed, deltas, scores)


def _head(words: list[str]) -> tuple[About, tuple[str, ...]] | None:
    """What a `~b` says, and its counters; None where it is none, for all its
    seal: a seal finds damage, and anybody can make one. Firmware of before 0.3
    says neither device, firmware nor clock.
    """
    if len(words) not in (3, 6) or not re.fullmatch("[0-9]{1,7}", words[0]):
        return None
    source, counters, device, firmware, clock = (*words[1:], "-", "-", "-")[:5]
    names = tuple(counters.split(","))
    window_ms = int(words[0])
    fits = 0 < window_ms <= WINDOW_MS_MAX and len(set(names)) == len(names) <= FEATURES_MAX
    plain = all(NAME.fullmatch(name) and name not in MARKS for name in (source, *names))
    named = all(WORD.fullmatch(word) for word in (device, firmware))
    if not (fits and plain and named and is_clock(clock)):
        return None
    return About(source, window_ms, told(device), told(firmware), told(clock)), names


def _numbers(
    words: list[str], counters: int
) -> tuple[list[int], tuple[int, ...], tuple[int, ...]] | None:
    """Boot, index and elapsed, the deltas and the scores of a `~w`; None where
    it is no window of so many counters.
    """
    if len(words) not in (4, 8):
        return None
    deltas = words[3].split(",")
    numbers = [*words[:3], *deltas, *words[4:]]
    if len(deltas) != counters or not all(NUMBER.fullmatch(text) for text in numbers):
        return None
    place, counted, scores = (list(map(int, part)) for part in (words[:3], deltas, words[4:]))
    fits = (
        0 <= min(place) <= max(place) <= INT_MAX
        and 0 <= min(counted) <= max(counted) <= DELTA_MAX
        and all(abs(score) <= INT_MAX for score in scores)
    )
    return (place, tuple(counted), tuple(scores)) if fits else None


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
        raise Interrupted(f"{kept}; {out} is as it was") from None
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
