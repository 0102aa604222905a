"""Windows out of the lines of a board (inlier.recorder)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from inlier.counters import DELTA_MAX
from inlier.model import FEATURES_MAX, WINDOW_MS_MAX
from inlier_export.errors import BadInput
from inlier_trainer.about import MARKS, NOTHING, About, before, hold_against, is_clock, told

from .lines import INT_MAX, Damaged, opened

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
