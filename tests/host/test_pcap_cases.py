"""Captures, case by case: what refuses a connection, what a fragment holds,
what outlives a chunk, four addresses, packets without a time.
"""

import socket
import struct

import pytest

from inlier_export.errors import BadInput
from inlier_trainer.pcap import count as counting
from inlier_trainer.pcap import reader
from test_pcap import (
    DEVICE,
    IP,
    MAC,
    PEER,
    ROUTER,
    RST,
    SYN,
    SYNACK,
    block,
    columns,
    counted,
    ethernet,
    framed,
    ip4,
    ip6,
    pcap,
    pcapng,
    tcp,
    udp,
)

FIN, ACK = 1, 16


def out(packet):
    return framed(1, packet, True)


def into(packet):
    return framed(1, packet, False)


def moved(result, *names):
    return [columns(result)[name] for name in names]


@pytest.mark.parametrize(
    ("answer", "resets", "failed"),
    [
        (SYNACK, 0, 0),
        (RST, 1, 1),
        (RST | ACK, 1, 1),
        (ACK, 0, 1),  # acknowledges something else: RFC 9293, 3.10.7.3
        (None, 0, 1),
    ],
)
def test_a_connection_is_refused_by_a_reset_and_begun_by_no_bare_acknowledgement(
    tmp_path, answer, resets, failed
):
    packets = [(0, out(ip4(IP, PEER, 6, tcp(4000, 80, SYN))))]
    if answer is not None:
        packets.append((1, into(ip4(PEER, IP, 6, tcp(80, 4000, answer)))))
        packets.append((2, into(ip4(PEER, IP, 6, tcp(80, 4000, ACK)))))  # and data follows
    packets.append((9, out(ip4(IP, PEER, 6, tcp(4000, 80, ACK)))))
    packets.append((9.5, into(ip4(PEER, IP, 6, tcp(80, 4000, ACK | FIN)))))  # ended in order
    result = counted(tmp_path, pcap(packets))
    assert moved(result, "rst_in", "connects_failed") == [[resets], [failed]]


def test_a_connection_of_the_first_instant_of_1970_is_refused_like_any(tmp_path):
    packets = [
        (-1_700_000_000, out(ip4(IP, PEER, 6, tcp(4000, 80, SYN)))),
        (-1_699_999_999, into(ip4(PEER, IP, 6, tcp(80, 4000, RST)))),
    ]
    assert moved(counted(tmp_path, pcap(packets)), "connects_failed") == [[1]]


def test_a_reset_from_another_port_or_host_refuses_nothing(tmp_path):
    begun = (0, out(ip4(IP, PEER, 6, tcp(4000, 80, SYN))))
    answered = (0.3, into(ip4(PEER, IP, 6, tcp(80, 4000, SYNACK))))
    for other in (
        ip4(PEER, IP, 6, tcp(81, 4000, RST)),
        ip4(PEER, IP, 6, tcp(80, 4001, RST)),
        ip4(bytes([10, 0, 0, 8]), IP, 6, tcp(80, 4000, RST)),
    ):
        result = counted(tmp_path, pcap([begun, (0.2, into(other)), answered, (9, into(other))]))
        assert moved(result, "rst_in", "connects_failed") == [[2], [0]]


def test_an_answer_is_waited_for_so_long_and_no_longer(tmp_path):
    for late_s, failed in ((2.999, 0), (3, 1), (3.001, 1)):
        packets = [
            (0, out(ip4(IP, PEER, 6, tcp(4000, 80, SYN)))),
            (late_s, out(ip4(IP, PEER, 17, udp(1, 2)))),  # the capture goes on until then
        ]
        assert moved(counted(tmp_path, pcap(packets)), "connects_failed") == [[failed]], late_s


