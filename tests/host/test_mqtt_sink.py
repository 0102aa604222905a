"""The MQTT sink by itself, packet by packet: what may be a topic, what waits to
be sent, what is announced, how a connection begins and ends, what is said of
it.
"""

import asyncio
import json
from types import SimpleNamespace

import pytest

from inlier.sinks.home_assistant import BIRTH, config_topic
from retrying import run_until_cancelled
from test_mqtt_session import Wire, connected

BASE = "inlier/bell-1"
CONNECT, PUBLISH, SUBSCRIBE = 1, 3, 8  # MQTT 3.1.1, table 2.1
ACCEPTED, PUBACK_2, PINGRESP = b"\x20\x02\0\0", b"\x40\x02\0\2", b"\xd0\0"


def sink_of(mqtt, **options):
    return mqtt.Mqtt(**{"device_id": "bell-1", "host": "127.0.0.1"} | options)


def published(packet):
    """(topic, payload, retained, QoS) of a PUBLISH: MQTT 3.1.1, 3.3."""
    assert packet[0] >> 4 == PUBLISH
    at = 1
    while packet[at] & 0x80:
        at += 1
    size = int.from_bytes(packet[at + 1 : at + 3], "big")
    begin = at + 3 + size
    qos = packet[0] >> 1 & 3
    payload = packet[begin + 2 * bool(qos) :]
    return packet[at + 3 : begin].decode(), payload, bool(packet[0] & 1), qos


async def settle():
    for _ in range(30):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({"device_id": "aZz-09_A"}, None),
        ({"device_id": "{"}, "use letters"),
        ({"device_id": "a.b"}, "use letters"),
        ({"device_id": "\u00e9"}, "use letters"),
        ({"device_id": ""}, "must fit in 128 bytes"),
        ({"device_id": "a" * 93}, None),  # homeassistant/device/inlier_…/config
        ({"device_id": "a" * 94}, "has 94 letters"),
        ({"device_id": "a", "prefix": "p" * 113}, None),  # …/a/availability
        ({"device_id": "a", "prefix": "p" * 114}, "must fit in 128 bytes"),
        ({"prefix": "a/b"}, None),
        ({"prefix": "a$"}, None),
        ({"prefix": "$a"}, "no [+], # or leading [$]"),
        ({"prefix": "a+"}, "no [+], # or leading [$]"),
        ({"prefix": "#"}, "no [+], # or leading [$]"),
    ],
)
def test_what_can_be_a_topic(mqtt, options, refused):
    if refused is None:
        sink_of(mqtt, **options)
    else:
        with pytest.raises(ValueError, match=refused):
            sink_of(mqtt, **options)


def test_an_event_waits_with_a_new_id_and_a_state_without_an_acknowledgement(mqtt):
    sink = sink_of(mqtt)
    assert not sink.connected and sink.problem is None
    for call, topic, qos, count in (
        (lambda: sink.tell({"alarm": "ON"}), BASE + "/alarm", 1, 1),
        (lambda: sink.tell({"quiet": "ON"}), BASE + "/quiet", 1, 2),
        (lambda: sink.tell_state({"score": 3}), BASE + "/state", 0, None),
        (lambda: sink.tell({"alarm": "OFF"}), BASE + "/alarm", 1, 3),
    ):
        sink._wake.clear()
        call()
        entry = sink.outbox.first()
        told = json.loads(entry[1])
        assert (entry[0], entry[2], entry[3]) == (topic, True, qos)
        assert told.get("id") == (count and f"{sink._boot}-{count}")
        assert sink._wake.is_set(), "it is sent at once"
        assert sink._latest[topic[len(BASE) :]] == entry[1]
        sink.outbox.remove(entry)
    sink._wake.clear()
    sink.publish("another/topic", "text")
    assert sink.outbox.first() == ("another/topic", b"text", False, 1) and sink._wake.is_set()
    assert len(sink._boot) == 8 and sink._boot != sink_of(mqtt)._boot


def test_the_monitor_s_windows_are_told_as_often_as_is_asked_for(mqtt, monkeypatch):
    from inlier.sinks import message

    monkeypatch.setattr(message, "state", lambda pipeline: {"window": pipeline.index})
    for options, expected in (({}, 3), ({"state_every": 2}, 2), ({"state_every": 0}, 0)):
        sink = sink_of(mqtt, **options)
        for index in range(3):
            sink.on_window(SimpleNamespace(hot=False, index=index))
        assert len(sink.outbox) == expected


