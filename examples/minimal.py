"""The least that watches a device: put your application where it says so."""

from inlier import monitor, sockets

source = sockets.install()  # before anything imports socket

import asyncio


def alarm(pipeline, features):  # features: [("connects_refused", 41), ...], per cent
    print("window", pipeline.index, "is not like this device:", features)


async def main():
    asyncio.create_task(monitor.watch("model.inlier", source, on_alarm=alarm))
    while True:  # your application instead
        await asyncio.sleep(60)


asyncio.run(main())
