"""The first hour's device, main.py on a board. Every two seconds or so it asks
your computer for a page; beside a model it is watched, without one it records.

config.json beside it: {"server": "192.168.1.10", "ssid": "…", "password": "…"},
where server is your computer, on which `python3 -m http.server 8000` runs.

Three minutes after it began to be watched it pretends an infection: for twenty
seconds it tries ports of your computer at which nobody listens. That is
harmless, and ends by itself.
"""

from inlier import monitor, recorder, sockets

source = sockets.install()  # before anything imports socket

import asyncio
import json
import os
import random

try:
    import network
except ImportError:
    network = None  # Unix MicroPython: the computer's own

with open("config.json") as f:
    CONFIG = json.load(f)
SECOND_MS = CONFIG.get("second_ms", 1000)  # less for who is in a hurry, such as a test
WINDOW_MS = SECOND_MS


def alarm(pipeline, features):
    print("ALARM in window %d, because of" % pipeline.index, features)


def clear(pipeline):
    print("calm again in window", pipeline.index)


def sleep(seconds):
    return asyncio.sleep(seconds * SECOND_MS / 1000)


async def stay_connected():
    station = network.WLAN(network.STA_IF)
    station.active(True)
    while True:
        if not station.isconnected():
            station.connect(CONFIG["ssid"], CONFIG["password"])
            for _ in range(20):
                if station.isconnected():
                    print("connected:", station.ifconfig()[0])
                    break
                await asyncio.sleep(1)
            else:
                station.disconnect()  # begins anew
        await asyncio.sleep(5)


async def ask(port):
    try:
        reader, writer = await asyncio.open_connection(CONFIG["server"], port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        await writer.drain()
        while await reader.read(256):
            pass
        writer.close()
        await writer.wait_closed()
    except OSError:
        pass  # nobody listens, or the network is away


async def pretend_infection():
    await sleep(180)
    print("now pretending an infection")
    for port in range(9000, 9060):
        await ask(port)
        await sleep(0.3)
    print("the infection is over")


async def main():
    if network:
        asyncio.create_task(stay_connected())
    if "model.inlier" in os.listdir():
        print("watched")
        asyncio.create_task(monitor.watch("model.inlier", source, alarm, clear))
        asyncio.create_task(pretend_infection())
    else:
        asyncio.create_task(recorder.record(source, WINDOW_MS))
    while True:
        await ask(CONFIG.get("port", 8000))
        await sleep(random.randint(1, 3))


asyncio.run(main())
