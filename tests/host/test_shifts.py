"""Made-up shifts: what they add, where they are laid, and how many windows a
detector takes to see them.
"""

from dataclasses import replace

import numpy as np
import pytest

from inlier_export import reference
from inlier_export.reference import NEVER, Detector, Layer, Schema
from inlier_trainer import shifts
from inlier_trainer.shifts import FACTORS, LEAD, LENGTH, PERIODS, SHIFTS

OWN = tuple(f"c{i}" for i in range(8))
COUNTERS = (*OWN, "bytes_in")
MEDIANS = (1, 2, 3, 4, 5, 6, 1, 1)


def ints(*values):
    return np.array(values, np.int64)


def windows(n=1000):
    """Of each counter, of the windows in which it counts, half count less than
    its median and half more. c6 counts nothing, c7 in half of its windows.
    """
    spread = np.array([[-1], [0], [1]]) + MEDIANS
    rows = np.tile(np.where(spread > 0, spread, MEDIANS), (n, 1))[:n]
    rows[:, 6] = 0
    rows[:, 7] = np.arange(n) % 2
    return np.column_stack([rows, np.full(n, 9)])


def test_a_shift_is_two_to_five_of_the_device_s_own_counters_a_few_times_their_median():
    made = shifts.made_up(windows(), COUNTERS)
    assert made.shape == (SHIFTS, LENGTH, len(COUNTERS))
    assert not made[:, :, 8].any(), "what others do to the device"
    moved = set()
    for j, added in enumerate(made):
        period, factor = PERIODS[j % 3], FACTORS[j // 3 % 4]
        at = np.flatnonzero(added.any(axis=1))
        assert at.tolist() == list(range(0, LENGTH, period)), j
        which = np.flatnonzero(added.any(axis=0))
        moved.add(len(which))
        for i in which:
            assert set(added[at, i].tolist()) == {MEDIANS[i] * factor}, (j, i)
    assert moved == {2, 3, 4, 5}
    assert SHIFTS % (len(PERIODS) * len(FACTORS)) == 0, "each of both with each, as often"
    assert np.array_equal(made, shifts.made_up(windows(), COUNTERS)), "the same every time"


def test_a_device_with_fewer_counters_of_its_own_shifts_all_it_has():
    made = shifts.made_up(windows()[:, [0, 1, 8]], ("c0", "c1", "bytes_in"))
    assert made[:, 0, :2].all() and not made[:, :, 2].any()


def detector(k, n, limit=0, beyond=0):
    """Each window in which c0 does anything has a score over 0, beyond its
    range, or, with `beyond`, by its distance from a reconstruction of 0.
    """
    zero = ints(0)
    return Detector(
        "replay", 1000, Schema(("c0",), (0,), (), ints(8), ints(0)), zero, zero, zero, zero, zero,
        ints([0, 0, 1] if beyond else [1, 0, 0]),
        [Layer(np.zeros((1, 1), np.int8), ints(128), zero)], ((k, n, limit),),
    )  # fmt: skip


def test_a_delay_is_the_median_of_the_windows_to_the_alarm():
    """A third of the shifts is in every window, in every second, in every
    sixth.
    """
    silent = np.zeros((1500, 1), np.int32)  # as where many are held
    found = shifts.delays(
        silent,
        [
            detector(1, 1),  # 1, 1, 1
            detector(2, 8),  # 2, 3, 7
            detector(3, 8),  # 3, 5, never
            detector(3, 8, beyond=1),
            detector(8, 8),  # 8, never, never
            detector(1, 1, NEVER),
        ],
    )
    assert found == [1, 3, 5, 5, LENGTH, LENGTH]


def test_an_alarm_that_only_the_windows_before_give_is_not_the_shift_s():
    busy = np.zeros((1500, 1), np.int64)
    busy[:, 0] = 1
    assert shifts.delays(busy, [detector(1, 1)]) == [1], "from the first window of a shift on"
    # a score of one event is 16, of two 16 * log2(3), and of five (4 times the
    # median) 41
    assert shifts.delays(busy, [detector(1, 1, 16)]) == [1]
    busiest = np.full((1500, 1), (1 << 31) - 1, np.int32)
    assert shifts.delays(busiest, [detector(1, 1)]) == [1], "more than the most is no less"


@pytest.mark.parametrize(
    ("n", "lead", "last"),
    [(2000, LEAD, 2000 - LENGTH), (1000, 500, 820), (333, 166, 166)],
)
def test_shifts_are_spread_over_the_recording_past_what_settles_its_sums(
    n, lead, last, monkeypatch
):
    laid = []
    found = reference.log_features

    def features(part, *others):
        laid.extend(part)
        return found(part, *others)

    monkeypatch.setattr(reference, "log_features", features)
    rows = np.stack([np.zeros(n, np.int64), np.arange(n)], axis=1)
    d = detector(1, 1)
    schema = Schema(("c0", "bytes_in"), (0,), (), ints(8, 8), ints(0, 0))
    two = {
        name: np.concatenate([getattr(d, name)] * 2)
        for name in ("offset", "high", "low", "far", "input_shift", "weights")
    }
    layer = Layer(np.zeros((2, 2), np.int8), ints(128, 128), ints(0, 0))
    before = rows.copy()
    shifts.delays(rows, [replace(d, schema=schema, layers=[layer], **two)])
    assert np.array_equal(rows, before), "the recording stays as it is"
    assert len(laid) == SHIFTS
    starts = np.linspace(lead, last, SHIFTS).astype(int)
    for part, start in zip(laid, starts.tolist(), strict=True):
        assert part[:, 1].tolist() == list(range(start - lead, min(start + LENGTH, n)))
        assert not part[:lead, 0].any() and part[lead, 0] > 0, "the shift begins after the lead"
