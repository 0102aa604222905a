"""The asyncio task that scores every window while the application runs.

from inlier import sockets, monitor
source = sockets.install()                       # before anything imports `socket`
asyncio.create_task(monitor.watch("doorbell.inlier", source, on_alarm=print))
"""

import os

from .model import load
from .pipeline import Pipeline
from .ticker import Ticker


class Latch:
    """Keeps over a reboot, in a file, that an alarm was raised and not acknowledged. Without a path it keeps nothing."""

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


async def run(pipeline, on_alarm=None, on_clear=None, on_window=None, latch=None):
    """Score a window each window_ms, for ever.

    on_alarm(pipeline, features): features as from Pipeline.explain(); on_clear(pipeline); on_window(pipeline) after each
    window. A callback should return soon: the application waits for it.
    """
    ticker = Ticker(pipeline.model.window_ms)
    pipeline.windows.take()  # what was counted before the grid began belongs to no window
    while True:
        event = pipeline.step(await ticker.tick())
        if event > 0:
            features = pipeline.explain()
            if latch is not None:
                latch.set("%d %s" % (pipeline.index, features))
            if on_alarm is not None:
                on_alarm(pipeline, features)
        elif event < 0 and on_clear is not None:
            on_clear(pipeline)
        if on_window is not None:
            on_window(pipeline)


async def watch(path, source, on_alarm=None, on_clear=None, on_window=None, latch_path=None, load=load):
    """Load the model at `path` for `source` and run. Raises ModelError, OSError.

    load(path, source name, counters): what gives the Model, such as secure.authentic's, which refuses a model of others.
    """
    latch = Latch(latch_path)
    pipeline = Pipeline(load(path, source.name, source.counters), source, latched=latch.is_set())
    await run(pipeline, on_alarm, on_clear, on_window, latch)
