"""A device takes a model over MQTT, without a broker and without waiting: which
offers it fetches, which chunks it keeps, what it tells and when it restarts.
"""

import asyncio
import json

import pytest

from inlier.model import ModelError
from test_mqtt_session import Wire

BASE = b"inlier/bell-1"
CHUNKS = b"inlier/models/bell/5/"


class Slots:
    """Stands for two slots in which model 4 runs."""

    def __init__(self):
        self.taken = []
        self.fault = None

    def number(self, *_):
        return 4

    def update(self, folder, blob, name, counters):
        if self.fault:
            raise self.fault
        self.taken.append((folder, blob, name, counters))


class Source:
    name = "sockets"
    counters = ("a",)


class Device:
    """One that is connected, and what it has done."""

    def __init__(self, rollout, **options):
        self.slots, self.restarts, self.wire = Slots(), [], Wire()
        options = {"installed": lambda: self.restarts.append(1)} | options
        self.sink = rollout.Rollout(
            "bell-1", "127.0.0.1", slots=self.slots, folder="models", source=Source, **options
        )
        self.sink._packets.connect()
        self.sink._announcing = False
        self.sink._heard_ms = self.sink._pinged_ms = rollout.Mqtt._session.__globals__["ticks_ms"]()

    def gets(self, topic, payload):
        self.sink._on_message(topic, payload)

    def offered(self, **changed):
        """Whether an offer is taken to be fetched."""
        told = {"number": 5, "type": "bell", "bytes": 5, "chunks": 2} | changed
        self.gets(BASE + b"/offer", json.dumps(told).encode())
        return self.sink._offer is not None

    async def sends(self):
        """One step of the session, with its acknowledgement; the new packets."""
        before = len(self.wire.packets)
        self.sink._wake.set()  # there is nothing to wait for
        sending = asyncio.create_task(self.sink._send(self.wire))
        for _ in range(5):
            await asyncio.sleep(0)
            self.sink._acknowledged = self.sink._packets.packet_id
            self.sink._wake.set()
        await sending
        assert not self.wire.undrained
        return self.wire.packets[before:]

    def told(self):
        """What waits to be told of a model, and that it is kept there."""
        topic, payload, retain, qos = self.sink.outbox.first()
        assert (topic.encode(), retain, qos) == (BASE + b"/model", True, 1)
        return json.loads(payload)


@pytest.fixture
def rollout(mqtt):
    from inlier.sinks import rollout

    return rollout


@pytest.mark.parametrize(
    ("size", "chunks", "fetched"),
    [
        (1, 1, True),
        (1, 0, False),
        (1, 2, False),  # one would be empty
        (1536, 1, True),
        (1537, 1, False),  # more than a message holds
        (1537, 2, True),
        (64, 64, True),
        (65, 65, False),  # more than are kept in mind
        (16384, 10, False),
        (16384, 11, True),
        (16385, 11, False),
    ],
)
def test_an_offer_is_fetched_if_its_chunks_can_hold_it(rollout, size, chunks, fetched):
    device = Device(rollout)
    assert device.offered(bytes=size, chunks=chunks) == fetched
    assert len(device.sink._missing) == (chunks if fetched else 0)
    assert len(device.sink._content) == (size if fetched else 0)


def test_its_chunks_are_asked_for_once_and_it_runs_after_all_is_told(rollout):
    async def main():
        device = Device(rollout)
        assert device.sink.number() == 4
        assert await device.sends() == [], "there is no offer"
        assert device.offered()
        (subscribe,) = await device.sends()
        assert subscribe[0] >> 4 == 8 and CHUNKS + b"+" in subscribe, "MQTT 3.1.1, table 2.1"
        device.gets(CHUNKS + b"1", b"de")
        assert await device.sends() == [], "one is missing"
        device.gets(CHUNKS + b"0", b"abc")
        assert await device.sends() == [] and device.restarts == []
        assert device.slots.taken == [("models", b"abcde", "sockets", ("a",))]
        assert device.told() == {"number": 4, "result": "installed"}
        assert len(device.sink._content) == 0, "its memory is free again"
        (publish,) = await device.sends()
        assert BASE + b"/model" in publish and device.restarts == []
        assert await device.sends() == [] and device.restarts == [1]
        assert await device.sends() == [] and device.restarts == [1], "once"
        assert len(device.slots.taken) == 1
        device.gets(CHUNKS + b"0", b"xyz")  # it is subscribed still
        assert len(device.sink._content) == 0

    asyncio.run(main())


