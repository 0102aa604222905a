"""What the device runs at boot: the application, and the three lines that add
inlier to it.
"""

from inlier import monitor, sockets

source = sockets.install()  # before anything imports socket

import asyncio

import doorbell


def report(pipeline, features):
    print(
        "alarm in window %d:" % pipeline.index,
        ", ".join("%s %d %%" % feature for feature in features),
    )


async def main():
    asyncio.create_task(monitor.watch("doorbell.inlier", source, on_alarm=report))
    await doorbell.run(doorbell.CONFIG)


asyncio.run(main())
