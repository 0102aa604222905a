"""The asyncio task that scores every window while the application runs.

from inlier import sockets, monitor
source = sockets.install()  # before anything imports `socket`
asyncio.create_task(
    monitor.watch("doorbell.inlier", source, on_alarm=alarm)
)
"""

import os

from .model import load
from .pipeline import Pipeline
from .ticker import Ticker


class Latch:
    """Keeps over a reboot, in a file, that an alarm was raised and not
    acknowledged; `Latch(path).clear()` and `pipeline.alarm.acknowledge()` do
    that. Without a path it keeps nothing.
    """

    def __init__(self, path=None):
        self._path = path

    def is_set(self):
        try:
            return self._path is not None and bool(os.stat(self._path))
        except OSError:
            return False

    def set(self, text):
        if self._path is not None:
            with open(self._path, "w") as f:
                f.write(text)

    def clear(self):
        if self.is_set():
            os.remove(self._path)


class Faults:
    """What failed beside the scoring, which goes on: counts by name, each said
    once.

    log: the sink.
    """

    def __init__(self, log=print):
        self.counts = {}
        self._log = log

    def note(self, name, error):
        if name not in self.counts:
            self.counts[name] = 0
            self._log("inlier: %s failed: %r; scoring goes on" % (name, error))
        self.counts[name] += 1

    def guard(self, name, call, *arguments):
        if call is not None:
            try:
                call(*arguments)
            except Exception as error:
                self.note(name, error)


async def run(
    pipeline,
    on_alarm=None,
    on_clear=None,
    on_window=None,
    on_quiet=None,
    latch=None,
    feed=None,
    faults=None,
):
    """Score a window each window_ms, for ever.

    A callback should return soon: the application waits for it.

    on_alarm(pipeline, features): an alarm is raised (pipeline.event 1) or,
        being on, has grown (2); features as from Pipeline.explain().
    on_clear(pipeline): it is over.
    on_window(pipeline): after each window.
    on_quiet(pipeline): the device has gone quiet (pipeline.quiet.active), or is
        back.
    latch: a Latch, set when an alarm is raised.
    feed(): a watchdog's, after a window that was truly scored.
    faults: a Faults, which notes what a callback raises, a full flash under the
        latch, and a source that can't be read.
    """
    faults = faults or Faults()
    guard = faults.guard
    ticker = Ticker(pipeline.model.window_ms)
    # what was counted before the grid began belongs to no window
    guard("source", pipeline.windows.take)
    elapsed = 0
    while True:
        elapsed += await ticker.tick()
        try:
            event = pipeline.step(elapsed)
        except Exception as error:  # the source's: the window goes on until it can be read again
            faults.note("source", error)
            continue
        elapsed = 0
        if event > 0:
            features = pipeline.explain()
            if latch is not None and event == 1:
                guard("latch", latch.set, "%d %s" % (pipeline.index, features))
            guard("on_alarm", on_alarm, pipeline, features)
        elif event < 0:
            guard("on_clear", on_clear, pipeline)
        if pipeline.quiet.event:
            guard("on_quiet", on_quiet, pipeline)
        guard("on_window", on_window, pipeline)
        guard("feed", feed)


async def watch(
    path,
    source,
    on_alarm=None,
    on_clear=None,
    on_window=None,
    on_quiet=None,
    latch_path=None,
    load=load,
    feed=None,
    faults=None,
):
    """Load the model at `path` for `source` and run(), which says what the
    other parameters are. Raises ModelError, OSError.

    latch_path: a Latch's; while its file is there, pipeline.alarm.latched is
        True from boot on.
    load(path, source name, counters): what gives the Model, such as
        secure.authentic's, which refuses a model of others.
    """
    latch = Latch(latch_path)
    pipeline = Pipeline(load(path, source.name, source.counters), source, latched=latch.is_set())
    await run(pipeline, on_alarm, on_clear, on_window, on_quiet, latch, feed, faults)