def test_who_wants_no_restart_goes_on(rollout):
    async def main():
        device = Device(rollout, installed=None)
        device.offered(bytes=1, chunks=1)
        device.gets(CHUNKS + b"0", b"x")
        for _ in range(4):
            await device.sends()
        assert [blob for _, blob, *_ in device.slots.taken] == [b"x"]

    asyncio.run(main())


def test_a_chunk_is_taken_once_and_only_with_its_own_length(rollout):
    device = Device(rollout)
    device.gets(CHUNKS + b"0", b"abc")  # of no offer
    device.offered(bytes=8, chunks=3)  # 3, 3 and 2
    for name, chunk in (
        (b"0", b"ab"), (b"0", b"abcd"), (b"2", b"xyz"), (b"2", b"x"), (b"3", b""), (b"-1", b"xyz"),
        (b"x", b"xyz"), (b"", b"xyz"), (b"1/2", b"xyz"),
    ):  # fmt: skip
        device.gets(CHUNKS + name, chunk)
        assert len(device.sink._missing) == 3, (name, chunk)
    for name, chunk in ((b"2", b"gh"), (b"0", b"abc"), (b"0", b"xyz"), (b"1", b"def")):
        device.gets(CHUNKS + name, chunk)
    assert bytes(device.sink._content) == b"abcdefgh" and not device.sink._missing


def test_what_the_slots_refuse_is_told_and_not_fetched_again(rollout):
    async def main():
        device = Device(rollout)
        device.slots.fault = ModelError("model was altered")
        device.offered(bytes=1, chunks=1)
        await device.sends()
        device.gets(CHUNKS + b"0", b"x")
        await device.sends()
        assert device.told() == {
            "number": 4, "result": "refused", "offered": 5, "why": "model was altered",
        }  # fmt: skip
        assert len(await device.sends()) == 1 and await device.sends() == []
        assert device.restarts == [] and not device.offered(bytes=1, chunks=1)

    asyncio.run(main())


@pytest.mark.parametrize("what", ["bytearray", "set"])
def test_a_model_that_finds_no_memory_is_refused(rollout, monkeypatch, what):
    def full(wanted=None):
        if wanted is not None:
            raise MemoryError
        return b""

    device = Device(rollout)
    monkeypatch.setattr(rollout, what, full, raising=False)
    assert not device.offered()
    assert device.told() == {"number": 4, "result": "refused", "offered": 5, "why": "no memory"}
    assert len(device.sink._content) == 0, "what it got of it is free again"
    assert device.sink._wake.is_set(), "it is sent at once"
    monkeypatch.undo()
    assert not device.offered() and device.offered(number=6)


def test_it_tells_what_runs_and_listens_for_offers_whenever_it_connects(rollout):
    async def main():
        device = Device(rollout)
        device.sink._wake.clear()
        await device.sink._announce(device.wire)
        assert device.told() == {"number": 4, "result": "running"} and device.sink._wake.is_set()
        *published, subscribed = device.wire.packets
        assert not device.wire.undrained
        assert [packet[0] >> 4 for packet in published] == [3] * len(published)
        assert any(BASE + b"/availability" in packet for packet in published)
        assert subscribed[0] >> 4 == 8 and BASE + b"/offer" in subscribed

    asyncio.run(main())


def test_other_messages_are_the_mqtt_sink_s(rollout):
    from inlier.sinks.home_assistant import BIRTH

    for offers in (False, True):
        device = Device(rollout)
        if offers:
            device.offered()
        device.gets(BIRTH[0].encode(), BIRTH[1])
        assert device.sink._announcing, "Home Assistant was born"
        device.gets(b"somebody/else", b"")
