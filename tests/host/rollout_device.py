"""A device that takes models, for test_fleet_rollout.py and
test_fleet_rollout_web.py: under CPython and Unix MicroPython. argv: a file of
JSON with `way` (module of inlier.sinks), `device` (arguments of its Rollout),
`key`, `folder` and `limits`. Prints what happens, a JSON object a line, and
ends when a model was installed, as a board would by a reset.
"""

import asyncio
import json
import sys
from binascii import unhexlify

from inlier.model import Model
from inlier.secure import authentic, calibration

with open(sys.argv[1]) as f:
    SETTINGS = json.load(f)
if SETTINGS["way"] == "rollout_http":
    from inlier.sinks.rollout_http import Rollout
else:
    from inlier.sinks.rollout import Rollout


class Source:
    def __init__(self):
        with open(SETTINGS["model"], "rb") as f:
            model = Model(f.read())
        self.name, self.counters = model.source, model.counters()


async def main():
    key = authentic.Authentic(unhexlify(SETTINGS["key"]))
    mine = calibration.CalibratedSlots(key, SETTINGS["limits"])
    ended = asyncio.Event()
    sink = Rollout(
        slots=mine,
        folder=SETTINGS["folder"],
        source=Source(),
        installed=ended.set,
        limits=SETTINGS["limits"],
        **SETTINGS["device"],
    )
    number = sink.number()
    limits = None
    if number >= 0:
        model = mine.load(SETTINGS["folder"])
        limits = [limit for _, _, limit in model.horizons()]
    print(json.dumps({"running": number, "limits": limits}))
    task = asyncio.create_task(sink.run())
    await ended.wait()
    task.cancel()
    print(json.dumps({"installed": sink.number()}))


asyncio.run(main())
