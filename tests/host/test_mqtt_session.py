"""The MQTT sink's session without a broker and without waiting: whose
acknowledgement counts, when it pings, how long it waits before it tries again.
"""

import asyncio
from types import SimpleNamespace

import pytest

from retrying import run_until_cancelled

KEEPALIVE_S = 60


class Wire:
    """A writer of asyncio that keeps each packet."""

    def __init__(self):
        self.packets = []
        self.undrained = 0

    def write(self, data):
        self.packets.append(bytes(data))
        self.undrained += 1

    async def drain(self):
        self.undrained = 0

    def kinds(self):
        """MQTT 3.1.1, table 2.1: 3 is PUBLISH, 12 PINGREQ."""
        return [packet[0] >> 4 for packet in self.packets]


def connected(mqtt, **options):
    sink = mqtt.Mqtt("bell-1", "127.0.0.1", keepalive_s=KEEPALIVE_S, **options)
    sink._packets.connect()
    sink._announcing = False
    sink._heard_ms = sink._pinged_ms = mqtt.ticks_ms()
    return sink


def test_an_alarm_waits_for_the_acknowledgement_of_its_own_packet(mqtt):
    async def main():
        sink, wire = connected(mqtt), Wire()
        for text in ("first", "second"):
            sink.publish("alarms", text)
        for expected in (1, 2):
            reader = asyncio.StreamReader()
            receiving = asyncio.create_task(sink._receive(reader))
            sending = asyncio.create_task(sink._send(wire))
            await settle()
            assert sink._packets.packet_id == expected and wire.kinds() == [3] * expected
            # One of a connection before, of the publish before, of none.
            for stranger in (7, expected - 1, expected + 1, expected << 8):
                reader.feed_data(b"\x40\x02" + stranger.to_bytes(2, "big"))
                await settle()
                assert not sending.done() and len(sink.outbox) == 3 - expected, stranger
            reader.feed_data(b"\x40\x02" + expected.to_bytes(2, "big"))
            await settle()
            assert sending.done() and len(sink.outbox) == 2 - expected
            await sending
            receiving.cancel()

    async def settle():
        for _ in range(20):
            await asyncio.sleep(0)

    asyncio.run(main())


def test_a_ping_goes_out_at_half_the_keepalive_and_an_unanswered_one_ends_the_session(
    mqtt, monkeypatch
):
    """A broker drops who is silent for one and a half (MQTT 3.1.1, 3.1.2.10)."""
    now = SimpleNamespace(ms=1_000_000)
    monkeypatch.setattr(mqtt, "ticks_ms", lambda: now.ms)

    async def main():
        sink, wire = connected(mqtt), Wire()
        begun_ms = now.ms

        async def at(s):
            now.ms = begun_ms + round(s * 1000)
            sink._wake.set()  # there is nothing to wait for
            await sink._send(wire)
            return wire.kinds()

        half_s = KEEPALIVE_S // 2
        assert await at(half_s - 0.001) == []
        assert await at(half_s) == [12] and await at(half_s + 0.001) == [12]
        sink._heard_ms = now.ms  # its answer
        assert await at(2 * half_s - 0.001) == [12]
        assert await at(2 * half_s) == [12, 12]
        with pytest.raises(OSError, match="no answer to a ping"):
            await at(3 * half_s)
        assert wire.kinds() == [12, 12]

    asyncio.run(main())


def test_it_waits_twice_as_long_after_each_failure_and_begins_anew_once_it_was_connected(
    mqtt, monkeypatch
):
    sink = mqtt.Mqtt("bell-1", "127.0.0.1", retry_s=1)
    outcomes = [*"ffffffff", "c", "f", "f", "c", "c", "f"]  # fails, or connects and then breaks
    waited = []

    async def session():
        sink.connected = outcomes.pop(0) == "c"
        raise OSError(111, "refused")

    async def sleep(s):
        waited.append(s)
        if not outcomes:
            raise asyncio.CancelledError

    monkeypatch.setattr(sink, "_session", session)
    run_until_cancelled(monkeypatch, mqtt, sink, sleep)
    assert waited == [1, 2, 4, 8, 16, 32, 60, 60] + [1, 2, 4] + [1] + [1, 2]
