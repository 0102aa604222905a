"""The asyncio tasks: windows end on a grid, a late one is spread, alarms reach
the callbacks, a recording is a CSV.
"""

import golden

try:
    import asyncio

    import punctual

    from inlier import monitor
except ImportError:
    asyncio = None

from inlier.kernels import plain
from inlier.model import load
from inlier.pipeline import Pipeline

GOLDEN = golden.FOLDER + "model.inlier"
HIGH = 1000  # the threshold


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
    model.clear_after, model.cooldown, model.warmup, model.quiet_after = 3, 2, 4, 3
    model.horizons = lambda: iter(((2, 4, HIGH),))
    return model


class Scores:
    """Stands in for a kernel: gives the scores that a test asks for."""

    score = quiet = 0

    @staticmethod
    def prepare(model):
        return plain.prepare(model)

    subtract = staticmethod(plain.subtract)

    @staticmethod
    def features(deltas, params, work):
        pass

    @staticmethod
    def autoencoder(params, work):
        return 0

    @staticmethod
    def evidence(params, work, sums):
        sums[0] = Scores.score
        sums[1] = Scores.quiet
        return sums[0] > sums[2] or sums[1] > sums[3]


def watched(latch=None, grows=False):
    """Monitor a source that is calm, goes wild and is calm again; returns what
    the callbacks were told. grows: it goes wilder meanwhile, and stays so.
    """
    model = fast(load(GOLDEN))
    source = Counting(model)
    pipeline = Pipeline(model, source, Scores)
    told = []
    Scores.score, Scores.quiet = 0, 0

    def on_window(pipeline):
        told.append("hot" if pipeline.hot else "window")
        if pipeline.index == 6:
            Scores.score = HIGH + 1
        if pipeline.index == 12:
            Scores.score = 4 * (HIGH + 1) if grows else 0
        Scores.quiet = model.threshold_quiet + 1 if 2 <= pipeline.index < 10 else 0

    async def main():
        task = asyncio.create_task(
            monitor.run(
                pipeline,
                lambda pipeline, features: told.append("alarm"),
                lambda pipeline: told.append("clear"),
                on_window,
                lambda pipeline: told.append("gone" if pipeline.quiet.active else "back"),
                latch,
            )
        )
        while pipeline.index < (40 if grows else 20):
            await asyncio.sleep(0.001)
        task.cancel()

    asyncio.run(main())
    return told


def test_alarm_and_clear_reach_the_callbacks_in_their_windows():
    if asyncio is None:
        return "needs asyncio"
    told = [what for what in watched() if what not in ("gone", "back")]
    assert told.count("alarm") == 1 and told.count("clear") == 1
    assert told.index("alarm") == 8, (
        "seven calm windows, a hot one, and the second hot one raises it"
    )
    assert told[told.index("clear") - 2 : told.index("clear")] == ["window", "window"], (
        "the third calm one clears it"
    )


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

    punctual.run(monitor, main())
    assert seen == [3, 3, 3]


def test_an_alarm_that_grows_is_told_again_and_no_oftener():
    if asyncio is None:
        return "needs asyncio"
    kept = []

    class Counted:
        set = kept.append

    told = watched(Counted, grows=True)
    windows = [what for what in told if what not in ("gone", "back")]
    alarms = [i for i, what in enumerate(windows) if what == "alarm"]
    assert alarms[0] == 8 and len(alarms) == 2, (
        "raised, and told once more for the score that is four times the one told"
    )
    assert alarms[1] - alarms[0] == 9, "TELL_AFTER windows later"
    assert "clear" not in told and len(kept) == 1, "flash is written when it is raised"


def test_a_device_that_goes_quiet_and_is_back_reaches_its_own_callback():
    if asyncio is None:
        return "needs asyncio"
    told = [what for what in watched() if what in ("gone", "back", "window", "hot")]
    assert told.count("gone") == told.count("back") == 1
    # quiet from window 3 on, told in the third; back in the third after window
    # 10
    assert told.index("gone") == 5 and told.index("back") == 5 + 1 + 8, told


def test_latch_outlives_the_run_until_it_is_cleared():
    if asyncio is None:
        return "needs asyncio"
    path = "latch.tmp"
    watched(monitor.Latch(path))
    latch = monitor.Latch(path)
    assert latch.is_set()
    latch.clear()
    assert not latch.is_set() and not monitor.Latch(None).is_set()


def test_a_model_s_file_is_watched_for_its_source_and_with_the_latch_of_before():
    if asyncio is None:
        return "needs asyncio"
    path = "latch.tmp"
    source = Counting(load(GOLDEN))
    for was in (True, False):
        if was:
            monitor.Latch(path).set("an alarm")
        else:
            monitor.Latch(path).clear()
        asked = []
        seen = []

        def loaded(*what):
            asked.append(what)
            return load(*what)

        async def main():
            watching = asyncio.create_task(
                monitor.watch(GOLDEN, source, on_window=seen.append, latch_path=path, load=loaded)
            )
            while len(seen) < 2 and not watching.done():
                await asyncio.sleep(0)
            watching.cancel()

        punctual.run(monitor, main())
        assert asked == [(GOLDEN, source.name, source.counters)]
        assert len(seen) == 2 and seen[0].alarm.latched == was
