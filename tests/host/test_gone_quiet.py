"""From when on a device has gone quiet follows from what its counters' longest
sums seldom fell below.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from inlier_export.reference import NEVER, Schema
from inlier_trainer.gone_quiet import ACTIVE_LEAST, used, usual

COUNTERS = ("bytes_out", "bytes_in", "packets_in", "dns")
OCTAVE = 16


def schema(*persistence, counters=COUNTERS):
    zeros = np.zeros(len(counters), np.int64)
    return Schema(counters, (0,), persistence, zeros, zeros)


def features(*longest, kinds=3):
    """101 windows, of which the last feature of each counter goes from `least`
    up by one a window, so that one in a hundred is below least + 1.
    """
    f = np.full((101, len(longest) * kinds), 200)
    for i, least in enumerate(longest):
        f[:, i * kinds + kinds - 1] = np.random.default_rng(i).permutation(101) + least
    return f.astype(np.int16)


@pytest.mark.parametrize(
    ("longest", "counts"),
    [
        # what comes in tells silence, of counters that are always active
        ((90, 50, 60, 70), (1, 2)),
        ((90, 50, ACTIVE_LEAST - 2, 70), (1,)),
        ((90, ACTIVE_LEAST - 1, 0, 70), (1,)),  # its rarest is ACTIVE_LEAST
        # else what goes out does
        ((90, ACTIVE_LEAST - 2, 0, 70), (0, 3)),
        ((90, 0, 0, 0), (0,)),
    ],
)
def test_half_an_octave_below_what_is_rare_is_silence(longest, counts):
    low, weights, threshold = usual(features(*longest), schema(4, 7))
    for i, least in enumerate(longest):
        assert low[3 * i + 2] == (least + 1 - OCTAVE // 2 if i in counts else 0), i
        assert weights[3 * i + 2] == (i in counts), i
    assert weights.sum() == len(counts), "the longest sums alone"
    assert np.count_nonzero(low) == len(counts)
    assert threshold == len(counts) * OCTAVE // 2, "and again half an octave below that of each"


def test_a_device_that_often_rests_is_never_said_to_have_gone_quiet():
    low, weights, threshold = usual(features(0, 0, 0, ACTIVE_LEAST - 2), schema(4, 7))
    assert not low.any() and not weights.any() and threshold == NEVER


def test_without_sums_over_many_windows_no_silence_is_told():
    f = features(90, 90, 90, 90, kinds=1)
    low, weights, threshold = usual(f, schema())
    assert low.tolist() == weights.tolist() == [0] * 4 and threshold == NEVER


def test_the_counters_that_tell_it_are_named():
    weights = np.zeros((12, 3), np.int64)
    weights[:, [0, 2]] = 1
    weights[[5, 11], 1] = 1
    d = SimpleNamespace(schema=schema(4, 7), weights=weights, counters=COUNTERS)
    assert used(d) == ("bytes_in", "dns")
