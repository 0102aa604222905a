"""The asyncio task that writes windows for training: the same windows that the monitor will score.

from inlier import recorder, sockets
source = sockets.install()                       # before anything imports `socket`
asyncio.create_task(recorder.record("windows.csv", source, 10_000))
"""

import os

from .counters import Windows
from .ticker import Ticker


async def record(path, source, window_ms, count=-1, on_window=None):
    """Append `count` windows (-1: without end) to the CSV file at `path`, begun with the counters' names if it is new.

    Each window is on flash when the next begins. on_window(deltas) after each. Raises OSError on a full flash; what was
    written stays.
    """
    try:
        begun = os.stat(path)[6] > 0  # MicroPython's tell() says 0 until something is appended
    except OSError:
        begun = False
    with open(path, "a") as f:
        if not begun:
            f.write(",".join(source.counters) + "\n")
        windows = Windows(source)
        ticker = Ticker(window_ms)
        while count:
            deltas = windows.take(await ticker.tick())
            f.write(",".join(map(str, deltas)) + "\n")
            f.flush()
            if on_window is not None:
                on_window(deltas)
            count -= 1
