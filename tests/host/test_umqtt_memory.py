"""umqtt.simple as a maker and reader of packets: bytes of MQTT 3.1.1, section
by section, and what a broker may not send.
"""

import asyncio
import contextlib

import pytest

WILL = "inlier/bell/availability", b"offline"


def text(content):
    """A string, or bytes, as MQTT has it: 1.5.3."""
    content = content if isinstance(content, bytes) else content.encode()
    return len(content).to_bytes(2, "big") + content


def sized(kind, body):
    """A packet of less than 128 bytes: 2.2."""
    return bytes((kind, len(body))) + body


@pytest.fixture
def memory(mqtt):
    from inlier.sinks import umqtt_memory

    return umqtt_memory


def packets(memory, user=None, password=None, heard=None):
    def on_message(topic, payload):
        heard.append((topic, payload))

    return memory.Packets("bell", user, password, 300, WILL, on_message)


@pytest.mark.parametrize(
    ("user", "password", "flags", "rest"),
    [
        (None, None, 0x2E, b""),  # 3.1.2.3: a retained will at QoS 1, a clean session
        (None, "lost", 0x2E, b""),  # a password without a user is none
        ("me", "secret", 0xEE, text("me") + text("secret")),
        ("me", None, 0xEE, text("me") + text("")),
        ("t\u00fcr", "\u00fc", 0xEE, text("t\u00fcr") + text("\u00fc")),
    ],
)
def test_a_connect_says_who_with_which_will_and_how_often_it_pings(
    memory, user, password, flags, rest
):
    made = packets(memory, user, password)
    begin = text("MQTT") + bytes((4, flags, 1, 44)) + text("bell")
    for _ in range(2):
        assert made.connect() == sized(0x10, begin + text(WILL[0]) + text(WILL[1]) + rest)
        made.publish("t", b"", False, 1)
        assert made.packet_id == 1, "each connection counts anew"


def test_what_is_sent_is_a_packet_and_waits_for_no_answer(memory):
    made = packets(memory)
    made.connect()
    assert made.subscribe("a/b") == sized(0x82, b"\0\1" + text("a/b") + b"\0")
    assert made.publish("t", b"x" * 3, True, 0) == sized(0x31, text("t") + b"xxx")
    assert made.packet_id == 1, "an answer is not asked for"
    assert made.publish("t", b"x", False, 1) == sized(0x32, text("t") + b"\0\2" + b"x")
    assert made.publish("t", b"x" * 200, False, 0)[:3] == b"\x30\xcb\x01", "203 bytes: 2.2.3"
    assert made.ping() == b"\xc0\0"
    assert made.handle(b"\x90\3\0\1\0") is None
    assert made.publish("t", b"y", True, 1) == sized(0x33, text("t") + b"\0\3" + b"y")


def test_umqtt_s_own_module_of_sockets_is_back_whatever_happens(memory):
    made, own = packets(memory), memory.simple.socket
    for answer in (b"\x20\2\0\0", b"\x20\2\0\5"):
        made.connect()
        assert memory.simple.socket is own
        with contextlib.suppress(memory.Refused):
            made.connected(answer)
        assert memory.simple.socket is own


def test_packet_ids_go_round_within_16_bits(memory):
    made = packets(memory)
    made.connect()
    made._client.pid = 0x7FFE
    for expected in (0x7FFF, 0x8000):
        made.publish("t", b"", False, 1)
        assert made.packet_id == expected
    made.publish("t", b"", False, 0)
    assert made.packet_id == 0x8000
    made.publish("t", b"", False, 1)
    assert made.packet_id == 1


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (b"\x20\2\0\0", None),
        (b"\x20\2\1\0", None),
        (b"\x20\2\0\1", "does not speak MQTT 3.1.1"),
        (b"\x20\2\0\2", "choose another device_id"),
        (b"\x20\2\0\3", "is not available now"),
        (b"\x20\2\0\4", "check both"),
        (b"\x20\2\0\5", "check both"),
        (b"\x20\2\0\x49", r"refuses \(code 73\)"),
        (b"\x20\2\0", "does not answer like an MQTT broker"),
        (b"\x20\2\0\0\0", "does not answer like an MQTT broker"),
        (b"\x20\3\0\0", "does not answer like an MQTT broker"),
        (b"HTTP", "does not answer like an MQTT broker"),
        (None, "does not answer like an MQTT broker"),
    ],
)
def test_a_broker_accepts_or_says_why_not(memory, packet, why):
    made = packets(memory)
    made.connect()
    if why is None:
        made.connected(packet)
    else:
        with pytest.raises(memory.Refused, match=why):
            made.connected(packet)


