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
what became of an offer. What is offered is only tried: Slots checks signature,
number and self-test, and the former model runs on when one of them fails.
"""

import json
from binascii import unhexlify

from ..model import ModelError
from ..secure.record import write_file
from .mqtt import Mqtt
from .offer import BYTES_MAX, CHUNK_MAX, CHUNKS, CHUNKS_MAX


class Rollout(Mqtt):
    """slots, folder: see secure/slots.py; source: what counts, for name and
    counters. installed(): called when a new model is in its slot and will run
    from the next boot on. limits: where the calibration that comes along is
    kept (secure/calibration.py), or None. The others: see Mqtt.
    """

    def __init__(self, *arguments, slots, folder, source, installed=None, limits=None, **options):
        super().__init__(*arguments, **options)
        self._slots = slots
        self._folder = folder
        self._source = source
        self._installed = installed
        self._limits_path = limits
        self._offer = None  # the one that is fetched
        self._tried = -1  # the number that was refused: not fetched again until the next boot
        self._topic = ""
        self._content = bytearray()
        self._missing = set()
        self._asked = True
        self._ended = False  # a new model waits for what told of it to be sent

    def number(self):
        """Of the model that runs, -1 where none does."""
        try:
            return self._slots.number(self._folder, self._source.name, self._source.counters)
        except ModelError:
            return -1

    async def _announce(self, writer):
        await super()._announce(writer)
        self._told("running")
        writer.write(self._packets.subscribe(self._base + "/offer"))
        await writer.drain()

    def _told(self, result, why=""):
        told = {"number": self.number(), "result": result}
        if why:
            told["offered"] = self._tried
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
        try:
            offer = json.loads(payload)
            number, size, chunks = (int(offer[k]) for k in ("number", "bytes", "chunks"))
            topic = CHUNKS % (offer["type"], number)
            limits = unhexlify(offer.get("limits", ""))
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            ArithmeticError,  # 1e999
            RuntimeError,  # nested too deep
            MemoryError,
        ):
            return  # no offer
        if number in (self._tried, self.number()) or not 0 < size <= BYTES_MAX:
            return
        if not (size - 1) // CHUNK_MAX < chunks <= min(size, CHUNKS_MAX):
            return
        if "+" in topic or "#" in topic:
            return
        try:
            self._content = bytearray(size)
            self._missing = set(range(chunks))
        except MemoryError as error:
            self._refused(number, error)
            return
        self._offer = number, limits
        self._topic = topic
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

    def _refused(self, number, error):
        self._content = bytearray()
        self._tried = number
        self._told("refused", str(error))

    def _install(self):
        number, limits = self._offer
        self._offer = None
        self._topic = ""
        try:
            blob, self._content = bytes(self._content), bytearray()
            self._slots.update(self._folder, blob, self._source.name, self._source.counters)
            if limits and self._limits_path:
                write_file(self._limits_path, limits)
        except (ModelError, OSError, MemoryError) as error:
            self._refused(number, error)
            return
        self._told("installed")
        self._ended = True
