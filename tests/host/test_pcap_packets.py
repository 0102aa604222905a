"""What each byte of a frame is read as: links, tags, IP's headers with their
options, extensions and fragments, ports; and nothing beyond what was captured.
"""

import itertools
import socket
import struct

import numpy as np
import pytest

from inlier.packet_counters import mix
from inlier_trainer.pcap.packets import Fields, address_hash, decode
from inlier_trainer.pcap.reader import Chunk
from test_pcap import IP, MAC, PEER, ROUTER, ethernet, ip4, ip6, tcp, udp

HEAD = 16  # bytes of a file's words about a packet
ETHERNET_BYTES = 14
HERE, THERE = (socket.inet_pton(socket.AF_INET6, text) for text in ("fe80::5", "2001:db8::9"))
NOTHING = {
    "time_ns": 7, "mac_from": -1, "mac_to": -1, "from_here": False, "arp": False,
    "host_from": 0, "host_to": 0, "many": False, "protocol": -1, "port_from": 0, "port_to": 0,
    "flags": 0, "network": -1, "transport": -1, "end": -1,
}  # fmt: skip


def chunk_of(link, *frames):
    """What lies between frames is no part of any."""
    data, places = b"", []
    for frame in frames:
        data += b"\xee" * HEAD
        places.append(len(data))
        data += frame
    lengths = np.array([len(frame) for frame in frames])
    at = np.array(places)
    octets = np.frombuffer(data, np.uint8)
    return Chunk(link, octets, at, lengths, lengths + 100, np.full(len(frames), 7))


def rows(link, *frames):
    """Of each frame what differs from NOTHING, places from the frame's first
    byte on.
    """
    chunk = chunk_of(link, *frames)
    columns = {name: column.tolist() for name, column in vars(decode(chunk)).items()}
    assert columns.pop("length") == [len(frame) + 100 for frame in frames], "as on the link"
    found = []
    for i, at in enumerate(chunk.at.tolist()):
        row = {name: column[i] for name, column in columns.items() if column[i] != NOTHING[name]}
        for place in {"network", "transport", "end"} & set(row):
            row[place] -= at
        found.append(row)
    return found


def row(link, frame):
    """Others may follow, or the data may end there."""
    first, last = rows(link, frame, frame)
    assert first == last
    return first


def number(octets):
    return int.from_bytes(octets, "big")


def host(packed):
    h = 0
    for word in struct.unpack(f">{len(packed) // 4}I", packed):
        h = mix(h ^ word)
    return h


DATAGRAM = ip4(IP, PEER, 17, udp(5000, 53))
OF_DATAGRAM = {
    "host_from": host(IP), "host_to": host(PEER), "protocol": 17, "port_from": 5000,
    "port_to": 53, "network": 0, "transport": 20, "end": 28,
}  # fmt: skip
DATAGRAM6 = ip6(HERE, THERE, 17, udp(5000, 53))
OF_DATAGRAM6 = {
    **OF_DATAGRAM,
    "host_from": host(HERE),
    "host_to": host(THERE),
    "transport": 40,
    "end": 48,
}
MACS = {"mac_from": number(MAC), "mac_to": number(ROUTER)}


def behind(n, expected):
    """With places that lie n bytes later."""
    return {k: v + n * (k in ("network", "transport", "end")) for k, v in expected.items()}


def test_a_host_is_a_hash_of_its_address_word_by_word():
    packed = bytes([10, 0, 0, 9])
    assert address_hash(np.frombuffer(packed, np.uint8)[None]).tolist() == [mix(0x0A000009)]
    for address in (IP, HERE, THERE, bytes(range(240, 256)), b"\xff" * 16):
        found = address_hash(np.frombuffer(address * 2, np.uint8).reshape(2, -1))
        assert found.tolist() == [host(address)] * 2 and found.dtype == np.uint64


# Links -------------------------------------------------------------------


