"""An example of `inlier deploy`: your application here, and its traffic
watched. Each window is also printed, which `inlier record --port` collects.
"""

from inlier import monitor, sockets

source = sockets.install()  # before anything imports socket

import asyncio

from inlier import stream
from inlier.model import load
from inlier.pipeline import Pipeline


def report(pipeline, features):
    print(
        "alarm in window %d:" % pipeline.index,
        ", ".join("%s %d %%" % feature for feature in features),
    )


async def main():
    model = load("model.inlier", source.name, source.counters)
    lines = stream.Stream(source, model.window_ms)
    asyncio.create_task(monitor.run(Pipeline(model, source), report, on_window=lines.scored))
    while True:  # your application instead: connect the network, then do what the device is for
        await asyncio.sleep(60)


asyncio.run(main())
