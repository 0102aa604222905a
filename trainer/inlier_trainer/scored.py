"""A recording scored as its device would have: from boot after each
interruption. What is left of a window that was interrupted is not scored.
"""

from dataclasses import fields

import numpy as np

from inlier_export import reference
from inlier_export.reference import Advance, Detector, Trace

from .recordings import Recording


def run(detector: Detector, recording: Recording, progress: Advance | None = None) -> Trace:
    """As reference.run, a row a row of the recording: those that were
    interrupted have a score of 0, and no event.
    """
    n, stretches = len(recording.windows), recording.stretches
    if stretches == [slice(0, n)]:
        return reference.run(detector, recording.windows, progress)
    parts = []
    for rows in stretches:
        parts.append(reference.run(detector, recording.windows[rows]))
        if progress:
            progress(rows.stop, n)
    whole = {}
    for field in fields(Trace):
        joined = np.concatenate([getattr(part, field.name) for part in parts])
        column = np.zeros((n, *joined.shape[1:]), joined.dtype)
        column[recording.whole] = joined
        whole[field.name] = column
    return Trace(**whole)
