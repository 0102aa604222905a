"""A monitored device that publishes over MQTT, for test_mqtt.py: under CPython
and Unix MicroPython.

argv: a file of JSON, an object with `device` (arguments of Mqtt), `ca` (a file,
or null), `hot` (windows over the threshold), `silent` (windows without
traffic), `windows`, `connect_first` (score only
then), `window_ms` and `model`. Prints one JSON object a line: each window's
end, alarm, clear and problem.
"""

import asyncio
import json
import sys
import time

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


def now_ms():
    return time.ticks_ms() if hasattr(time, "ticks_ms") else time.monotonic_ns() // 1000000


class Scores:
    """Stands in for a kernel: gives the scores that a test asks for."""

    score = quiet = 0

    def prepare(self, model):
        return plain.prepare(model)

    def features(self, deltas, params, work):
        pass

    def autoencoder(self, params, work):
        return 0

    def evidence(self, params, work, sums):
        sums[0] = self.score
        sums[1] = self.quiet


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
        say(window=pipeline.index, ms=now_ms(), connected=sink.connected)
        scores.score = 2000 if pipeline.index + 1 in SETTINGS["hot"] else 0
        silent = pipeline.index + 1 in SETTINGS["silent"]
        scores.quiet = model.threshold_quiet + 1 if silent else 0

    def on_quiet(pipeline):
        sink.on_quiet(pipeline)
        say(quiet="ON" if pipeline.quiet.active else "OFF", window=pipeline.index)

    publishing = asyncio.create_task(sink.run())
    while SETTINGS["connect_first"] and not sink.connected:
        await asyncio.sleep(0.01)
    scoring = asyncio.create_task(monitor.run(pipeline, on_alarm, on_clear, on_window, on_quiet))
    while pipeline.index < SETTINGS["windows"] and not scoring.done():
        await asyncio.sleep(0.01)
    scoring.cancel()
    until = now_ms() + SETTINGS.get("linger_ms", 0)
    while len(sink.outbox) and now_ms() < until:
        await asyncio.sleep(0.01)
    say(waiting=len(sink.outbox), lost=sink.outbox.lost, dropped=sink.outbox.dropped)
    publishing.cancel()
    await asyncio.sleep(0.05)


asyncio.run(main())
