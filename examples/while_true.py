"""An application without asyncio: a loop that goes round some times a window
or more often takes a step of the pipeline when a window is over.
"""

from inlier import sockets

source = sockets.install()  # before anything imports socket

import time

from inlier.model import load
from inlier.pipeline import Pipeline
from inlier.ticker import ticks_add, ticks_diff, ticks_ms

pipeline = Pipeline(load("model.inlier", source.name, source.counters), source)
window_ms = pipeline.model.window_ms
began = ticks_ms()

while True:
    time.sleep(0.02)  # your application instead
    # more than 1 where the application took longer than a window
    elapsed = ticks_diff(ticks_ms(), began) // window_ms
    if elapsed > 0:
        began = ticks_add(began, elapsed * window_ms)
        if pipeline.step(elapsed) > 0:
            print("window", pipeline.index, "is not like this device:", pipeline.explain())
