"""Alarms on the phone: the device announces itself to Home Assistant over MQTT.
mqtt.json beside it holds {"host": "…", "port": 1883, "user": "…", "password":
"…"}, and on a board with Wi-Fi wifi.json {"ssid": "…", "password": "…"};
`mpremote mip install umqtt.simple` brings what it needs.
"""

from inlier import monitor, sockets

source = sockets.install()  # before anything imports socket

import asyncio
import json

from inlier.sinks import mqtt

try:
    import network
except ImportError:
    network = None  # Unix MicroPython: the computer's own


def read(name):
    try:
        with open(name) as f:
            return json.load(f)
    except (OSError, ValueError):
        raise OSError("%s is missing, or no JSON: write it, and copy it onto the board" % name)


async def stay_connected():
    wifi = read("wifi.json")
    station = network.WLAN(network.STA_IF)
    station.active(True)
    while True:
        if not station.isconnected():
            print("joining", wifi["ssid"])
            station.connect(wifi["ssid"], wifi["password"])
            for _ in range(20):
                await asyncio.sleep(1)
                if station.isconnected():
                    print("connected:", station.ifconfig()[0])
                    break
            else:
                print("no Wi-Fi: are ssid and password in wifi.json right?")
                station.disconnect()  # begins anew
        await asyncio.sleep(5)


async def main():
    if network:
        asyncio.create_task(stay_connected())
    sink = mqtt.Mqtt("doorbell1", say=print, **read("mqtt.json"))
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
