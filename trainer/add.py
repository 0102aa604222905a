"""`inlier train --add`: windows that were a false alarm become part of the benign recording."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np

from export import reference
from export.reference import Detector, Ints

from .errors import BadInput
from .evaluate import LEAD_IN
from .threshold import alarm_level
from .windows import read_windows

# Parts of a recording by time: four that are fitted (and cross-validated, each by the others), one that is calibrated on,
# one that is tested on. Each gets the marked windows, so that none of them is the first to see such a thing.
_EDGES = (0, 0.15, 0.30, 0.45, 0.60, 0.75, 1)
SHARE = 0.005  # of the recording, at least: the benign range leaves out 0.1 % at either end


def read_marked(text: str, counters: tuple[str, ...]) -> Ints:
    """Windows (n, counters) of FILE, or of FILE@START:END, which leaves out END. Raises BadInput."""
    path, at, span = text.rpartition("@")
    start, colon, end = span.partition(":")
    if not at:
        path, start, end = text, "", ""
    elif not colon or not start.isdigit() or not end.isdigit():
        raise BadInput(f"--add {text}: give FILE or FILE@START:END, such as monitored.csv@301:310")
    rows = read_windows(Path(path), counters)
    marked = rows[int(start) : int(end)] if at else rows
    if not len(marked) or (at and int(end) > len(rows)):
        raise BadInput(f"--add {text}: there are no such windows; {path} has the windows 0 to {len(rows)}")
    return marked


def weave(recording: Ints, marked: list[Ints]) -> Ints:
    """`recording` with each span of `marked` put into every part of it, evenly spread, often enough to be no exception."""
    n = len(recording)
    pieces: list[tuple[int, Ints]] = []
    for span in marked:
        copies = max(1, -(-int(SHARE * n) // (len(span) * (len(_EDGES) - 1))))
        for low, high in itertools.pairwise(_EDGES):
            pieces += [(int(at), span) for at in np.linspace(low * n, high * n, copies + 2)[1:-1]]
    woven, done = [], 0
    for at, span in sorted(pieces, key=lambda piece: piece[0]):
        woven += [recording[done:at], span]
        done = at
    return np.concatenate([*woven, recording[done:]])


def keep_quiet(detector: Detector, recording: Ints, marked: list[Ints]) -> Detector:
    """`detector` with thresholds no lower than what keeps each span without an alarm, between two calms of the recording.

    As training does for every benign window that it calibrates on; what was fitted seldom needs it.
    """
    k, n = detector.alarm[:2]
    ae, svm = detector.threshold_ae, detector.threshold_svm
    calm = recording[-LEAD_IN:]
    for span in marked:
        trace = reference.run(detector, np.concatenate([calm, span, calm]))
        ae, svm = (
            max(limit, int(alarm_level(scores, k, n)[len(calm) :].max()))
            for limit, scores in ((ae, trace.ae), (svm, trace.svm))
        )
    return replace(detector, threshold_ae=ae, threshold_svm=svm)
