"""A monitored device that prints to its serial port, its application's prints
among inlier's lines: for test_live.py.

argv: a model. Scores 12 windows of 20 ms, the last ones over the threshold.
"""

import asyncio
import sys

from inlier import monitor
from inlier.model import load
from inlier.pipeline import Pipeline
from inlier.replay import Replay
from inlier.sinks.lines import Lines


async def main():
    model = load(sys.argv[1])
    model.window_ms = 20
    model.clear_after, model.cooldown, model.warmup, model.quiet_after = 4, 0, 0, 3
    model.threshold_quiet = 0x3FFFFFFF
    limits = [(2, 4, -1)]  # every window is over it, in the end
    model.horizons = lambda: iter(limits)
    pipeline = Pipeline(model, Replay((), model.counters()))
    pipeline.alarm.hold = 6
    lines = Lines()
    ended = asyncio.Event()

    def on_window(pipeline):
        print("battery 3.9 V {}")
        lines.on_window(pipeline)
        if pipeline.index == 11:
            ended.set()

    scoring = asyncio.create_task(monitor.run(pipeline, lines.on_alarm, lines.on_clear, on_window))
    await ended.wait()
    scoring.cancel()


asyncio.run(main())
