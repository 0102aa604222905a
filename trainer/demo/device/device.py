"""The demo's device: firmware/doorbell.py with inlier, told by one JSON argument what to do.

{"mode": "record", "out": CSV, "windows": n, "skip": n, "window_ms": ms, "doorbell": {…}}
{"mode": "monitor", "model": file, "windows": n, "attacks": [[window, "scan" | "flood" | "beacon", {…}], …], "doorbell": {…}}

Prints one JSON object a line: {"recorded": i}, or each window's index, deltas, scores, whether it is hot and the alarm
stands, and the top features when it is raised.
"""

from inlier import counters, monitor, sockets

source = sockets.install()  # before anything imports socket

import asyncio
import json
import sys

import doorbell


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")


async def record(order):
    """Write `windows` windows to a CSV, after leaving out `skip` of them."""
    windows = counters.Windows(source)
    ticker = monitor.Ticker(order["window_ms"])
    with open(order["out"], "w") as f:
        f.write(",".join(source.counters) + "\n")
        for i in range(-order["skip"], order["windows"]):
            deltas = windows.take(await ticker.tick())
            if i >= 0:
                f.write(",".join(map(str, deltas)) + "\n")
                f.flush()
                say({"recorded": i + 1})


async def watch(order):
    attacks = order["attacks"]
    ended = asyncio.Event()

    def on_alarm(pipeline, features):
        say({"alarm_in": pipeline.index, "features": features})

    def on_window(pipeline):
        if attacks and attacks[0][0] == pipeline.index + 1:
            infect(*attacks.pop(0)[1:])
        say({
            "index": pipeline.index,
            "deltas": list(pipeline.deltas),
            "ae": pipeline.ae,
            "svm": pipeline.svm,
            "hot": pipeline.hot,
            "alarm": pipeline.alarm.active,
        })  # fmt: skip
        if pipeline.index + 1 == order["windows"]:
            ended.set()

    task = asyncio.create_task(monitor.watch(order["model"], source, on_alarm, on_window=on_window))
    waiting = asyncio.create_task(ended.wait())
    while not task.done() and not waiting.done():
        await asyncio.sleep(0.05)
    if task.done():
        await task  # raises why


def infect(stage, settings):
    """The moment at which the device runs somebody else's code."""
    import infection

    asyncio.create_task(getattr(infection, stage)(**settings))


async def main(order):
    application = asyncio.create_task(doorbell.run(order["doorbell"]))
    await (record if order["mode"] == "record" else watch)(order)
    application.cancel()


asyncio.run(main(json.loads(sys.argv[1])))
