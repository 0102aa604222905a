"""Sinks: where alarms go. Each is one file, imported only by who uses it, with the callbacks of monitor.watch:

    on_alarm(pipeline, features), on_clear(pipeline), on_window(pipeline)

from inlier.sinks import Together, log, signal
sinks = Together(log.Log("alarms.log"), signal.Signal(Pin("LED", Pin.OUT).value))
asyncio.create_task(monitor.watch("model.inlier", source, sinks.on_alarm, sinks.on_clear, sinks.on_window))
"""


class Together:
    """Several sinks as one. A sink that fails (a full flash, a missing file) does not stop the others nor the scoring:
    its OSError is kept in `problem`."""

    def __init__(self, *sinks):
        self._sinks = sinks
        self.problem = None

    def on_alarm(self, pipeline, features):
        for sink in self._sinks:
            try:
                sink.on_alarm(pipeline, features)
            except OSError as error:
                self.problem = error

    def on_clear(self, pipeline):
        for sink in self._sinks:
            try:
                sink.on_clear(pipeline)
            except OSError as error:
                self.problem = error

    def on_window(self, pipeline):
        for sink in self._sinks:
            try:
                sink.on_window(pipeline)
            except OSError as error:
                self.problem = error