def test_an_ethernet_frame_s_addresses_are_those_that_were_captured():
    frame = ethernet(DATAGRAM)
    assert row(1, frame) == {**MACS, **behind(14, OF_DATAGRAM)}
    assert rows(1, frame[:11], frame[:12], frame[:13], frame[:14]) == [{}, MACS, MACS, MACS]
    assert row(1, ethernet(bytes(28), 0x0806)) == {**MACS, "arp": True}
    for first, many in ((0, False), (1, True), (2, False), (3, True), (0xFE, False), (0xFF, True)):
        found = row(1, bytes([first]) + bytes(5) + MAC + b"\x88\xcc")
        assert found.get("many", False) == many, first
        assert row(1, bytes([first]) * 11) == {}, "its sender is not known"


@pytest.mark.parametrize("link", [12, 101, 228, 229])
def test_a_link_without_addresses_holds_ip_of_the_version_that_it_says(link):
    assert rows(link, DATAGRAM, DATAGRAM6) == [OF_DATAGRAM, OF_DATAGRAM6]
    for version in {*range(16)} - {4, 6}:
        assert row(link, bytes([version << 4 | 5]) + DATAGRAM[1:]) == {}
    assert rows(link, b"", b"E") == [{}, {}]


@pytest.mark.parametrize("link", [0, 2, 11, 13, 100, 102, 227, 230, 250])
def test_of_a_link_that_is_not_read_a_packet_has_a_time_and_a_length(link):
    assert rows(link, DATAGRAM, ethernet(DATAGRAM)) == [{}, {}]


@pytest.mark.parametrize("kind", range(6))
def test_a_cooked_frame_says_who_sent_it_and_to_how_many(kind):
    """To us, to everybody, to a group, to others, by us."""
    expected = {"mac_from": number(MAC)}
    if kind in (1, 2):
        expected["many"] = True
    if kind == 4:
        expected["from_here"] = True
    head = struct.pack(">HHH", kind, 1, 6) + MAC
    older = head + b"\0\0\x08\0"
    assert row(113, older + DATAGRAM) == {**expected, **behind(16, OF_DATAGRAM)}
    newer = struct.pack(">HHIHBB", 0x0800, 0, 1, 1, kind, 6) + MAC + b"\0\0"
    assert row(276, newer + DATAGRAM) == {**expected, **behind(20, OF_DATAGRAM)}
    without = {k: v for k, v in expected.items() if k != "mac_from"}
    assert rows(113, older[:12], older[:11], older[:6]) == [expected, without, without]
    assert rows(276, newer[:18], newer[:17], newer[:12]) == [expected, without, without]
    assert rows(113, older[:1], older[:15]) == [{}, expected]


def test_a_frame_may_have_two_tags_of_either_kind():
    for tags in ((0x8100,), (0x88A8,), (0x88A8, 0x8100), (0x8100, 0x8100), (0x8100, 0x88A8)):
        tag = b"".join(struct.pack(">HH", kind, 7) for kind in tags)
        size = ETHERNET_BYTES + 4 * len(tags)
        found = rows(1, ethernet(DATAGRAM), ethernet(DATAGRAM, tags=tag), ethernet(DATAGRAM6))
        assert found[0] == {**MACS, **behind(14, OF_DATAGRAM)}
        assert found[1] == {**MACS, **behind(size, OF_DATAGRAM)}, tags
        assert row(1, ethernet(DATAGRAM6, 0x86DD, tags=tag)) == {
            **MACS,
            **behind(size, OF_DATAGRAM6),
        }
        assert row(1, ethernet(bytes(28), 0x0806, tags=tag)) == {**MACS, "arp": True}
    for tags in ((0x8100,) * 3, (0x9100,)):
        tag = b"".join(struct.pack(">HH", kind, 7) for kind in tags)
        assert row(1, ethernet(DATAGRAM, tags=tag)) == MACS, "of another kind, or too many"