@pytest.mark.parametrize(
    ("length", "size"),
    [
        (b"\0", 0),
        (b"\x7f", 127),
        (b"\x80\x01", 128),
        (b"\xe8\x07", 1000),
        (b"\xe9\x07", None),  # more than the 1,000 that are allowed
        (b"\x81\x80\x01", None),
        (b"\x80\x80\x80\x00", 0),
        (b"\x83\x80\x80\x00", 3),
    ],
)
def test_a_packet_is_read_whole_or_thrown_away_whole(memory, length, size):
    """2.2.3: seven bits a byte, the lowest first."""

    async def main():
        made, reader = packets(memory), asyncio.StreamReader(1 << 20)
        long = sum((byte & 127) << 7 * i for i, byte in enumerate(length))
        body = bytes(i % 251 for i in range(long))
        reader.feed_data(b"\x30" + length + body + b"\xd0\0")
        expected = None if size is None else b"\x30" + length + body
        assert await asyncio.wait_for(made.read(reader, 1000), 20) == expected
        assert await asyncio.wait_for(made.read(reader, 1000), 20) == b"\xd0\0", "the next one"

    asyncio.run(main())


def test_what_is_thrown_away_takes_no_more_memory_than_what_is_kept(memory):
    parts, head = [], iter(b"\x30\xff\xff\x03")

    class Reader:
        async def readexactly(self, n):
            parts.append(n)
            return bytes([next(head)]) if n == 1 else bytes(n)

    assert asyncio.run(packets(memory).read(Reader(), 20_000)) is None
    assert parts == [1, 1, 1, 1, 20_000, 20_000, 20_000, 65_535 - 60_000]


def test_a_length_of_five_bytes_is_none(memory):
    async def main():
        reader = asyncio.StreamReader()
        reader.feed_data(b"\x30\x80\x80\x80\x80\x00")
        with pytest.raises(memory.Refused, match="does not answer like an MQTT broker"):
            await packets(memory).read(reader, 1000)

    asyncio.run(main())


def test_what_a_broker_sends_is_heard(memory):
    heard = []
    made = packets(memory, heard=heard)
    made.connect()
    for packet, acknowledged in (
        (b"\xd0\0", None),  # PINGRESP
        (b"\x90\3\0\1\0", None),  # SUBACK
        (b"\x40\2\1\2", 258),  # PUBACK
        (b"\x40\2\0\7", 7),
        (sized(0x30, text("a/b") + b"payload"), None),
        (sized(0x31, text("") + b""), None),
        (sized(0x32, text("c") + b"\0\5" + b"at QoS 1"), None),
    ):
        assert made.handle(packet) == acknowledged, packet
    assert heard == [(b"a/b", b"payload"), (b"", b""), (b"c", b"at QoS 1")]


@pytest.mark.parametrize(
    "packet",
    [
        b"\x30\0", b"\x30\1\0", b"\x30\2\0\5", b"\x30\3\0\2a", b"\x32\3\0\1a", b"\x34\5\0\1a\0\1",
        b"\xd0\1x", b"\x40\1\0", b"\x40\0",
    ],
)  # fmt: skip
def test_garbage_is_refused(memory, packet):
    made = packets(memory, heard=[])
    made.connect()
    with pytest.raises(memory.Refused, match="does not answer like an MQTT broker"):
        made.handle(packet)
