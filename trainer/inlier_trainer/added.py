"""`inlier train --add`: windows that were a false alarm become part of the
benign recording.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.reference import Detector, Ints

from .evaluate import LEAD_IN
from .folds import plan
from .horizons import greatest_level
from .recordings import Table, table

SHARE = 0.005  # of the recording, at least: of some 1,000 steps of a fit, a handful should see it


@dataclass(frozen=True)
class Marked:
    """Rows [start, end) of a file that was opened; by default all."""

    table: Table
    start: int = 0
    end: int | None = None

    def runs(self, counters: tuple[str, ...]) -> list[Ints]:
        """Its windows (n, counters), without those that were interrupted, in
        pieces that nothing interrupted. Raises BadInput.
        """
        recording = self.table.recording(counters)
        n = len(recording.windows)
        end = n if self.end is None else self.end
        spans = [slice(max(s.start, self.start), min(s.stop, end)) for s in recording.stretches]
        found = [recording.windows[span] for span in spans if span.start < span.stop]
        if not found or end > n:
            raise BadInput(
                f"--add {self.table.path}@{self.start}:{end}: there are no such windows; "
                f"{self.table.path} has the windows 0 to {n}"
            )
        return found


def marked(text: str) -> Marked:
    """FILE, or FILE@START:END, which leaves out END. Raises BadInput."""
    path, at, span = text.rpartition("@")
    start, _, end = span.partition(":")
    if not at:
        return Marked(table(Path(text)))
    if not start.isdecimal() or not end.isdecimal():
        raise BadInput(f"--add {text}: give FILE or FILE@START:END, such as monitored.csv@301:310")
    return Marked(table(Path(path)), int(start), int(end))


def weave(runs: Sequence[Ints], added: list[Ints]) -> list[Ints]:
    """The runs of a recording with each span of `added` put into every block of
    it, evenly spread, often enough to be no exception: no fold is the first to
    see it.
    """
    n = sum(map(len, runs))
    blocks = plan([n]).blocks
    pieces: list[tuple[int, Ints]] = []
    for span in added:
        copies = -(-int(SHARE * n) // (len(span) * len(blocks)))
        for block in blocks:
            places = np.linspace(block[0], block[-1] + 1, copies + 2)[1:-1]
            pieces += [(int(at), span) for at in places]
    pieces.sort(key=lambda piece: piece[0])
    woven, begin = [], 0
    for run in runs:
        parts, done = [], 0
        for at, span in pieces:
            if begin <= at < begin + len(run):
                parts += [run[done : at - begin], span]
                done = at - begin
        woven.append(np.concatenate([*parts, run[done:]]))
        begin += len(run)
    return woven


def keep_quiet(detector: Detector, recording: Ints, added: list[Ints]) -> Detector:
    """`detector` with thresholds no lower than what keeps each span without an
    alarm, between two calms of the recording.

    As training does for every benign window; what was fitted seldom needs it.
    """
    horizons = detector.horizons
    calm = recording[-LEAD_IN:]
    for span in added:
        scores = reference.run(detector, np.concatenate([calm, span, calm])).svm[len(calm) :]
        horizons = tuple(
            (k, n, max(limit, greatest_level(scores, k, n))) for k, n, limit in horizons
        )
    return replace(detector, horizons=horizons)
