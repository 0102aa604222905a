"""main.py of a Pico W: the demonstration's doorbell joins Wi-Fi and is
recorded, or beside a model watched, its alarms going out over MQTT. After a
while it is infected. For pico_w_line.py, whose settings.json lies beside it.
"""

from inlier import monitor, recorder, sockets

source = sockets.install()  # before anything imports socket

import asyncio
import json
import os
import random
import socket

import doorbell
import network

from inlier.sinks import lines, mqtt

with open("settings.json") as f:
    SETTINGS = json.load(f)
# lwIP of this port has five TCP connections; the doorbell and MQTT take three.
AT_ONCE = 2


async def join():
    station = network.WLAN(network.STA_IF)
    station.active(True)
    station.connect("inlier", "no password")
    while not station.isconnected():
        await asyncio.sleep_ms(20)
    print("joined as", station.ifconfig()[0])


async def scan():
    """Looks for telnet as Mirai does, nine times port 23 to once 2323. Every
    other address is one that nobody has: it never answers.
    """
    tried = []
    number = 0
    while True:
        net = "10.%d" % random.randint(64, 127) if number % 2 else "192.168"
        host = net + ".%d.%d" % (random.randint(0, 255), random.randint(1, 254))
        s = socket.socket()
        s.setblocking(False)
        tried.append(s)
        try:
            s.connect(socket.getaddrinfo(host, 23 if number % 10 else 2323)[0][-1])
        except OSError:
            pass  # begun
        await asyncio.sleep_ms(SETTINGS["window_ms"] // 5)
        try:
            s.send(b"\r\n")
        except OSError:
            pass  # refused, or nobody has answered yet
        if len(tried) == AT_ONCE:
            tried.pop(0).close()
        number += 1


async def main():
    await join()
    sink = mqtt.Mqtt(say=print, **SETTINGS["mqtt"])
    asyncio.create_task(sink.run())
    asyncio.create_task(doorbell.run(SETTINGS["doorbell"]))
    if "model.inlier" not in os.listdir():
        await recorder.record(source, SETTINGS["window_ms"])
    serial = lines.Lines()

    def on_alarm(pipeline, features):
        sink.on_alarm(pipeline, features)
        serial.on_alarm(pipeline, features)

    def on_window(pipeline):
        sink.on_window(pipeline)
        serial.on_window(pipeline)
        if pipeline.index == SETTINGS["infected_after"]:
            asyncio.create_task(scan())

    await monitor.watch("model.inlier", source, on_alarm, sink.on_clear, on_window, sink.on_quiet)


asyncio.run(main())
