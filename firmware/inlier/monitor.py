"""The asyncio task that scores every window while the application runs.

from inlier import sockets, monitor
source = sockets.install()                       # before anything imports `socket`
asyncio.create_task(monitor.watch("doorbell.inlier", source, on_alarm=print))
"""

import asyncio
import os
import time

from .model import load
from .pipeline import Pipeline

try:
    from asyncio import sleep_ms
    from time import ticks_add, ticks_diff, ticks_ms
except ImportError:  # CPython

    def sleep_ms(ms):
        return asyncio.sleep(ms / 1000)

    def ticks_ms():
        return time.monotonic_ns() // 1000000

    def ticks_add(a, b):
        return a + b

    def ticks_diff(a, b):
        return a - b


class Ticker:
    """Ends of windows on a fixed grid. `await tick()` returns the window lengths that passed: over 1 if some were missed."""

    def __init__(self, window_ms):
        self._window_ms = window_ms
        self._last = ticks_ms()

    async def tick(self):
        window_ms = self._window_ms
        await sleep_ms(max(0, window_ms - ticks_diff(ticks_ms(), self._last)))
        elapsed = max(1, ticks_diff(ticks_ms(), self._last) // window_ms)
        self._last = ticks_add(self._last, elapsed * window_ms)
        return elapsed


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


async def watch(path, source, on_alarm=None, on_clear=None, on_window=None, latch_path=None):
    """Load the model at `path` for `source` and run. Raises ModelError, OSError."""
    latch = Latch(latch_path)
    pipeline = Pipeline(load(path, source.name, source.counters), source, latched=latch.is_set())
    await run(pipeline, on_alarm, on_clear, on_window, latch)