def test_32_wait_unless_told_otherwise(mqtt):
    for options, limit in (({}, 32), ({"queue": 3}, 3)):
        sink = sink_of(mqtt, **options)
        for _ in range(40):
            sink.publish("topic", "")
        assert len(sink.outbox) == limit


@pytest.mark.parametrize(("size", "cut"), [(2048, False), (2049, True)])
def test_a_payload_beyond_its_bound_loses_words_and_deltas(mqtt, size, cut):
    said = []
    sink = sink_of(mqtt, say=said.append)
    event = {"alarm": "ON", "message": "", "features": [1], "deltas": [2]}
    spare = size - len(json.dumps(event | {"id": f"{sink._boot}-1"}))
    sink.tell(event | {"message": "." * spare})
    payload = sink.outbox.first()[1]
    told = json.loads(payload)
    assert sorted(told) == (
        ["alarm", "id"] if cut else ["alarm", "deltas", "features", "id", "message"]
    )
    expected = "alarm: 2049 bytes are cut to 2048, without words and deltas"
    assert said == ["mqtt: " + expected] * cut and sink.problem == (expected if cut else None)
    assert sink._latest["/alarm"] == payload


def announced(sink):
    wire = Wire()
    sink._packets.connect()
    asyncio.run(sink._announce(wire))
    assert not wire.undrained
    return [published(packet) for packet in wire.packets]


def test_it_announces_itself_and_what_was_last_unless_that_waits_itself(mqtt):
    sink = sink_of(mqtt, name="The bell")
    off = [
        (f"{BASE}/{kind}", json.dumps({kind: "OFF", "id": sink._boot + "-0"}).encode(), True, 0)
        for kind in ("alarm", "quiet")
    ]
    (topic, config, retained, qos), online, *latest = announced(sink)
    assert topic == config_topic("bell-1") and retained and not qos
    assert json.loads(config)["dev"]["name"] == "The bell" and json.loads(config)["qos"] == 1
    assert online == (BASE + "/availability", b"online", True, 0) and latest == off
    assert len(announced(sink)) == 2, "once; who listened has seen the rest"
    sink.tell({"alarm": "ON"})
    for topic, payload, born in (
        ("x", BIRTH[1], False),
        (BIRTH[0], b"offline", False),
        (BIRTH[0], BIRTH[1], True),
    ):
        sink._on_message(topic.encode(), payload)
        assert sink._announcing == born
    assert announced(sink)[2:] == off[1:], "the alarm waits itself"
    assert json.loads(announced(sink_of(mqtt))[0][1])["dev"]["name"] == "bell-1"


class Line:
    """A connection that the sink opens: what it writes, and what the test has
    it read.
    """

    def __init__(self, mqtt, monkeypatch):
        self.opened, self.closed = [], []
        self.reader, self.wire = asyncio.StreamReader(), Wire()
        monkeypatch.setattr(mqtt, "open_stream", self.opens)
        monkeypatch.setattr(mqtt, "close_stream", self.closes)

    async def opens(self, *where):
        self.opened.append(where)
        return self.reader, self.wire

    async def closes(self, writer):
        self.closed.append(writer is self.wire)

    async def gives(self, *packets):
        for packet in packets:
            self.reader.feed_data(packet)
        await settle()


@pytest.mark.parametrize(
    ("options", "port"),
    [({}, 1883), ({"ssl": "a context"}, 8883), ({"ssl": "a context", "port": 7}, 7)],
)
def test_a_session_introduces_itself_listens_announces_and_sends(mqtt, monkeypatch, options, port):
    monkeypatch.setattr(mqtt, "ticks_ms", lambda: 5_000_000)

    async def main():
        line = Line(mqtt, monkeypatch)
        sink = sink_of(mqtt, user="me", password="secret", **options)
        sink._broken = OSError("of the connection before")
        sink._acknowledged, sink.problem = 2, "connection lost"
        sink.tell({"alarm": "ON"})
        session = asyncio.create_task(sink._session())
        await settle()
        assert line.opened == [("127.0.0.1", port, options.get("ssl"))]
        assert line.wire.kinds() == [CONNECT] and not line.wire.undrained and not sink.connected
        assert b"bell-1" in line.wire.packets[0] and b"secret" in line.wire.packets[0]
        assert line.wire.packets[0][10:12] == b"\0\x3c", "a keepalive of 60 s: MQTT 3.1.1, 3.1.2.10"
        await line.gives(ACCEPTED)
        assert sink.connected and sink.problem is None and not session.done()
        assert sink._heard_ms == sink._pinged_ms == 5_000_000
        assert line.wire.kinds() == [CONNECT, SUBSCRIBE, *[PUBLISH] * 4]
        assert BIRTH[0].encode() in line.wire.packets[1]
        topics = [published(packet)[0] for packet in line.wire.packets[2:]]
        assert topics[1:] == [f"{BASE}/{kind}" for kind in ("availability", "quiet", "alarm")]
        assert len(sink.outbox) == 1, "an acknowledgement of before counts nothing"
        await line.gives(PUBACK_2)
        assert len(sink.outbox) == 0
        line.reader.feed_eof()
        with pytest.raises(EOFError):
            await session
        assert line.closed == [True]

    asyncio.run(main())


