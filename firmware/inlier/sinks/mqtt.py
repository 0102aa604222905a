"""Sink that publishes over MQTT, for Home Assistant or anything else; scoring
never waits for the broker.

    from inlier.sinks import mqtt
    sink = mqtt.Mqtt("doorbell1", "192.168.1.10", user="bell", password="…")
    # connects, announces, sends what waits; for ever
    asyncio.create_task(sink.run())
    asyncio.create_task(
        monitor.watch(
            "model.inlier", source,
            sink.on_alarm, sink.on_clear, sink.on_window, sink.on_quiet
        )
    )

Needs micropython-lib's umqtt.simple (`mpremote mip install umqtt.simple`),
which makes and reads the packets. It blocks, so it is given memory in place of
a socket (umqtt_memory.py), and asyncio moves the bytes.

Below `inlier/<device_id>`: `availability` (online, offline: retained, the last
will), `state` (each `state_every` windows: score in per cent of the lowest
threshold, horizons, deltas; retained), `alarm` (ON or OFF with id, features and
a message; retained) and `quiet` (ON or OFF with id and a message: the device
has gone quiet or is back; retained). These two are sent at QoS 1 and wait in a
bounded queue until the broker has acknowledged them: at least once, in order.
One that is sent again, because the connection broke before its acknowledgement,
has the same `id`; an alarm that is on and grew (`grows`: 1) has a new one.
"""

import asyncio
import json
import os

from ..ticker import ticks_diff, ticks_ms
from .connection import close_stream, open_stream
from .home_assistant import BIRTH, config_topic, discovery
from .message import Teller
from .outbox import Outbox
from .umqtt_memory import Packets, Refused

TOPIC_MAX = 128  # bytes
PAYLOAD_MAX = 2048  # bytes, out and in: it is held in RAM
ANSWER_S = 10  # a broker that takes longer is gone
RETRY_S_MAX = 60


