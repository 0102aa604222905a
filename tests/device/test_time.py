"""Clocks that jump and counters that stall, burst and are reset: scores stay in
range and nothing leaves the monitor.
"""

from array import array

import golden

from inlier.counters import DELTA_MAX
from inlier.pipeline import Pipeline

try:
    from inlier import ticker
except ImportError:  # a bare board has no asyncio
    ticker = None

WINDOW_MS = 1000
PERIOD_MS = 1 << 30  # of MicroPython's ticks


class Clock:
    """Stands in for the platform's clock in inlier.ticker: sleeping takes the
    time asked for, and what a jump adds.
    """

    def __init__(self):
        self.now = PERIOD_MS - 1500  # wraps in the second window
        self.jump = 0
        self.slept = []

    def ticks_ms(self):
        return self.now

    def ticks_add(self, a, b):
        return (a + b) % PERIOD_MS

    def ticks_diff(self, a, b):
        return (a - b + PERIOD_MS // 2) % PERIOD_MS - PERIOD_MS // 2

    async def sleep_ms(self, ms):
        self.slept.append(ms)
        self.now = (self.now + ms + self.jump) % PERIOD_MS
        self.jump = 0


def tick(t):
    try:
        t.tick().send(None)
    except StopIteration as end:
        return end.value


def ticking(test):
    """Run `test(clock, ticker)` with the clock of this file."""
    names = ("ticks_ms", "ticks_add", "ticks_diff", "sleep_ms")
    former = [getattr(ticker, name) for name in names]
    clock = Clock()
    try:
        for name in names:
            setattr(ticker, name, getattr(clock, name))
        test(clock, ticker.Ticker(WINDOW_MS))
    finally:
        for i in range(len(names)):
            setattr(ticker, names[i], former[i])


def test_a_clock_that_wraps_or_jumps_back_delays_no_window():
    if ticker is None:
        return "needs asyncio"

    def test(clock, t):
        for jump in (0, 0, 0, -1, -WINDOW_MS, -3600000, -(PERIOD_MS // 4), 0, 0):
            clock.jump = jump
            assert tick(t) == 1, jump
        assert max(clock.slept) <= WINDOW_MS, (
            "without the defence it waits for as long as the clock was set back"
        )

    ticking(test)


def test_a_clock_that_jumps_ahead_ends_one_long_window():
    if ticker is None:
        return "needs asyncio"

    def test(clock, t):
        clock.jump = 3600000
        assert 3600 <= tick(t) <= 3603
        assert [tick(t) for _ in range(3)] == [1, 1, 1] and max(clock.slept) <= 2 * WINDOW_MS

    ticking(test)


def test_a_late_window_goes_on_for_one_whole_length_and_then_is_back_on_the_grid():
    if ticker is None:
        return "needs asyncio"

    def test(clock, t):
        clock.jump = 2500  # the application kept the processor while the window slept
        assert tick(t) == 5 and clock.slept == [1000, 1500], "its end, then to the grid beyond"
        clock.now = (clock.now + 300) % PERIOD_MS  # what its callbacks took
        assert tick(t) == 1 and clock.slept[2:] == [700], "no drift"
        clock.now = (clock.now + 2300) % PERIOD_MS  # callbacks that took two windows
        assert tick(t) == 4 and clock.slept[3:] == [0, 1700]
        clock.jump = 1000  # late by a whole one, exactly
        assert tick(t) == 4 and clock.slept[5:] == [1000, 2000]

    ticking(test)


def test_cpython_s_clock_has_the_units_of_micropython_s():
    import sys

    if sys.implementation.name == "micropython":
        return "has them itself"
    from types import SimpleNamespace

    assert ticker.ticks_add(1000, 30) == 1030 and ticker.ticks_diff(1030, 1000) == 30
    former = ticker.time, ticker.asyncio
    slept = []
    try:
        ticker.time = SimpleNamespace(monotonic_ns=lambda: 7_000_000_000_999_999)
        ticker.asyncio = SimpleNamespace(sleep=lambda s: slept.append(s) or "to await")
        assert (
            ticker.ticks_ms() == 7_000_000_000
            and ticker.sleep_ms(1500) == "to await"
            and slept == [1.5]
        )
    finally:
        ticker.time, ticker.asyncio = former


class Scripted:
    name = "replay"

    def __init__(self, bits, counters):
        self.bits = bits
        self.counters = counters
        self.total = 0

    def read(self, values):
        for i in range(len(values)):
            values[i] = self.total


def test_scores_stay_in_range_whatever_counters_do():
    model = golden.model()
    for bits in (30, 31, 32, 64):
        top = (1 << bits) - 1
        source = Scripted(bits, model.counters())
        pipeline = Pipeline(model, source)
        for total in (
            0,
            5,
            5,
            5,
            top,
            3,
            0,
            top // 2,
            0,
            1000000000 & top,
            top,
            top - 1,
            top,
            0,
            1,
        ):
            for elapsed in (1, 2, 7, 1 << 29):
                source.total = total
                pipeline.step(elapsed)
                assert min(pipeline.deltas) >= 0 and max(pipeline.deltas) <= DELTA_MAX, (
                    bits,
                    total,
                )
                assert 0 <= pipeline.ae < 1 << 30 and abs(pipeline.svm) < 1 << 30, (bits, total)
                pipeline.explain()


def test_a_burst_is_forgotten():
    model = golden.model()
    n = len(model.counters())
    calm = Pipeline(model, Scripted(30, model.counters()))
    burst = Pipeline(model, Scripted(30, model.counters()))
    burst.score(array("i", [1000000000] * n))
    for _ in range(
        400
    ):  # the slowest mean of about 16 windows loses a factor of e in so many; 2^26 is 18 of them
        calm.score(array("i", [100] * n))
        burst.score(array("i", [100] * n))
    assert bytes(calm.x) == bytes(burst.x) and (calm.ae, calm.svm) == (burst.ae, burst.svm)
