"""Sink that prints what happens, one line each, `inlier` and a JSON object: for
`inlier monitor --serial` on a computer.
"""

import json

from .message import Episode, state

TAG = "inlier "  # tells these lines from what the application prints


def _print(event):
    print(TAG + json.dumps(event))


class Lines:
    """emit(event): what to do with each, a dict as over MQTT, instead of
    printing it.
    """

    def __init__(self, emit=_print, state_every=1):
        self._emit = emit
        self._state_every = state_every
        self._episode = Episode()

    def on_alarm(self, pipeline, features):
        self._emit(self._episode.alarm(pipeline, features))

    def on_clear(self, pipeline):
        self._emit(self._episode.clear(pipeline))

    def on_window(self, pipeline):
        self._episode.window(pipeline)
        if pipeline.index % self._state_every == 0:
            self._emit(state(pipeline))
