"""What fails beside the scoring: said once, counted, and the next window is
scored; the watchdog is fed by scoring alone.
"""

import golden

try:
    import asyncio
    import os

    import punctual

    from inlier import monitor
    from inlier.model import load
    from inlier.pipeline import Pipeline
except ImportError:
    asyncio = None

GOLDEN = golden.FOLDER + "model.inlier"


class Vanishing:
    """A source of 10 events a reading, which cannot be read in its readings
    `gone`.
    """

    bits = 30

    def __init__(self, model, gone=()):
        self.name = model.source
        self.counters = model.counters()
        self.gone = gone
        self.readings = 0

    def read(self, values):
        self.readings += 1
        if self.readings in self.gone:
            raise OSError(19, "no such device")
        for i in range(len(values)):
            values[i] = 10 * self.readings


class Watched:
    """Run a monitor over 12 windows and keep what it was told. raising:
    callbacks that raise.
    """

    def __init__(self, gone=(), raising=(), latch_path=None, always_hot=False, always_quiet=False):
        model = load(GOLDEN)
        model.clear_after, model.cooldown, model.warmup = 1, 0, 0
        model.threshold_quiet = -1 if always_quiet else 0x3FFFFFFF
        model.quiet_after = 2
        model.horizons = lambda: iter(((1, 1, -1 if always_hot else 0x3FFFFFFF),))
        self.raising = raising
        self.pipeline = Pipeline(model, Vanishing(model, gone))
        self.said = []
        self.calls = []
        self.windows = []
        self.faults = monitor.Faults(self.said.append)
        punctual.run(monitor, self.main(monitor.Latch(latch_path)))

    async def main(self, latch):
        on = [self.callback(name) for name in ("on_alarm", "on_clear", "on_window", "on_quiet")]
        watching = asyncio.create_task(
            monitor.run(self.pipeline, *on, latch, self.callback("feed"), self.faults)
        )
        while self.pipeline.index < 11 and not watching.done():
            await asyncio.sleep(0)
        assert not watching.done(), "an exception left the monitor"
        watching.cancel()

    def callback(self, name):
        def call(*arguments):
            self.calls.append(name)
            if name == "on_window":
                self.windows.append(self.pipeline.deltas[0])
            if name in self.raising:
                raise ValueError(name)

        return call


def test_nothing_is_said_where_nothing_fails():
    if asyncio is None:
        return "needs asyncio"
    watched = Watched()
    assert watched.said == [] and watched.faults.counts == {}
    assert watched.calls.count("feed") == watched.calls.count("on_window") == 12


def test_callbacks_that_raise_are_said_once_and_counted():
    if asyncio is None:
        return "needs asyncio"
    raising = ("on_alarm", "on_window", "on_quiet", "feed")
    watched = Watched(raising=raising, always_hot=True, always_quiet=True)
    times = watched.calls.count("on_alarm")  # told again when it grows
    assert watched.faults.counts == {"on_alarm": times, "on_window": 12, "on_quiet": 1, "feed": 12}
    assert sorted(text.split(" ")[1] for text in watched.said) == sorted(raising)
    assert "scoring goes on" in watched.said[0] and "on_alarm" in watched.said[0]


def test_a_source_that_vanishes_is_waited_for_and_its_windows_are_no_burst():
    if asyncio is None:
        return "needs asyncio"
    for gone in ((5, 6, 7), (3,)):  # the first reading begins, the second is before the grid
        watched = Watched(gone=gone)
        assert watched.faults.counts == {"source": len(gone)} and len(watched.said) == 1
        assert watched.windows == [10] * 12, (
            "the first after it is the mean of those that it was away for"
        )
        assert watched.calls.count("feed") == 12 == watched.pipeline.index + 1, (
            "not in the windows that were not scored"
        )


def test_a_flash_that_is_full_or_gone_leaves_the_alarm():
    if asyncio is None:
        return "needs asyncio"
    for path in ["none/latch"] + (
        ["/dev/full"] if hasattr(os, "getenv") and exists("/dev/full") else []
    ):
        watched = Watched(latch_path=path, always_hot=True)
        assert watched.faults.counts == {"latch": 1} and "latch failed" in watched.said[0], path
        assert watched.calls.count("on_alarm") == 1, "and its callback is told"
        assert watched.pipeline.alarm.latched


def exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def test_a_callback_that_is_not_there_is_no_fault():
    if asyncio is None:
        return "needs asyncio"
    said = []
    faults = monitor.Faults(said.append)
    faults.guard("on_clear", None)
    assert faults.counts == {} and said == []


def test_a_latch_that_is_not_set_may_be_cleared():
    if asyncio is None:
        return "needs asyncio"
    for latch in (monitor.Latch(), monitor.Latch("test_no_latch")):
        latch.clear()
        assert not latch.is_set()