SNAP = bytes.fromhex("aaaa030000000800")
OTHER, AP = bytes.fromhex("0300000000cc"), bytes.fromhex("0200000000dd")


def radio(control, flags, addresses, body, header=8, quality=b""):
    head = struct.pack("<BBHI", 0, 0, header, 0) + bytes(header - 8)
    head += bytes([control, flags, 0, 0]) + b"".join(addresses[:3]) + b"\0\0"
    return head + b"".join(addresses[3:]) + quality + body


def test_a_wireless_frame_s_body_is_behind_what_its_first_bytes_announce():
    three = (AP, MAC, ROUTER)
    for control, flags, addresses, quality in (
        (0x08, 0x01, three, b""),
        (0x88, 0x01, three, b"\0\0"),  # with quality of service
        (0x08, 0x03, (AP, AP, ROUTER, MAC), b""),
        (0x88, 0x03, (AP, AP, ROUTER, MAC), b"\0\0"),
        (0x08, 0x11, three, b""),  # flags that mean nothing here
        (0x08, 0xBD, three, b""),
    ):
        for header in (8, 36, 0x0118):
            frame = radio(control, flags, addresses, SNAP + DATAGRAM, header, quality)
            size = len(frame) - len(DATAGRAM)
            assert row(127, frame) == {**MACS, **behind(size, OF_DATAGRAM)}


def test_of_an_encrypted_or_other_wireless_frame_the_addresses_alone_are_known():
    three = (AP, MAC, ROUTER)
    assert row(127, radio(0x08, 0x41, three, SNAP + DATAGRAM)) == MACS
    assert row(127, radio(0x08, 0x01, three, b"\xaa\xaa\x02" + SNAP[3:] + DATAGRAM)) == MACS
    assert row(127, radio(0x08, 0x01, three, b"")) == MACS
    for control in (0x00, 0x04, 0x0C, 0x80, 0xB4, 0x09, 0x0A):  # or of another version
        assert row(127, radio(control, 0x01, three, SNAP + DATAGRAM)) == {}, control
    many = {"mac_from": number(MAC), "mac_to": number(OTHER), "many": True}
    assert row(127, radio(0x48, 0x01, (AP, MAC, OTHER), b"")) == many
    assert row(127, radio(0x08, 0x02, (OTHER, AP, MAC), b"")) == many


# IPv4 --------------------------------------------------------------------


def test_an_ipv4_packet_is_what_its_header_says_and_that_is_whole_or_nothing():
    packet = ip4(IP, PEER, 6, tcp(4000, 80, 0x12) + b"data")
    expected = {
        "host_from": host(IP), "host_to": host(PEER), "protocol": 6, "network": 0, "end": 44,
    }  # fmt: skip
    from_, to = {"transport": 20, "port_from": 4000}, {"port_to": 80}
    whole = {**expected, **from_, **to, "flags": 0x12}
    assert row(101, packet) == row(101, packet[:34]) == whole
    assert row(101, packet[:33]) == row(101, packet[:24]) == {**expected, **from_, **to}
    assert row(101, packet[:23]) == row(101, packet[:22]) == {**expected, **from_}
    assert row(101, packet[:21]) == row(101, packet[:20]) == {**expected, "transport": 20}
    assert row(101, packet[:19]) == {}
    for words in (6, 15):  # with options
        long = bytes([0x40 | words]) + packet[1:20] + bytes(words * 4 - 20) + packet[20:]
        assert row(101, long) == {**whole, "transport": words * 4}
    for protocol in (1, 2, 5, 7, 16, 18, 58):
        other = row(101, packet[:9] + bytes([protocol]) + packet[10:])
        assert other == {**expected, "protocol": protocol}
    assert row(101, ip4(IP, PEER, 17, udp(1, 2) + b"\xff" * 9)).get("flags", 0) == 0


