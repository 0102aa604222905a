"""On a board with Wi-Fi: joins the network, joins it again when it is lost, and
is watched all the while. wifi.json beside it holds {"ssid": "…", "password":
"…"}.
"""

from inlier import monitor, sockets

source = sockets.install()  # before anything imports socket

import asyncio
import json

import network


def alarm(pipeline, features):
    print("window", pipeline.index, "is not like this device:", features)


def quiet(pipeline):
    print("gone quiet" if pipeline.quiet.active else "its traffic is back")


async def stay_connected():
    with open("wifi.json") as f:
        wifi = json.load(f)
    station = network.WLAN(network.STA_IF)
    station.active(True)
    while True:
        if not station.isconnected():
            print("joining", wifi["ssid"])
            station.connect(wifi["ssid"], wifi["password"])
            for _ in range(20):
                if station.isconnected():
                    print("connected:", station.ifconfig()[0])
                    break
                await asyncio.sleep(1)
            else:
                print("no Wi-Fi: are ssid and password in wifi.json right?")
                station.disconnect()  # begins anew
        await asyncio.sleep(5)


async def main():
    asyncio.create_task(monitor.watch("model.inlier", source, alarm, on_quiet=quiet))
    await stay_connected()  # and your application


asyncio.run(main())
