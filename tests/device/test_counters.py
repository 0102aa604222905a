"""Wrap, reset and missed ticks become deltas here and nowhere else."""

from array import array

from inlier.counters import DELTA_MAX, Windows, delta
from inlier.kernels import plain
from inlier.replay import Replay

HALF = 1 << 29  # of a counter that wraps at 2^30


class Steps:
    """A source that shows each reading of a list in turn."""

    counters = ("a", "b")
    bits = 30

    def __init__(self, *readings):
        self._readings = iter(readings)

    def read(self, values):
        reading = next(self._readings)
        for i in range(len(values)):
            values[i] = reading[i]


def test_delta():
    for now, last, expected, why in (
        (7, 7, 0, "nothing happened"),
        (12, 7, 5, "counted on"),
        (3, (1 << 30) - 2, 5, "wrapped: from the top quarter to the bottom quarter, 2 + 3"),
        (3, HALF, 9, "reset: it did not come from the top quarter"),
        (HALF, (1 << 30) - 2, 9, "reset: it did not arrive in the bottom quarter"),
        (HALF // 2 - 1, HALF + HALF // 2, HALF - 1, "wrapped: both as far in as a wrap can be"),
        (HALF // 2 - 1, HALF + HALF // 2 - 1, 9, "reset: it came from below the top quarter"),
        (HALF // 2, HALF + HALF // 2, 9, "reset: it arrived above the bottom quarter"),
        (0, 5, 9, "reset to zero"),
        ((1 << 30) - 1, 0, DELTA_MAX, "the largest that fits"),
    ):
        assert delta(now, last, HALF, 9) == expected, why
    assert DELTA_MAX == 0x3FFFFFFF, "the largest small int of a 31-bit board"
    assert delta(1 << 40, 0, 1 << 63, 9) == DELTA_MAX, "a 64-bit counter's jump saturates"
    assert delta(5, (1 << 64) - 1, 1 << 63, 9) == 6, "a 64-bit counter wraps"


def test_take_reuses_its_array():
    windows = Windows(Steps((10, 0), (15, 1), (15, 4)))
    first = windows.take()
    assert list(first) == [5, 1]
    assert windows.take() is first and list(first) == [0, 3]


def test_a_source_s_width_says_where_its_counters_wrap():
    for bits in (30, 32, 64):
        source = Steps(((1 << bits) - 2, 0), (3, 0))
        source.bits = bits
        assert list(Windows(source).take()) == [5, 0], bits


def test_missed_ticks_give_the_mean_window():
    for totals, mean in (((9, 1), [2, 0]), ((2, DELTA_MAX), [1, 1 << 28])):
        assert list(Windows(Steps((0, 0), totals)).take(4)) == mean, (
            "a quarter of each, rounded to the nearest"
        )
    assert list(Windows(Steps((0, 0), (9, 4))).take(2)) == [5, 2], "half of each: one missed"


def test_a_reset_counter_is_taken_to_have_counted_as_in_the_window_before():
    windows = Windows(Steps((0, 0), (50, 1 << 28), (3, 1 << 28), (9, 5), (70, 6)))
    windows.take()
    assert list(windows.take()) == [50, 0], "what it holds, 3, would pass for a silence"
    assert list(windows.take()) == [6, 0], (
        "of a sum with a part gone, what is left would pass for a burst"
    )
    assert list(windows.take()) == [61, 1]
    late = Windows(Steps((0, 0), (50, 8), (3, 8)))
    late.take()
    assert list(late.take(4)) == [50, 0], "in each of the windows that were missed"


def test_a_replay_that_begins_its_totals_anew_loses_nothing():
    rows = [[1 << 28, 7], [1 << 28, 7], [1 << 29, 7], [5, 7], [6, 7]]
    source = Replay(rows, ("a", "b"))
    windows = Windows(source)
    for row in rows:
        source.advance()
        assert list(windows.take()) == row


class Live:
    """Counts into an array of its own."""

    counters = ("a", "b")

    def __init__(self, bits):
        self.bits = bits
        self.live = array("i", [0, 0])
        self.asked = []

    def read(self, values):
        self.asked.append(values)
        for i in range(2):
            values[i] = self.live[i]


def test_the_kernel_subtracts_what_fits_it_and_a_live_source_is_read_in_place():
    for bits, fits in ((29, True), (30, True), (31, False), (64, False)):
        source = Live(bits)
        calls = []

        def subtract(now, last, deltas, n):
            calls.append(now)
            return plain.subtract(now, last, deltas, n)

        windows = Windows(source, subtract)
        source.live[0] = 5
        assert list(windows.take()) == [5, 0]
        assert len(calls) == fits, bits
        assert (source.asked[-1] is source.live) == fits, bits
        assert all([now is source.live for now in calls])


def test_what_the_kernel_has_subtracted_is_not_mended():
    source = Live(30)

    def subtract(now, last, deltas, n):
        deltas[0], deltas[1] = 77, 78
        return source.live[1]

    windows = Windows(source, subtract)
    assert list(windows.take()) == [77, 78]
    source.live[1] = 3
    assert list(windows.take()) == [0, 3], "one went backwards, it said: taken one by one"
