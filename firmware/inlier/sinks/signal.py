"""Sink that switches something: an LED, a relay, a flag of the application."""


class Signal:
    """switch(1) when an alarm is raised, switch(0) when it clears; a pin's
    `value` is such a function.
    """

    def __init__(self, switch):
        self._switch = switch

    def on_alarm(self, pipeline, features):
        self._switch(1)

    def on_clear(self, pipeline):
        self._switch(0)

    def on_window(self, pipeline):
        pass
