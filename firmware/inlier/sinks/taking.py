"""What a device does with a model that is offered, however the offer came: over
MQTT (rollout.py) or HTTP (rollout_http.py).

What is offered is only tried: Slots checks signature, number and self-test, and
the former model runs on when one of them fails.
"""

import json
from binascii import unhexlify

from ..model import ModelError
from ..secure.record import write_file
from .offer import BYTES_MAX


class Taking:
    """tried: the number that was refused, which is not fetched again until the
    next boot.

    slots, folder: see secure/slots.py.
    source: what counts, for its name and counters.
    limits: where the calibration that comes along is kept
        (secure/calibration.py), or None.
    """

    def __init__(self, slots, folder, source, limits=None):
        self._slots = slots
        self._folder = folder
        self._source = source
        self._limits_path = limits
        self.tried = -1

    def number(self):
        """Of the model that runs, -1 where none does."""
        try:
            return self._slots.number(self._folder, self._source.name, self._source.counters)
        except ModelError:
            return -1

    def wanted(self, payload):
        """(number, type, bytes, limits, chunks) of an offer in JSON that should
        be fetched, None of one that should not, or is none.
        """
        try:
            offer = json.loads(payload)
            number, size, chunks = (int(offer[k]) for k in ("number", "bytes", "chunks"))
            type_ = "" + offer["type"]  # no list of characters
            limits = unhexlify(offer.get("limits", ""))
            for c in type_:  # it becomes a topic, or a path
                if not (c.isalpha() or c.isdigit() or c in "-_.") or c > "z":
                    return None
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            ArithmeticError,  # 1e999
            RuntimeError,  # nested too deep
            MemoryError,
        ):
            return None
        if number in (self.tried, self.number()) or not 0 < size <= BYTES_MAX:
            return None
        return number, type_, size, limits, chunks

    def install(self, number, blob, limits):
        """Why it is refused, or None: then it runs from the next boot on."""
        try:
            self._slots.update(self._folder, blob, self._source.name, self._source.counters)
            if limits and self._limits_path:
                write_file(self._limits_path, limits)
        except (ModelError, OSError, MemoryError) as error:
            self.tried = number
            return str(error) or "no memory"
        return None
