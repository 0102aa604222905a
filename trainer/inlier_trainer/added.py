"""`inlier train --add`: windows that were a false alarm become part of the
benign recording.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.reference import Detector, Ints

from .evaluate import LEAD_IN
from .folds import plan
from .horizons import greatest_level
from .recordings import read_windows

SHARE = 0.005  # of the recording, at least: of some 1,000 steps of a fit, a handful should see it


def read_marked(text: str, counters: tuple[str, ...]) -> Ints:
    """Windows (n, counters) of FILE, or of FILE@START:END, which leaves out
    END. Raises BadInput.
    """
    path, at, span = text.rpartition("@")
    start, colon, end = span.partition(":")
    if not at:
        path, start, end = text, "", ""
    elif not colon or not start.isdecimal() or not end.isdecimal():
        raise BadInput(f"--add {text}: give FILE or FILE@START:END, such as monitored.csv@301:310")
    rows = read_windows(Path(path), counters)
    marked = rows[int(start) : int(end)] if at else rows
    if not len(marked) or (at and int(end) > len(rows)):
        raise BadInput(
            f"--add {text}: there are no such windows; {path} has the windows 0 to {len(rows)}"
        )
    return marked


def weave(recording: Ints, marked: list[Ints]) -> Ints:
    """`recording` with each span of `marked` put into every block of it, evenly
    spread, often enough to be no exception: no fold is the first to see it.
    """
    n, blocks = len(recording), plan([len(recording)]).blocks
    pieces: list[tuple[int, Ints]] = []
    for span in marked:
        copies = max(1, -(-int(SHARE * n) // (len(span) * len(blocks))))
        for block in blocks:
            places = np.linspace(block[0], block[-1] + 1, copies + 2)[1:-1]
            pieces += [(int(at), span) for at in places]
    woven, done = [], 0
    for at, span in sorted(pieces, key=lambda piece: piece[0]):
        woven += [recording[done:at], span]
        done = at
    return np.concatenate([*woven, recording[done:]])


def keep_quiet(detector: Detector, recording: Ints, marked: list[Ints]) -> Detector:
    """`detector` with thresholds no lower than what keeps each span without an
    alarm, between two calms of the recording.

    As training does for every benign window; what was fitted seldom needs it.
    """
    horizons = detector.horizons
    calm = recording[-LEAD_IN:]
    for span in marked:
        scores = reference.run(detector, np.concatenate([calm, span, calm])).svm[len(calm) :]
        horizons = tuple(
            (k, n, max(limit, greatest_level(scores, k, n))) for k, n, limit in horizons
        )
    return replace(detector, horizons=horizons)
