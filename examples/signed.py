"""Only models that their maker signed, in two slots that a power cut does not
break. fleet.key is what `openssl rand -hex 32 > fleet.key` gives; a new model,
signed with it, is found as update.inlier at the next boot.
"""

from inlier import monitor, sockets

source = sockets.install()  # before anything imports socket

import asyncio
import os

from inlier.model import ModelError
from inlier.secure import authentic, keys, slots

models = slots.Slots(authentic.Authentic(keys.from_file("fleet.key")))


def alarm(pipeline, features):
    print("window", pipeline.index, "is not like this device:", features)


def take_update():
    try:
        with open("update.inlier", "rb") as f:
            blob = f.read()
    except OSError:
        return  # there is none
    try:
        models.update("models", blob, source.name, source.counters)
        print("a new model runs")
    except ModelError as error:
        print("update refused, the former model runs on:", error)
    os.remove("update.inlier")


async def main():
    take_update()
    asyncio.create_task(monitor.watch("models", source, on_alarm=alarm, load=models.load))
    while True:  # your application instead
        await asyncio.sleep(60)


asyncio.run(main())