def test_ports_are_in_the_first_fragment_of_ipv6_alone(tmp_path):
    here, there = (socket.inet_pton(socket.AF_INET6, text) for text in ("fe80::5", "2001:db8::9"))

    def fragment(offset_bytes, more):
        return struct.pack(">BBHI", 17, 0, offset_bytes | more, 7) + udp(9, 53, bytes(16))

    for offset_bytes, more, queries in (
        (0, 0, 1),  # an "atomic" fragment, RFC 6946: the whole datagram
        (0, 1, 1),  # the first: more follow, and it has the ports
        (8, 1, 0),  # what looks like ports is payload
        (8, 0, 0),
        (2048, 1, 0),  # its low byte is 0
        (65528, 0, 0),  # the last that can be
    ):
        packet = ethernet(ip6(here, there, 44, fragment(offset_bytes, more)), 0x86DD)
        result = counted(tmp_path, pcap([(0, packet)]))
        assert moved(result, "udp_out", "dns", "ports") == [[1], [queries], [queries]], (
            offset_bytes,
            more,
        )


def test_hosts_and_ports_of_a_window_stay_distinct_over_many_chunks(tmp_path, monkeypatch):
    def to(host, port):
        return out(ip4(IP, bytes([10, 0, 0, host]), 17, udp(5000, port)))

    # A, B, A, B, …: each in a chunk of its own, and back over a window's border
    # as stamps out of order are.
    stamps = (0, 1, 2, 3, 10.5, 9.9, 11, 12, 9.8, 13)
    packets = [(at, to(i % 2, 100 + i % 2)) for i, at in enumerate(stamps)]
    monkeypatch.setattr(reader, "CHUNK_BYTES", 70)
    for content in (pcap(packets), pcapng(packets)):
        result = counted(tmp_path, content)
        assert moved(result, "peers", "ports", "peers_new") == [[2, 2], [2, 2], [2, 0]]


def wireless(flags, addresses, body):
    """802.11 data with a radiotap header of 8 bytes."""
    head = struct.pack("<BBHI", 0, 0, 8, 0) + bytes([0x08, flags, 0, 0])
    return head + b"".join(addresses[:3]) + b"\0\0" + b"".join(addresses[3:]) + body


def test_the_addresses_of_802_11_are_where_the_two_flags_say(tmp_path):
    """IEEE 802.11-2020, table 9-60: to and from the distribution system."""
    other, ap = bytes.fromhex("0200000000cc"), bytes.fromhex("0200000000dd")
    body = bytes.fromhex("aaaa030000000800") + ip4(IP, PEER, 17, udp(5000, 53))
    for flags, sent, received in (
        (0, (ROUTER, MAC, ap), (MAC, ROUTER, ap)),  # target, source, network
        (1, (ap, MAC, ROUTER), (ap, ROUTER, MAC)),  # receiver, source, target
        (2, (ROUTER, ap, MAC), (MAC, ap, ROUTER)),  # target, transmitter, source
        (3, (ap, other, ROUTER, MAC), (ap, other, MAC, ROUTER)),  # …, target, source
    ):
        names = ("packets_out", "packets_in", "udp_out", "udp_in", "dns")
        for addresses, expected in (
            (sent, [[1], [0], [1], [0], [1]]),
            (received, [[0], [1], [0], [1], [0]]),
        ):
            frame = wireless(flags, addresses, body)
            result = counted(tmp_path, pcap([(0, frame)], 127))
            assert moved(result, *names) == expected, (flags, addresses is sent)


def test_pcapng_s_simple_packets_count_in_the_window_of_the_packet_before_them(tmp_path):
    frames = [out(ip4(IP, PEER, 17, udp(5000, 53, bytes(size)))) for size in range(4)]
    simple = b"".join(block("<", 3, struct.pack("<I", len(data)) + data) for data in frames)
    cut = out(ip4(IP, PEER, 17, udp(5000, 53, bytes(100))))
    simple += block("<", 3, struct.pack("<I", len(cut)) + cut[:60])
    timed = [(0.0, framed(1, b"\x50", True)), (11.0, framed(1, b"\x50", True))]
    content = pcapng(timed) + simple
    result = counted(tmp_path, content)
    assert result.packets == 7 and not result.broken
    names = ("packets_out", "udp_out", "dns", "bytes_out")
    size = len(timed[0][1])
    assert moved(result, *names) == [
        [1, 6],
        [0, 5],
        [0, 5],
        [size, size + sum(map(len, frames)) + len(cut)],  # as it was on the link
    ]
    assert counted(tmp_path, content, DEVICE).seen.tolist() == [1, 6]