def test_a_broker_that_kept_nothing_learns_of_the_device_again(mqtt, monkeypatch):
    async def main():
        line, sink = Line(mqtt, monkeypatch), sink_of(mqtt)
        sink._announcing = False  # it was connected before
        session = asyncio.create_task(sink._session())
        await line.gives(ACCEPTED)
        assert line.wire.kinds() == [CONNECT, SUBSCRIBE, PUBLISH, PUBLISH]
        topics = [published(packet)[0] for packet in line.wire.packets[2:]]
        assert topics == [config_topic("bell-1"), BASE + "/availability"]
        session.cancel()
        await asyncio.gather(session, return_exceptions=True)

    asyncio.run(main())


def test_a_session_that_is_cancelled_leaves_no_task_and_closes(mqtt, monkeypatch):
    async def main():
        line = Line(mqtt, monkeypatch)
        session = asyncio.create_task(sink_of(mqtt)._session())
        await line.gives(ACCEPTED)
        assert len(asyncio.all_tasks()) > 2, "this one, the session, its receiver"
        session.cancel()
        await asyncio.gather(session, return_exceptions=True)
        await settle()
        assert asyncio.all_tasks() == {asyncio.current_task()} and line.closed == [True]

    asyncio.run(main())


def test_a_broker_that_refuses_is_left(mqtt, monkeypatch):
    async def main():
        line = Line(mqtt, monkeypatch)
        sink = sink_of(mqtt)
        session = asyncio.create_task(sink._session())
        await line.gives(b"\x20\x02\0\5")
        with pytest.raises(mqtt.Refused, match="refuses user and password"):
            await session
        assert line.closed == [True] and not sink.connected

    asyncio.run(main())


@pytest.mark.parametrize("silent", ["at the door", "once it is inside"])
def test_a_broker_that_says_nothing_is_left(mqtt, monkeypatch, silent):
    monkeypatch.setattr(mqtt, "ANSWER_S", 0.01)

    async def main():
        line = Line(mqtt, monkeypatch)
        if silent == "at the door":
            monkeypatch.setattr(mqtt, "open_stream", lambda *_: asyncio.sleep(1000))
        with pytest.raises(asyncio.TimeoutError):
            await sink_of(mqtt)._session()
        assert line.closed == [True] * (silent != "at the door")

    asyncio.run(main())


def test_what_is_heard_is_noted(mqtt, monkeypatch):
    now = SimpleNamespace(ms=1_000_000)
    monkeypatch.setattr(mqtt, "ticks_ms", lambda: now.ms)

    async def main():
        said = []
        line, sink = Line(mqtt, monkeypatch), connected(mqtt, say=said.append)
        receiving = asyncio.create_task(sink._receive(line.reader))
        for packet, acknowledged in ((PINGRESP, None), (PUBACK_2, 2), (PINGRESP, 2)):
            now.ms += 1000
            sink._wake.clear()
            await line.gives(packet)
            assert sink._heard_ms == now.ms and sink._acknowledged == acknowledged
            assert sink._wake.is_set()
        assert said == []
        await line.gives(b"\x30\x81\x10" + bytes(2049), b"\x40\x02\0\3")
        expected = "a message of more than 2048 bytes was ignored; find who sends it"
        assert said == ["mqtt: " + expected] and sink._acknowledged == 3, "and it goes on"
        sink._wake.clear()
        await line.gives(b"\x40\x01\0")
        assert isinstance(sink._broken, mqtt.Refused) and sink._wake.is_set() and receiving.done()

    asyncio.run(main())


