"""A monitored device that publishes over MQTT, for test_mqtt.py: under CPython
and Unix MicroPython.

argv: a file of JSON, an object with `device` (arguments of Mqtt), `ca` (a file,
or null), `hot` (windows over the threshold), `silent` (windows without
traffic), `windows`, `connect_first` (score only then), `in_step` (a window ends
when all of the last one is sent), `pauses` (window: whether all of it must be
sent first; there it waits for the file argv[1] + ".WINDOW"), `answer_s`,
`window_ms` and `model`. Prints one JSON object a line: each window's end,
alarm, clear, quiet, pause and problem.
"""

import asyncio
import json
import os
import sys

from inlier import monitor
from inlier.kernels import plain
from inlier.model import load
from inlier.pipeline import Pipeline
from inlier.sinks import mqtt

with open(sys.argv[1]) as f:
    SETTINGS = json.load(f)


class Still:
    """A source that counts nothing: the model's thresholds decide what is hot."""

    bits = 30

    def __init__(self, model):
        self.name = model.source
        self.counters = model.counters()

    def read(self, values):
        for i in range(len(values)):
            values[i] = 0


def say(**what):
    print(json.dumps(what))
    if hasattr(sys.stdout, "flush"):
        sys.stdout.flush()


def exists(path):
    try:
        return bool(os.stat(path))
    except OSError:
        return False


class Scores:
    """Stands in for a kernel: gives the scores that a test asks for."""

    score = quiet = 0

    def prepare(self, model):
        return plain.prepare(model)

    subtract = staticmethod(plain.subtract)

    def features(self, deltas, params, work):
        pass

    def autoencoder(self, params, work):
        return 0

    def evidence(self, params, work, sums):
        sums[0] = self.score
        sums[1] = self.quiet
        return sums[0] > sums[2] or sums[1] > sums[3]


async def main():
    model = load(SETTINGS["model"])
    model.window_ms = SETTINGS["window_ms"]
    model.clear_after, model.cooldown, model.warmup, model.quiet_after = 1, 0, 0, 1
    model.horizons = lambda: iter(((1, 1, 1000),))
    scores = Scores()
    tls = None
    if SETTINGS["ca"]:
        import ssl

        tls = ssl.create_default_context(cafile=SETTINGS["ca"])
    mqtt.ANSWER_S = SETTINGS["answer_s"]
    sink = mqtt.Mqtt(ssl=tls, say=lambda sentence: say(problem=sentence), **SETTINGS["device"])
    pipeline = Pipeline(model, Still(model), scores)

    def on_alarm(pipeline, features):
        sink.on_alarm(pipeline, features)
        say(alarm="ON", window=pipeline.index)

    def on_clear(pipeline):
        sink.on_clear(pipeline)
        say(alarm="OFF", window=pipeline.index)

    def on_window(pipeline):
        sink.on_window(pipeline)
        say(window=pipeline.index)
        scores.score = 2000 if pipeline.index + 1 in SETTINGS["hot"] else 0
        silent = pipeline.index + 1 in SETTINGS["silent"]
        scores.quiet = model.threshold_quiet + 1 if silent else 0

    def on_quiet(pipeline):
        sink.on_quiet(pipeline)
        say(quiet="ON" if pipeline.quiet.active else "OFF", window=pipeline.index)

    async def sent():
        while len(sink.outbox):
            await asyncio.sleep(0.01)

    class Paced:
        """The monitor's clock: windows as long as they are told to be or
        longer, none after the last.
        """

        def __init__(self, window_ms):
            self.window_s = window_ms / 1000

        async def tick(self):
            if pipeline.index >= SETTINGS["windows"]:
                ended.set()
                await asyncio.Event().wait()
            if SETTINGS["in_step"]:
                await sent()
            window = str(pipeline.index)
            if window in SETTINGS["pauses"]:
                if SETTINGS["pauses"][window]:
                    await sent()
                say(paused=pipeline.index)
                while not exists(sys.argv[1] + "." + window):
                    await asyncio.sleep(0.01)
            await asyncio.sleep(self.window_s)
            return 1

    ended = asyncio.Event()
    monitor.Ticker = Paced
    publishing = asyncio.create_task(sink.run())
    while SETTINGS["connect_first"] and not sink.connected:
        await asyncio.sleep(0.01)
    scoring = asyncio.create_task(monitor.run(pipeline, on_alarm, on_clear, on_window, on_quiet))
    await ended.wait()
    scoring.cancel()
    if SETTINGS["linger"]:
        await sent()
    say(waiting=len(sink.outbox), lost=sink.outbox.lost, dropped=sink.outbox.dropped)
    publishing.cancel()
    await asyncio.sleep(0.05)


asyncio.run(main())
