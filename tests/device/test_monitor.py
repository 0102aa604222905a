"""The asyncio tasks: windows end on a grid, a late one is spread, alarms reach
the callbacks, a recording is a CSV.
"""

try:
    import asyncio

    from inlier import monitor
    from inlier.model import load
    from inlier.pipeline import Pipeline
except ImportError:
    asyncio = None

GOLDEN = (__file__.rsplit("/", 1)[0] if "/" in __file__ else ".") + "/../golden/model.inlier"


class Counting:
    """A source whose first counter moves by `step` at every reading."""

    bits = 30

    def __init__(self, model):
        self.name = model.source
        self.counters = model.counters()
        self.step = 0
        self.total = 0

    def read(self, values):
        self.total += self.step
        for i in range(len(values)):
            values[i] = self.total


def fast(model):
    model.window_ms = 5
    model.alarm = (2, 4, 3, 2, 4)
    return model


def watched(path=None):
    """Monitor a source that is quiet, goes wild and is quiet again; returns
    what the callbacks were told.
    """
    model = fast(load(GOLDEN))
    source = Counting(model)
    model.threshold_ae = model.threshold_svm = 0x3FFFFFFF
    pipeline = Pipeline(model, source)
    told = []

    def on_window(pipeline):
        told.append("hot" if pipeline.hot else "window")
        if pipeline.index == 6:
            model.threshold_ae = -1  # everything is hot now
        if pipeline.index == 12:
            model.threshold_ae = 0x3FFFFFFF

    async def main():
        task = asyncio.create_task(
            monitor.run(
                pipeline,
                lambda pipeline, features: told.append("alarm"),
                lambda pipeline: told.append("clear"),
                on_window,
                monitor.Latch(path),
            )
        )
        while pipeline.index < 20:
            await asyncio.sleep(0.001)
        task.cancel()

    asyncio.run(main())
    return told


def test_alarm_and_clear_reach_the_callbacks_in_their_windows():
    if asyncio is None:
        return "needs asyncio"
    told = watched()
    assert told.count("alarm") == 1 and told.count("clear") == 1
    assert told.index("alarm") == 8, (
        "seven calm windows, a hot one, and the second hot one raises it"
    )
    assert told[told.index("clear") - 2 : told.index("clear")] == ["window", "window"], (
        "the third quiet one clears it"
    )


class Punctual:
    """Stands in for the monitor's clock: each window ends at once."""

    def __init__(self, window_ms):
        pass

    async def tick(self):
        await asyncio.sleep(0)
        return 1


def test_what_was_counted_before_the_grid_began_belongs_to_no_window():
    if asyncio is None:
        return "needs asyncio"
    model = load(GOLDEN)
    source = Counting(model)
    source.step = 3
    pipeline = Pipeline(model, source)
    source.total += 5000  # such as what the application does while it starts
    seen = []

    async def main():
        running = monitor.run(pipeline, on_window=lambda p: seen.append(p.deltas[0]))
        task = asyncio.create_task(running)
        while len(seen) < 3:
            await asyncio.sleep(0)
        task.cancel()

    former = monitor.Ticker
    monitor.Ticker = Punctual
    try:
        asyncio.run(main())
    finally:
        monitor.Ticker = former
    assert seen == [3, 3, 3]


def test_latch_outlives_the_run_until_it_is_cleared():
    if asyncio is None:
        return "needs asyncio"
    path = "latch.tmp"
    watched(path)
    latch = monitor.Latch(path)
    assert latch.is_set()
    latch.clear()
    assert not latch.is_set() and not monitor.Latch(None).is_set()