def test_it_waits_for_what_is_new_or_broken_and_no_longer_than_is_asked(mqtt):
    async def main():
        sink = sink_of(mqtt)
        await sink._woken(0.001)
        waiting = asyncio.create_task(sink._woken(1000))
        await settle()
        assert not waiting.done()
        sink._wake.set()
        await waiting
        assert not sink._wake.is_set(), "what is next is waited for again"
        sink._broken = OSError("broken")
        for set_ in (False, True):
            if set_:
                sink._wake.set()
            with pytest.raises(OSError, match="broken"):
                await sink._woken(1000)
            assert not sink._wake.is_set()

    asyncio.run(main())


def test_an_alarm_that_is_not_acknowledged_in_ten_seconds_ends_the_session(mqtt, monkeypatch):
    now = SimpleNamespace(ms=1_000_000)
    monkeypatch.setattr(mqtt, "ticks_ms", lambda: now.ms)

    async def main():
        sink, wire, waits = connected(mqtt), Wire(), []

        async def woken(limit_s):
            waits.append(limit_s)
            now.ms += 10_000 if len(waits) == 1 else 1

        sink._woken = woken
        sink.publish("topic", "text")
        with pytest.raises(OSError, match="no acknowledgement"):
            await sink._send(wire)
        assert waits == [10, 10], "at ten seconds it is not late yet"
        assert len(sink.outbox) == 1 and len(wire.packets) == 1, "it is sent again"

    asyncio.run(main())


def test_a_state_is_sent_and_forgotten_and_then_there_is_nothing(mqtt):
    async def main():
        sink, wire, waits = connected(mqtt), Wire(), []

        async def woken(limit_s):
            waits.append(limit_s)

        sink._woken = woken
        sink.tell_state({"score": 1})
        await sink._send(wire)
        assert published(wire.packets[0]) == (BASE + "/state", b'{"score": 1}', True, 0)
        assert len(sink.outbox) == 0 and waits == [] and not wire.undrained
        await sink._send(wire)
        assert waits == [30], "until the next ping is due"
        sink._announcing = True
        await sink._send(wire)
        assert len(wire.packets) == 1 + 5 and not sink._announcing, "Home Assistant was born"
        assert wire.packets[-1] == wire.packets[0], "and is told the last state"

    asyncio.run(main())


def test_a_ping_must_be_answered_within_ten_seconds(mqtt, monkeypatch):
    monkeypatch.setattr(mqtt, "ticks_ms", lambda: 1_000_000)

    async def main():
        for unheard_ms, answered in ((10_000, True), (10_001, False)):
            sink, wire = connected(mqtt), Wire()
            sink._pinged_ms = 1_000_000 - 30_000
            sink._heard_ms = sink._pinged_ms - unheard_ms
            if answered:
                await sink._send(wire)
                assert wire.packets == [b"\xc0\0"] and not wire.undrained
                assert sink._pinged_ms == 1_000_000
            else:
                with pytest.raises(OSError, match="no answer to a ping"):
                    await sink._send(wire)

    asyncio.run(main())


def test_what_went_wrong_is_said_once_in_a_sentence(mqtt, monkeypatch):
    said, sleeps = [], []
    sink = sink_of(mqtt, say=said.append)
    unreached = (
        "127.0.0.1:1883 cannot be reached (%s); check address, port and network; trying again"
    )
    outcomes = [
        (OSError(111, "Connection refused"), False, unreached % "Connection refused"),
        (OSError(111, "Connection refused"), False, None),  # said already
        (OSError("no route"), False, unreached % "no route"),
        (TimeoutError(), False, unreached % "no answer"),
        (mqtt.Refused("is not available now"), False, "127.0.0.1:1883 is not available now"),
        (EOFError(), True, "127.0.0.1:1883: connection lost; trying again"),
        (OSError(104, "Reset"), False, unreached % "Reset"),
    ]

    async def session():
        fault, sink.connected, _ = outcomes[len(sleeps)]
        raise fault

    async def sleep(s):
        sleeps.append(s)
        assert not sink.connected
        if len(sleeps) == len(outcomes):
            raise asyncio.CancelledError

    monkeypatch.setattr(sink, "_session", session)
    run_until_cancelled(monkeypatch, mqtt, sink, sleep)
    expected = [sentence for _, _, sentence in outcomes if sentence]
    assert said == ["mqtt: " + sentence for sentence in expected] and sink.problem == expected[-1]
    assert sleeps == [1, 2, 4, 8, 16, 1, 2], "a second at first, unless told otherwise"
