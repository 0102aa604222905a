"""The demonstration's device: the doorbell with inlier, recording or monitored.
A line of inlier.recorder a window, or one JSON object, says what happens.

argv: a file of settings (JSON), as inlier_host/demo/stages.py writes it.
"""

import json
import sys

with open(sys.argv[1]) as f:
    SETTINGS = json.load(f)

from inlier import sockets

source = sockets.install()  # before anything imports socket

import asyncio

import doorbell
from infection import Infection

from inlier import monitor, recorder


def say(**what):
    print(json.dumps(what))


class Director:
    """Moves through the plan: a list of {"name", "windows", "calm"}.

    A stage lasts so many windows; with `calm`, longer, until the alarm has been
    off for so many in a row, but never more than `at_most`. A stage whose name
    an attack has is one.
    """

    def __init__(self, plan):
        self._plan = plan
        self._infection = Infection(SETTINGS["targets"])
        self._at = 0
        self._windows = 0
        self._calm = 0
        self.event = 0
        self.features = []
        self.ended = False

    def on_alarm(self, pipeline, features):
        self.event = pipeline.event
        self.features = features

    def on_clear(self, pipeline):
        self.event = -1

    def on_window(self, pipeline):
        stage = self._plan[self._at]
        say(
            stage=self._at,
            deltas=list(pipeline.deltas),
            f=[pipeline.f[i] for i in range(pipeline.model.features)],
            x=pipeline.x.hex(),
            y=pipeline.y.hex(),
            ae=pipeline.ae,
            svm=pipeline.svm,
            quiet=pipeline.quiet.score,
            hot=pipeline.hot,
            event=self.event,
            gone=pipeline.quiet.event,
            features=self.features,
        )
        self.event = 0
        self.features = []
        self._windows += 1
        self._calm = 0 if pipeline.alarm.active else self._calm + 1
        calm = self._calm >= stage.get("calm", 0) or self._windows >= stage.get("at_most", 0)
        if self._windows >= stage["windows"] and calm:
            self._next()

    def _next(self):
        self._at += 1
        self._windows = 0
        self._infection.stop()
        if self._at == len(self._plan):
            self.ended = True
        else:
            self._infection.start(self._plan[self._at]["name"])


async def main():
    application = asyncio.create_task(doorbell.run(SETTINGS["doorbell"]))
    if "plan" not in SETTINGS:
        await recorder.record(source, SETTINGS["window_ms"], count=SETTINGS["count"])
    else:
        director = Director(SETTINGS["plan"])
        watch = monitor.watch(
            SETTINGS["model"], source, director.on_alarm, director.on_clear, director.on_window
        )
        watching = asyncio.create_task(watch)
        while not (director.ended or watching.done()):
            await asyncio.sleep(0.05)
        if watching.done():
            await watching  # raises why
        watching.cancel()
    application.cancel()


asyncio.run(main())