@pytest.mark.parametrize(
    ("fragment", "ported"),
    [(0, 1), (0x4000, 1), (0x8000, 1), (0x2000, 1), (1, 0), (2, 0), (0x1000, 0), (0x3FFF, 0)],
)
def test_ports_are_in_the_first_fragment_alone(fragment, ported):
    expected = dict(OF_DATAGRAM)
    if not ported:
        for name in ("port_from", "port_to", "transport"):
            del expected[name]
    found = rows(101, DATAGRAM, ip4(IP, PEER, 17, udp(5000, 53), fragment), DATAGRAM)
    assert found == [OF_DATAGRAM, expected, OF_DATAGRAM]


@pytest.mark.parametrize(
    ("address", "many"),
    [
        ("223.255.255.255", False),
        ("224.0.0.1", True),
        ("239.255.255.255", True),
        ("240.0.0.1", False),
        ("255.255.255.254", False),
        ("255.255.255.255", True),
        ("192.168.1.255", False),  # its network's size is not known
    ],
)
def test_ipv4_is_to_many_by_its_address(address, many):
    to = socket.inet_aton(address)
    expected = {**OF_DATAGRAM, "host_to": host(to), **({"many": True} if many else {})}
    assert row(101, ip4(IP, to, 17, udp(5000, 53))) == expected
    sender = row(101, ip4(to, PEER, 17, udp(5000, 53)))
    assert sender == {**OF_DATAGRAM, "host_from": host(to)}
    frame = b"\xff" * 6 + MAC + b"\x08\0" + ip4(IP, to, 17, udp(5000, 53))
    assert row(1, frame)["many"], "by the link"


def test_a_connection_is_of_its_peer_s_host_and_port_and_of_this_end_s():
    p = decode(
        chunk_of(101, ip4(IP, PEER, 6, tcp(40001, 80, 2)), ip4(PEER, IP, 6, tcp(80, 40001, 4)))
    )
    key = mix(host(PEER) ^ (80 << 16 | 40001))
    for found, expected in zip(
        p.connections(np.array([True, False])), (host(PEER), 80, 40001, key), strict=True
    ):
        assert found.tolist() == [expected] * 2


# IPv6 --------------------------------------------------------------------


def test_an_ipv6_packet_is_what_its_header_says_and_that_is_whole_or_nothing():
    packet = ip6(HERE, THERE, 6, tcp(4000, 80, 0x12) + b"data")
    addresses = {"host_from": host(HERE), "host_to": host(THERE)}
    whole = {
        **addresses, "protocol": 6, "network": 0, "end": 64, "transport": 40,
        "port_from": 4000, "port_to": 80, "flags": 0x12,
    }  # fmt: skip
    assert row(101, packet) == whole
    assert row(101, packet[:40]) == {
        **addresses, "protocol": 6, "network": 0, "end": 64, "transport": 40
    }  # fmt: skip
    assert row(101, packet[:39]) == {}
    for first, many in ((0xFE, False), (0xFF, True)):
        to = bytes([first]) + THERE[1:]
        assert row(101, ip6(HERE, to, 17, udp(1, 2))).get("many", False) == many
        assert not row(101, ip6(to, HERE, 17, udp(1, 2))).get("many", False)
        assert row(1, b"\xff" * 6 + MAC + b"\x86\xdd" + ip6(HERE, to, 17, b""))["many"]


def chain(kinds, final, body):
    """Extension headers of kinds, the i-th of 8 * (i + 1) bytes."""
    out = b""
    for i, (kind, following) in enumerate(itertools.pairwise([*kinds, final])):
        if kind == 44:  # RFC 8200, 4.5: what is reserved is no length, and no offset
            out += struct.pack(">BBHI", following, 5, 7, 0)
        else:
            out += bytes([following, i]) + b"\xee" * (8 * (i + 1) - 2)
    return out + body