def test_an_interface_whose_resolution_was_cut_off_has_the_usual_one(tmp_path):
    """Once an IndexError: its option says one byte, and the block ends there."""
    frame = framed(1, b"\x50", True)
    content = block("<", 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    content += block("<", 1, struct.pack("<HHIHH", 1, 0, 0, 9, 1))
    for us in (0, 11_000_000):
        content += block("<", 6, struct.pack("<IIIII", 0, 0, us, len(frame), len(frame)) + frame)
    result = counted(tmp_path, content, DEVICE)
    assert result.seen.tolist() == [1, 1] and not result.broken


@pytest.mark.parametrize("begin_s", [0, -1_700_000_000], ids=["now", "1970"])
def test_windows_begin_with_the_device_s_first_packet_whatever_chunk_it_is_in(
    tmp_path, monkeypatch, begin_s
):
    """A capturing machine whose clock was never set counts from 1970."""
    asked = ethernet(bytes(28), 0x0806, source=ROUTER, target=b"\xff" * 6)
    own = out(ip4(IP, PEER, 17, udp(1, 2)))
    first_s = 30 if begin_s == 0 else 0
    packets = [(at, asked) for at in range(0, first_s, 5)]
    packets += [(first_s, own), (first_s, asked), (first_s + 9, own), (first_s + 10, own)]
    packets += [(first_s + 25, asked), (first_s + 29, own)]
    monkeypatch.setattr(reader, "CHUNK_BYTES", 60)
    told = []
    path = tmp_path / "capture"
    path.write_bytes(pcap([(begin_s + at, data) for at, data in packets]))
    result = counting.count(path, DEVICE, 10_000, lambda *what: told.append(what))
    assert moved(result, "packets_out", "broadcast") == [[2, 1, 1], [1, 0, 1]]
    assert result.packets == len(packets)
    size = path.stat().st_size
    assert told[-1] == ("capture", size, size) and len(told) > 3, "shown as it is read"
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_a_broadcast_of_the_same_instant_as_the_first_packet_counts_and_one_before_does_not(
    tmp_path,
):
    asked = ethernet(bytes(28), 0x0806, source=ROUTER, target=b"\xff" * 6)
    own = out(ip4(IP, PEER, 17, udp(1, 2)))
    result = counted(tmp_path, pcap([(0.9, asked), (1, own), (1, asked)]))
    assert moved(result, "packets_out", "broadcast") == [[1], [1]]


def test_a_time_stamp_far_off_is_damage(tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "WINDOWS_MAX", 100)
    own = out(ip4(IP, PEER, 17, udp(1, 2)))
    assert len(counted(tmp_path, pcap([(0, own), (999.9, own)])).windows) == 100
    with pytest.raises(BadInput, match="a time stamp is 100 windows after the first packet"):
        counted(tmp_path, pcap([(0, own), (1000, own)]))


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="none: No such file or directory; check the path"):
        counting.count(tmp_path / "none", DEVICE, 10_000)


def test_a_syn_again_after_its_time_is_another_attempt_and_it_fails_when_that_is_known(
    tmp_path,
):
    syn = out(ip4(IP, PEER, 6, tcp(4000, 80, SYN)))
    other = out(ip4(IP, PEER, 17, udp(1, 2)))
    for stamps, failed in (
        ((0, 1, 2.9), [1]),  # one attempt, repeated
        ((0, 2.999), [1]),
        ((0, 3), [2]),
        ((8, 12), [0, 2]),
        ((6.999, 12), [1, 1]),
    ):
        packets = [(0, other), *((at, syn) for at in stamps), (19 if stamps[0] else 9, other)]
        assert moved(counted(tmp_path, pcap(packets)), "connects_failed") == [failed], stamps


def test_windows_that_alternate_in_a_chunk_lose_no_packet(tmp_path):
    own = out(ip4(IP, PEER, 17, udp(1, 2)))
    stamps = (0, 10.5, 1, 11, 2, 25, 12, 3)
    result = counted(tmp_path, pcap([(at, own) for at in stamps]))
    assert moved(result, "packets_out", "udp_out", "peers") == [[4, 3, 1], [4, 3, 1], [1, 1, 1]]
    assert result.seen.tolist() == [4, 3, 1]
    early = counted(tmp_path, pcap([(10, own), (2, own), (21, own)]))
    assert moved(early, "packets_out") == [[2, 1]], "it is the earliest of its chunk that begins"
