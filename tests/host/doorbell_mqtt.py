"""The demonstration's doorbell on MicroPython, infected, its alarms going out
over MQTT: for test_doorbell_mqtt.py.

argv: a file of JSON: `doorbell` and `targets` as inlier_host/demo/servers.py
gives them, `model`, `path` (folders to import from), `mqtt` (arguments of
Mqtt). Prints one JSON object a window.
"""

import json
import sys

with open(sys.argv[1]) as f:
    SETTINGS = json.load(f)
sys.path.extend(SETTINGS["path"])

from inlier import sockets

source = sockets.install()  # before anything imports socket

import asyncio

import doorbell
from infection import Infection

from inlier import monitor
from inlier.sinks import mqtt

BENIGN = 60  # windows: the warm-up and some more
SCAN_AT_MOST = 60
CALM_AT_MOST = 300

mqtt.ANSWER_S = 300  # on a busy machine an answer is late, not missing
infection = Infection(SETTINGS["targets"])
sink = mqtt.Mqtt(say=lambda sentence: print(json.dumps({"problem": sentence})), **SETTINGS["mqtt"])
cleared = asyncio.Event()


def on_alarm(pipeline, features):
    infection.stop()
    sink.on_alarm(pipeline, features)


def on_clear(pipeline):
    sink.on_clear(pipeline)
    cleared.set()


def on_quiet(pipeline):
    sink.on_quiet(pipeline)
    print(json.dumps({"quiet": pipeline.quiet.active}))


def on_window(pipeline):
    sink.on_window(pipeline)
    print(
        json.dumps({"window": pipeline.index, "hot": pipeline.hot, "deltas": list(pipeline.deltas)})
    )
    if pipeline.index == BENIGN:
        infection.start("scan")
    elif pipeline.index == BENIGN + SCAN_AT_MOST:
        infection.stop()
    elif pipeline.index == BENIGN + CALM_AT_MOST:
        cleared.set()


async def main():
    tasks = [
        asyncio.create_task(doorbell.run(SETTINGS["doorbell"])),
        asyncio.create_task(sink.run()),
        asyncio.create_task(
            monitor.watch(SETTINGS["model"], source, on_alarm, on_clear, on_window, on_quiet)
        ),
    ]
    await cleared.wait()
    while len(sink.outbox):
        await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()


asyncio.run(main())
