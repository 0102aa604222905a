"""Sinks: where alarms go. Each is one file, imported only by who uses it, with
the callbacks of monitor.watch:

    on_alarm(pipeline, features), on_clear(pipeline), on_window(pipeline),
    on_quiet(pipeline)

log keeps them on flash, signal switches an LED, lines prints them, mqtt
publishes them for Home Assistant, defender (legacy) reports to AWS.

    from inlier.sinks import Together, log, signal
    led = Pin("LED", Pin.OUT)
    sinks = Together(log.Log("alarms.log"), signal.Signal(led.value))
    asyncio.create_task(
        monitor.watch(
            "model.inlier",
            source,
            sinks.on_alarm,
            sinks.on_clear,
            sinks.on_window,
            sinks.on_quiet,
        )
    )
"""


class Sink:
    """What a sink overrides as far as it cares: here nothing is done.

    An event that the monitor comes to tell is added here, in Together, and in
    message.Teller, which finds its words.
    """

    def on_alarm(self, pipeline, features):
        pass

    def on_clear(self, pipeline):
        pass

    def on_window(self, pipeline):
        pass

    def on_quiet(self, pipeline):
        pass


class Together:
    """Several sinks as one. A sink that fails does not stop the others nor the
    scoring: its OSError is kept in `problem`.
    """

    def __init__(self, *sinks):
        self._sinks = sinks
        self.problem = None

    def _each(self, callback, *arguments):
        for sink in self._sinks:
            try:
                getattr(sink, callback)(*arguments)
            except OSError as error:
                self.problem = error

    def on_alarm(self, pipeline, features):
        self._each("on_alarm", pipeline, features)

    def on_clear(self, pipeline):
        self._each("on_clear", pipeline)

    def on_quiet(self, pipeline):
        self._each("on_quiet", pipeline)

    def on_window(self, pipeline):
        for sink in self._sinks:  # not by _each: in every window, this one takes no heap
            try:
                sink.on_window(pipeline)
            except OSError as error:
                self.problem = error
