"""Sink that prints what happens, a line (inlier/line.py) with a JSON object
each: for `inlier monitor --serial` on a computer.
"""

import json

from ..line import seal
from .message import Teller


def _print(event):
    print(seal("~e " + json.dumps(event)))


class Lines(Teller):
    """emit(event): what to do with each, a dict as over MQTT, instead of
    printing it.
    """

    def __init__(self, emit=_print, state_every=1):
        super().__init__(state_every)
        self.tell = self.tell_state = emit
