"""When windows end: a fixed grid of time that a busy application may make us
late for, but never drifts.
"""

import asyncio
import time

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
    """Ends of windows on a fixed grid. `await tick()` returns the window
    lengths that passed: over 1 if some were missed.

    A tick that comes late finds the application with a backlog, which it does
    at once: with all that it kept from doing, the next windows would be
    outliers of timing, not of traffic. So the window goes on over one whole
    length more, and its mean spreads the backlog over the time in which it
    gathered. Only once: a device that is kept busy without end is scored.
    """

    def __init__(self, window_ms):
        self._window_ms = window_ms
        self._last = ticks_ms()

    async def tick(self):
        elapsed = await self._end(1)
        if elapsed > 1:
            elapsed += await self._end(2)
        return elapsed

    async def _end(self, count):
        window_ms = self._window_ms
        now = ticks_ms()
        if (
            ticks_diff(now, self._last) < 0
        ):  # the clock was set back: waiting for it would be a silence as long as the step
            self._last = now
        await sleep_ms(max(0, count * window_ms - ticks_diff(now, self._last)))
        elapsed = max(1, ticks_diff(ticks_ms(), self._last) // window_ms)
        self._last = ticks_add(self._last, elapsed * window_ms)
        return elapsed
