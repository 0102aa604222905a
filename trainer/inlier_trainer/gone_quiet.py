"""When a device has gone quiet: its counters' longest persistences lie below
what is rare already, for long.

No threshold is fitted, so that an outage in the recording moves nothing and is
told when it comes again.
"""

import numpy as np
from numpy.typing import NDArray

from inlier_export.reference import NEVER, Detector, Ints, Schema

from .one_class_svm import INBOUND

RARE = 0.01  # what a feature is below in one window of a hundred
QUIET_PAD = 8  # half an octave below that
ACTIVE_LEAST = 24  # of that: a counter that rests often tells no silence


def usual(f: NDArray[np.int16], schema: Schema) -> tuple[Ints, Ints, int]:
    """low and its weights (features,), and the quiet score's threshold, of
    benign log features f.

    What comes in counts where any of it is always active: in an outage a device
    may go on asking. Else what goes out does.
    """
    kinds = len(schema.kinds)
    low = np.zeros(schema.features, np.int64)
    weights = np.zeros(schema.features, np.int64)
    if not schema.persistence:
        return low, weights, NEVER
    longest = np.arange(kinds - 1, schema.features, kinds)
    rare = np.floor(np.quantile(f[:, longest], RARE, axis=0)).astype(np.int64)
    active = rare >= ACTIVE_LEAST
    inbound = np.array([name in INBOUND for name in schema.counters])
    group = active & inbound if (active & inbound).any() else active & ~inbound
    low[longest[group]] = rare[group] - QUIET_PAD
    weights[longest[group]] = 1
    return low, weights, QUIET_PAD * int(group.sum()) if group.any() else NEVER


def used(detector: Detector) -> tuple[str, ...]:
    """The counters whose silence is told."""
    kinds = len(detector.schema.kinds)
    at = np.flatnonzero(detector.weights[:, 1]) // kinds
    return tuple(detector.counters[i] for i in at)
