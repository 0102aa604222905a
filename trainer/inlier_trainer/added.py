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
from .recordings import indices, read_windows
from .threshold import alarm_level
from .train import fold_stretches

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


def _parts(n: int) -> list[Ints]:
    """Stretches of a recording of n windows, one in each fold of the fit part,
    then what is calibrated and tested on. Each gets the marked windows, so that
    none is the first to see such a thing.
    """
    fit, calibrate, test = indices(slice(0, n))
    folds = fold_stretches(fit)
    return [
        *(stretches[i * len(stretches) // len(folds)] for i, stretches in enumerate(folds)),
        calibrate,
        test,
    ]


def weave(recording: Ints, marked: list[Ints]) -> Ints:
    """`recording` with each span of `marked` put into every part of it, evenly
    spread, often enough to be no exception.
    """
    n, parts = len(recording), _parts(len(recording))
    pieces: list[tuple[int, Ints]] = []
    for span in marked:
        copies = max(1, -(-int(SHARE * n) // (len(span) * len(parts))))
        for part in parts:
            pieces += [
                (int(at), span) for at in np.linspace(part[0], part[-1] + 1, copies + 2)[1:-1]
            ]
    woven, done = [], 0
    for at, span in sorted(pieces, key=lambda piece: piece[0]):
        woven += [recording[done:at], span]
        done = at
    return np.concatenate([*woven, recording[done:]])


def keep_quiet(detector: Detector, recording: Ints, marked: list[Ints]) -> Detector:
    """`detector` with thresholds no lower than what keeps each span without an
    alarm, between two calms of the recording.

    As training does for every benign window that it calibrates on; what was
    fitted seldom needs it.
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