class Mqtt(Teller):
    """outbox.lost and .dropped count what did not fit into the queue; problem
    is the last trouble, None while connected. Raises ValueError: what cannot be
    a topic or a payload.

    device_id: letters, digits, `-` and `_`; unique in the house.
    host: of the broker, in numbers where scoring must never wait for a lookup.
    port: 0 is 1883, under TLS 8883.
    user, password: the broker's, or None.
    ssl: an SSLContext, or None for a connection in the clear.
    name: what Home Assistant calls the device; device_id by default.
    prefix: what topics begin with.
    keepalive_s: seconds; after one and a half of them in silence the broker
        tells that the device is offline.
    queue: messages that wait while there is no connection; beyond them the
        oldest score goes, then the oldest alarm.
    state_every: windows from one `state` to the next.
    retry_s: seconds before it connects again, doubled up to a minute.
    say(sentence): problems, each once.
    """

    def __init__(
        self,
        device_id,
        host,
        port=0,
        user=None,
        password=None,
        ssl=None,
        name=None,
        prefix="inlier",
        keepalive_s=60,
        queue=32,
        state_every=1,
        retry_s=1,
        say=None,
    ):
        for c in device_id:
            if not (c.isalpha() or c.isdigit() or c in "-_") or c > "z":
                raise ValueError(
                    "mqtt: device_id '%s': use letters, digits, '-' and '_' only" % device_id
                )
        self._base = "%s/%s" % (prefix, device_id)
        if (
            not device_id
            or len(config_topic(device_id)) > TOPIC_MAX
            or len(self._base) + 13 > TOPIC_MAX
        ):
            raise ValueError(
                "mqtt: device_id has %d letters: its topics must fit in %d bytes"
                % (len(device_id), TOPIC_MAX)
            )
        if "+" in prefix or "#" in prefix or prefix.startswith("$"):
            raise ValueError(
                "mqtt: prefix '%s': a topic to publish on has no +, # or leading $" % prefix
            )
        super().__init__(state_every)
        self._device_id = device_id
        self._name = name or device_id
        self._host = host
        self._port = port or (8883 if ssl else 1883)
        self._ssl = ssl
        will = self._base + "/availability", b"offline"
        self._packets = Packets(device_id, user, password, keepalive_s, will, self._on_message)
        self._keepalive_s = keepalive_s
        self._retry_s = retry_s
        self._say = say
        self._boot = "".join("%02x" % b for b in os.urandom(4))
        self._count = 0
        # What is published again when Home Assistant is born. Until the first
        # alarm there is none.
        self._latest = {
            "/" + kind: json.dumps({kind: "OFF", "id": self._boot + "-0"}).encode()
            for kind in ("alarm", "quiet")
        }
        self._wake = asyncio.Event()
        self._announcing = True
        self._acknowledged = None  # the packet id of the last PUBACK
        self._broken = None  # why the connection is no more
        self.outbox = Outbox(queue)
        self.problem = None
        self.connected = False

    # What the monitor calls. Nothing here waits.

    def tell(self, event):
        self._count += 1
        event["id"] = "%s-%d" % (self._boot, self._count)
        self._put("/quiet" if "quiet" in event else "/alarm", event, 1)

    def tell_state(self, state):
        self._put("/state", state, 0)

    def publish(self, topic, payload):
        """Something else over the same connection, at QoS 1: what
        inlier.sinks.defender reports. Does not wait.
        """
        self.outbox.put(topic, payload.encode(), False, 1)
        self._wake.set()

    def _put(self, topic, content, qos):
        payload = json.dumps(content).encode()
        if len(payload) > PAYLOAD_MAX:  # a message of many words, or a source of very many counters
            self._trouble(
                "%s: %d bytes are cut to %d, without words and deltas"
                % (topic[1:], len(payload), PAYLOAD_MAX)
            )
            for part in ("message", "features", "deltas"):
                content.pop(part, None)
            payload = json.dumps(content).encode()
        self._latest[topic] = payload
        self.outbox.put(self._base + topic, payload, True, qos)
        self._wake.set()

    def _trouble(self, sentence):
        if sentence != self.problem:
            self.problem = sentence
            if self._say is not None:
                self._say("mqtt: %s" % sentence)

    # The connection.

    async def run(self):
        """Connect, send what waits, connect again; for ever. Cancel it to stop:
        the broker then publishes the last will.
        """
        retry_s = self._retry_s
        where = "%s:%d" % (self._host, self._port)
        while True:
            try:
                await self._session()
            except Refused as error:
                why = "%s %s" % (where, error)
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                if self.connected:
                    why = "%s: connection lost; trying again" % where
                else:
                    detail = getattr(error, "strerror", None) or str(error) or "no answer"
                    why = (
                        "%s cannot be reached (%s); check address, port and network; trying again"
                        % (where, detail)
                    )
            if self.connected:
                retry_s = self._retry_s
            self.connected = False
            self._trouble(why)
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, RETRY_S_MAX)

    async def _session(self):
        reader, writer = await asyncio.wait_for(
            open_stream(self._host, self._port, self._ssl), ANSWER_S
        )
        receiving = None
        try:
            writer.write(self._packets.connect())
            await writer.drain()
            self._packets.connected(
                await asyncio.wait_for(self._packets.read(reader, PAYLOAD_MAX), ANSWER_S)
            )
            self.connected = True
            self.problem = self._broken = self._acknowledged = None
            self._heard_ms = self._pinged_ms = ticks_ms()
            receiving = asyncio.create_task(self._receive(reader))
            writer.write(self._packets.subscribe(BIRTH[0]))
            # A broker that kept nothing over its restart learns of us again;
            # who listened has seen the rest.
            await self._announce(writer)
            while True:
                await self._send(writer)
        finally:
            if receiving is not None:
                receiving.cancel()
            await close_stream(writer)

    async def _announce(self, writer):
        publish = self._packets.publish
        config = json.dumps(discovery(self._device_id, self._name, self._base)).encode()
        writer.write(publish(config_topic(self._device_id), config, True, 0))
        writer.write(publish(self._base + "/availability", b"online", True, 0))
        if self._announcing:
            self._announcing = False
            for topic in self._latest:
                if not self.outbox.holds(self._base + topic):  # what waits goes by itself
                    writer.write(publish(self._base + topic, self._latest[topic], True, 0))
        await writer.drain()

    async def _send(self, writer):
        """One entry of the queue, a ping when one is due, or wait for either."""
        now_ms = ticks_ms()
        entry = self.outbox.first()
        if self._announcing:
            await self._announce(writer)
        elif ticks_diff(now_ms, self._pinged_ms) >= self._keepalive_s * 500:
            if ticks_diff(self._pinged_ms, self._heard_ms) > ANSWER_S * 1000:
                raise OSError("no answer to a ping")
            self._pinged_ms = now_ms
            writer.write(self._packets.ping())
            await writer.drain()
        elif entry is not None:
            topic, payload, retain, qos = entry
            writer.write(self._packets.publish(topic, payload, retain, qos))
            await writer.drain()
            while qos and self._acknowledged != self._packets.packet_id:
                if ticks_diff(ticks_ms(), now_ms) > ANSWER_S * 1000:
                    raise OSError("no acknowledgement")
                await self._woken(ANSWER_S)
            self.outbox.remove(entry)
        else:
            await self._woken(self._keepalive_s / 2)

    async def _woken(self, limit_s):
        """Wait for something new, at most so long. Raises what broke the
        connection.
        """
        if self._broken is None:
            try:
                await asyncio.wait_for(self._wake.wait(), limit_s)
            except asyncio.TimeoutError:
                return
        self._wake.clear()
        if self._broken is not None:
            raise self._broken

    async def _receive(self, reader):
        try:
            while True:
                packet = await self._packets.read(reader, PAYLOAD_MAX)
                self._heard_ms = ticks_ms()
                if packet is None:
                    self._trouble(
                        "a message of more than %d bytes was ignored; find who sends it"
                        % PAYLOAD_MAX
                    )
                    continue
                acknowledged = self._packets.handle(packet)
                if acknowledged is not None:
                    self._acknowledged = acknowledged
                self._wake.set()
        except (OSError, EOFError, Refused) as error:
            self._broken = error
            self._wake.set()

    def _on_message(self, topic, payload):
        if topic == BIRTH[0].encode() and payload == BIRTH[1]:
            self._announcing = True
