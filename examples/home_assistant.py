"""Alarms on the phone: the device announces itself to Home Assistant over MQTT.
mqtt.json beside it holds {"host": "…", "port": 1883, "user": "…", "password":
"…"}; `mpremote mip install umqtt.simple` brings what it needs.
"""

from inlier import monitor, sockets

source = sockets.install()  # before anything imports socket

import asyncio
import json

from inlier.sinks import mqtt


async def main():
    with open("mqtt.json") as f:
        broker = json.load(f)
    sink = mqtt.Mqtt("doorbell1", say=print, **broker)
    asyncio.create_task(sink.run())
    asyncio.create_task(
        monitor.watch(
            "model.inlier",
            source,
            sink.on_alarm,
            sink.on_clear,
            sink.on_window,
            sink.on_quiet,
        )
    )
    while True:  # your application instead
        await asyncio.sleep(60)


asyncio.run(main())
