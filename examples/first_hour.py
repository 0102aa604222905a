"""The first hour's device, main.py on a board. Every two seconds or so it asks
your computer for a page; beside a model it is watched, without one it records.

config.json beside it: {"server": "192.168.1.10", "ssid": "…", "password": "…"},
where server is your computer, on which `python3 -m http.server 8000
--directory docs` runs: it shows that folder to your network.

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

try:
    with open("config.json") as f:
        CONFIG = json.load(f)
except (OSError, ValueError):
    raise OSError("config.json is missing, or no JSON: write it, and copy it onto the board")
SECOND_MS = CONFIG.get("second_ms", 1000)  # less for who is in a hurry, such as a test
WINDOW_MS = SECOND_MS


def alarm(pipeline, features):
    print("ALARM in window %d, because of" % pipeline.index, features)


def clear(pipeline):
    print("calm again in window", pipeline.index)


def sleep(seconds):
    return asyncio.sleep(seconds * SECOND_MS / 1000)


async def join(station):
    while not station.isconnected():
        print("joining", CONFIG["ssid"])
        station.connect(CONFIG["ssid"], CONFIG["password"])
        for _ in range(20):
            if station.isconnected():
                print("connected:", station.ifconfig()[0])
                return
            await asyncio.sleep(1)
        print("no Wi-Fi: are ssid and password in config.json right, and is it one of 2.4 GHz?")
        station.disconnect()  # begins anew


async def stay_connected(station):
    while True:
        await join(station)
        await asyncio.sleep(5)


async def ask(port):
    """Whether somebody answered."""
    try:
        reader, writer = await asyncio.open_connection(CONFIG["server"], port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        await writer.drain()
        while await reader.read(256):
            pass
        writer.close()
        await writer.wait_closed()
        return True
    except OSError:
        return False  # nobody listens, or the network is away


async def pretend_infection():
    await sleep(180)
    print("now pretending an infection")
    for port in range(9000, 9060):
        await ask(port)
        await sleep(0.3)
    print("the infection is over")


async def main():
    if network:
        station = network.WLAN(network.STA_IF)
        station.active(True)
        await join(station)  # a recording without a network would say nothing
        asyncio.create_task(stay_connected(station))
    if "model.inlier" in os.listdir():
        print("watched")
        asyncio.create_task(monitor.watch("model.inlier", source, alarm, clear))
        asyncio.create_task(pretend_infection())
    else:
        asyncio.create_task(recorder.record(source, WINDOW_MS))
    port = CONFIG.get("port", 8000)
    answered = True
    while True:
        before, answered = answered, await ask(port)
        if before and not answered:
            print("%s:%d does not answer: does its http.server run?" % (CONFIG["server"], port))
        await sleep(random.randint(1, 3))


asyncio.run(main())
