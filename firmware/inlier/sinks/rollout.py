"""The MQTT sink of a device that also takes new models from `inlier fleet
rollout`, into the two slots.

    from inlier.secure import authentic, calibration, keys
    from inlier.sinks import rollout
    key = authentic.Authentic(keys.from_file("fleet.key"))
    mine = calibration.CalibratedSlots(key, "device.limits")
    sink = rollout.Rollout(
        "bell1", "192.168.1.10", slots=mine, folder="models", source=source,
        limits="device.limits", installed=machine.reset,
    )

Its subscriptions: `inlier/<device_id>/offer`, JSON with the model's number,
type, bytes and chunks; then `inlier/models/<type>/<number>/<i>`, the chunks.
All are retained, so that a device which was away finds them when it is back.
It tells, at `inlier/<device_id>/model`, retained: the number that runs, and
what became of an offer. What is offered is only tried, see taking.py.
"""

import json

from .mqtt import Mqtt
from .offer import CHUNK_MAX, CHUNKS, CHUNKS_MAX
from .taking import Taking


class Rollout(Mqtt):
    """Takes what Mqtt takes, and

    slots, folder, source, limits: see taking.Taking.
    installed(): called when a new model is in its slot and will run from the
        next boot on.
    """

    def __init__(self, *arguments, slots, folder, source, installed=None, limits=None, **options):
        super().__init__(*arguments, **options)
        self._taking = Taking(slots, folder, source, limits)
        self._installed = installed
        self._offer = None  # the one that is fetched
        self._topic = ""
        self._content = bytearray()
        self._missing = set()
        self._asked = True
        self._ended = False  # a new model waits for what told of it to be sent

    def number(self):
        """Of the model that runs, -1 where none does."""
        return self._taking.number()

    async def _announce(self, writer):
        await super()._announce(writer)
        self._told("running")
        writer.write(self._packets.subscribe(self._base + "/offer"))
        await writer.drain()

    def _told(self, result, why=""):
        told = {"number": self.number(), "result": result}
        if why:
            told["offered"] = self._taking.tried
            told["why"] = why
        self.outbox.put(self._base + "/model", json.dumps(told).encode(), True, 1)
        self._wake.set()

    def _on_message(self, topic, payload):
        if topic == (self._base + "/offer").encode():
            self._offered(payload)
        elif self._topic and topic.startswith(self._topic.encode()):
            self._chunk(topic[len(self._topic) :], payload)
        else:
            super()._on_message(topic, payload)

    def _offered(self, payload):
        wanted = self._taking.wanted(payload)
        if wanted is None:
            return
        number, type_, size, limits, chunks = wanted
        if not (size - 1) // CHUNK_MAX < chunks <= min(size, CHUNKS_MAX):
            return
        try:
            self._content = bytearray(size)
            self._missing = set(range(chunks))
        except MemoryError:
            self._refused(number, "no memory")
            return
        self._offer = number, limits
        self._topic = CHUNKS % (type_, number)
        self._each = -(-size // chunks)
        self._asked = False

    def _chunk(self, name, payload):
        try:
            i = int(name)
        except ValueError:
            return
        at = i * self._each
        if i in self._missing and len(payload) == min(self._each, len(self._content) - at):
            self._content[at : at + len(payload)] = payload
            self._missing.remove(i)

    async def _send(self, writer):
        if not self._asked:
            self._asked = True
            writer.write(self._packets.subscribe(self._topic + "+"))
            await writer.drain()
        elif self._offer is not None and not self._missing:
            self._install()
        elif self._ended and not len(self.outbox):
            self._ended = False
            if self._installed is not None:
                self._installed()
        else:
            await super()._send(writer)

    def _refused(self, number, why):
        self._content = bytearray()
        self._taking.tried = number
        self._told("refused", why)

    def _install(self):
        number, limits = self._offer
        self._offer = None
        self._topic = ""
        blob, self._content = self._content, bytearray()
        why = self._taking.install(number, blob, limits)
        if why:
            self._refused(number, why)
            return
        self._told("installed")
        self._ended = True