@pytest.mark.parametrize("kind", [0, 43, 44, 60])
def test_up_to_four_extension_headers_are_passed_over(kind):
    for n in range(6):
        kinds = [kind] * n
        body = chain(kinds, 17, udp(5000, 53))
        found = rows(101, DATAGRAM6, ip6(HERE, THERE, kind if n else 17, body), DATAGRAM6)
        expected = {**OF_DATAGRAM6, "transport": 32 + len(body), "end": 40 + len(body)}
        if n > 4:
            expected["protocol"] = kind
            for name in ("port_from", "port_to", "transport"):
                del expected[name]
        assert found == [OF_DATAGRAM6, expected, OF_DATAGRAM6], n
    body = chain([kind, 0, 44, 60], 6, tcp(4000, 80, 2))
    found = row(101, ip6(HERE, THERE, kind, body))
    assert (found["protocol"], found["transport"]) == (6, 40 + len(body) - 20)


@pytest.mark.parametrize("kind", [42, 45, 50, 51, 59, 61])
def test_another_header_is_what_the_packet_holds(kind):
    found = row(101, ip6(HERE, THERE, kind, udp(5000, 53) + bytes(8)))
    assert found["protocol"] == kind and "transport" not in found


@pytest.mark.parametrize("following", [0, 43, 44, 60, 17, 6])
@pytest.mark.parametrize("offset", [8, 16, 2048, 65528])
def test_what_a_later_fragment_holds_is_not_looked_into(following, offset):
    """Its bytes may look like a header: of an extension, or a fragment again."""
    body = struct.pack(">BBHI", following, 0, offset | 1, 7) + bytes([17, 0]) + bytes(30)
    found = rows(101, ip6(HERE, THERE, 44, body), DATAGRAM6)
    assert found[0] == {
        "host_from": host(HERE), "host_to": host(THERE), "protocol": following, "network": 0,
        "end": 80,
    }  # fmt: skip
    assert found[1] == OF_DATAGRAM6


# Single numbers ----------------------------------------------------------


def test_what_was_not_captured_is_zero():
    frame = bytes(range(1, 9))
    chunk = chunk_of(1, frame, frame[:4])
    fields = Fields(chunk)
    for place, first, second in ((0, 0x01020304, 0x01020304), (1, 0x02030405, 0), (5, 0, 0)):
        assert fields.number(chunk.at + place, 4).tolist() == [first, second]
        which = np.arange(2)
        octets = [list(struct.pack(">I", n)) for n in (first, second)]
        assert fields.octets(chunk.at + place, 4, which).tolist() == octets
        assert fields.holds(chunk.at + place, 4).tolist() == [first > 0, second > 0]
    one = np.array([1])
    assert fields.number(chunk.at[one] + 4, 1, one).tolist() == [0]
    assert Fields(chunk, one).number(chunk.at[one] + 4, 1).tolist() == [0]


def test_a_host_s_address_is_read_back_in_text():
    chunk = chunk_of(1, ethernet(DATAGRAM), ethernet(DATAGRAM6, 0x86DD))
    p, fields = decode(chunk), Fields(chunk)
    told = [fields.address(p, row, to) for row in (0, 1) for to in (False, True)]
    assert told == ["192.168.1.5", "10.0.0.9", "fe80::5", "2001:db8::9"]


def test_the_type_that_a_question_asks_for_is_behind_its_name():
    def asked(message, kept=None):
        chunk = chunk_of(1, bytes(3) + message[:kept])
        return Fields(chunk).question(int(chunk.at[0]) + 3, 0)

    head = struct.pack(">HHHHHH", 7, 256, 1, 0, 0, 0)
    for name in (b"\0", b"\4bell\0", b"\4bell\7example\3org\0", b"\x3f" + b"a" * 63 + b"\0"):
        for kind in (1, 28, 0x0102, 255):
            message = head + name + struct.pack(">HH", kind, 1)
            assert asked(message) == kind, name
            assert asked(message + b"more") == kind
            for kept in range(len(message)):
                assert asked(message, kept) == 0, "cut, so that it is not known"
