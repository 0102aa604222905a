"""An example of `inlier deploy`: what Linux counts is watched. Each window is
also printed, which `inlier record --port` collects.
"""

import asyncio

from inlier import monitor, stream
from inlier.model import load
from inlier.pipeline import Pipeline
from inlier.procfs import Procfs


def report(pipeline, features):
    print(
        "alarm in window %d:" % pipeline.index,
        ", ".join("%s %d %%" % feature for feature in features),
    )


source = Procfs()
model = load("model.inlier", source.name, source.counters)
lines = stream.Stream(source, model.window_ms)
asyncio.run(monitor.run(Pipeline(model, source), report, on_window=lines.scored))
