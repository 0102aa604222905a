"""What of a capture falls into which window, to the nanosecond; what the
bitmaps and slots of inlier/packet_counters.py hold; and who is named when the
device is not there.
"""

import struct

import pytest

from inlier.packet_counters import KNOWN, PEERS, PORTS, WAITING, mix
from inlier_export.errors import BadInput
from inlier_trainer.pcap import count as counting
from inlier_trainer.pcap import reader
from inlier_trainer.sources import counters_of
from test_pcap import (
    DEVICE,
    IP,
    PEER,
    ROUTER,
    RST,
    SYN,
    SYNACK,
    counted,
    ethernet,
    ip4,
    ip6,
    pcap,
    tcp,
    udp,
)
from test_pcap_cases import into, moved, out

OWN = out(ip4(IP, PEER, 17, udp(1, 2)))
ASKED = ethernet(bytes(28), 0x0806, source=ROUTER, target=b"\xff" * 6)


def nano(packets):
    return pcap(packets, nano=True)


def told(tmp_path, content, device=DEVICE):
    with pytest.raises(BadInput) as caught:
        counted(tmp_path, content, device)
    return str(caught.value).removeprefix(f"{tmp_path / 'capture'}: ")


# Addresses ---------------------------------------------------------------


def test_a_device_is_named_by_its_mac_or_ip_address():
    for text in ("24:6f:28:d9:a7:64", "24-6F-28-D9-A7-64", "24:6F-28:d9-a7:64"):
        assert counting.device_address(text) == 0x246F28D9A764
    assert counting.mac_text(0x0002030405FF) == "00:02:03:04:05:ff"
    assert counting.device_address("10.0.0.9").tolist() == [mix(0x0A000009)]
    assert counting.device_address("::1").tolist() == [mix(mix(mix(mix(0))) ^ 1)]
    for text in ("24:6f:28:d9:a7", "24:6f:28:d9:a7:64:01", "24:6f:28:d9:a7:6g", "10.0.0", ""):
        with pytest.raises(BadInput) as caught:
            counting.device_address(text)
        assert str(caught.value) == (
            f"--device {text}: give a MAC address such as 24:6f:28:d9:a7:64, or an IP address"
        )


def test_a_device_may_be_named_by_its_ipv6_address(tmp_path):
    here, there = bytes(15) + b"\5", bytes(15) + b"\6"
    packets = [
        (0, ethernet(ip6(here, there, 17, udp(1, 2)), 0x86DD)),
        (1, ethernet(ip6(there, here, 17, udp(2, 1)), 0x86DD)),
        (2, OWN),
    ]
    result = counted(tmp_path, pcap(packets), "::5")
    assert moved(result, "packets_out", "packets_in") == [[1], [1]]


def test_a_capture_gives_the_counters_of_two_sources(tmp_path):
    path = tmp_path / "capture"
    path.write_bytes(pcap([(0, OWN)]))
    assert counting.TWINS == ("packets", "sockets")
    for name in counting.TWINS:
        found = counting.count(path, DEVICE, 10_000, source=name)
        assert found.windows.shape == (1, len(counters_of(name)))


# Windows -----------------------------------------------------------------


def test_a_window_begins_at_its_nanosecond(tmp_path):
    packets = [(0, OWN), (9.999999999, OWN), (10, OWN), (29.999999999, OWN)]
    assert moved(counted(tmp_path, nano(packets)), "packets_out") == [[2, 1, 1]]


def test_an_answer_may_come_until_three_seconds_have_passed(tmp_path):
    syn = out(ip4(IP, PEER, 6, tcp(4000, 80, SYN)))
    for answer, late_s, failed in (
        (SYNACK, 2.999999999, 0),
        (SYNACK, 3, 1),
        (RST, 3, 1),
        (None, 2.999999999, 0),
        (None, 3, 1),
    ):
        frame = OWN if answer is None else into(ip4(PEER, IP, 6, tcp(80, 4000, answer)))
        for begin_s in (0, 20):
            packets = [(0, OWN), (begin_s, syn), (begin_s + late_s, frame)]
            (windows,) = moved(counted(tmp_path, nano(packets)), "connects_failed")
            assert sum(windows) == failed, (answer, late_s, begin_s)


def test_a_repeated_syn_is_given_no_more_time(tmp_path):
    syn = out(ip4(IP, PEER, 6, tcp(4000, 80, SYN)))
    for end_s, failed in ((2.999999999, 0), (3, 1), (5, 1)):
        result = counted(tmp_path, nano([(0, syn), (2.5, syn), (end_s, OWN)]))
        assert moved(result, "connects_failed") == [[failed]], end_s


def test_a_connection_fails_in_the_window_in_which_that_is_known_or_in_none(tmp_path):
    def syn(port):
        return out(ip4(IP, PEER, 6, tcp(port, 80, SYN)))

    def reset(port):
        return into(ip4(PEER, IP, 6, tcp(80, port, RST)))

    packets = [(0, OWN), (6.999999999, syn(1)), (7, syn(2)), (9.9, syn(3)), (10, reset(3))]
    result = counted(tmp_path, nano([*packets, (20, OWN)]))
    assert moved(result, "syn_out", "connects_failed") == [[3, 0, 0], [1, 2, 0]]
    # Others go on; nothing is known of a window in which the device is not
    # there.
    result = counted(tmp_path, nano([(0, OWN), (7, syn(1)), (15, into(bytes(9))), (25, ASKED)]))
    assert moved(result, "connects_failed") == [[0, 1, 0]]
    others = ethernet(ip4(PEER, IP, 17, udp(1, 2)), source=ROUTER, target=ROUTER)
    result = counted(tmp_path, nano([(0, OWN), (7, syn(1)), (25, others)]))
    assert moved(result, "connects_failed") == [[0]]


def test_what_is_older_than_the_first_packet_belongs_to_the_first_window(tmp_path, monkeypatch):
    """In a piece of the file of its own: in one piece the earliest is the
    first.
    """
    monkeypatch.setattr(reader, "CHUNK_BYTES", 58)
    syn = out(ip4(IP, PEER, 6, tcp(4000, 80, SYN)))
    packets = [(100, OWN), (60, OWN), (80, syn), (95, ASKED), (111, OWN)]
    result = counted(tmp_path, pcap(packets))
    assert moved(result, "packets_out", "broadcast", "connects_failed") == [[3, 1], [0, 0], [1, 0]]


def test_a_year_of_windows_is_no_damage_and_two_are(tmp_path):
    year_s = 365 * 24 * 3600
    result = counted(tmp_path, pcap([(0, OWN), (year_s, OWN)]))
    assert len(result) == year_s // 10 + 1
    assert "windows after the first packet" in told(tmp_path, pcap([(0, OWN), (2 * year_s, OWN)]))


def test_what_others_broadcast_after_the_last_packet_of_the_device_counts(tmp_path):
    result = counted(tmp_path, pcap([(0, OWN), (31, ASKED), (31.5, ASKED)]))
    assert moved(result, "packets_in", "broadcast") == [[0, 0, 0, 2], [0, 0, 0, 2]]
    assert result.seen.tolist() == [1, 0, 0, 2]


# Bitmaps and slots -------------------------------------------------------


def to_port(port):
    return out(ip4(IP, PEER, 17, udp(1, port)))


@pytest.mark.parametrize(
    ("ports", "distinct"),
    [
        ((1, 1), 1),
        ((1, 2), 2),
        ((1, 4096), 1),  # 4096 ^ 1, of which 12 bits are kept: bit 1
        ((1, 4097), 2),  # bit 0
        ((2, 8192), 1),
        ((15, 61440), 1),
        ((4097,), 1),
        ((4095, 4096 + 4095), 2),  # bits 4095 and 4094
        ((65535, 4080), 1),
    ],
)
def test_distinct_ports_are_bits_of_a_small_bitmap(tmp_path, ports, distinct):
    assert PORTS == 4096
    result = counted(tmp_path, pcap([(0, to_port(port)) for port in ports]))
    assert moved(result, "ports") == [[distinct]]


def hosts_of(same, differ):
    """Two whose hashes are equal in some bits and not in others."""
    found = {}
    for i in range(1 << 16):
        packed = struct.pack(">HH", 0x0A01, i)
        h = mix(int.from_bytes(packed, "big"))
        other = found.setdefault(h & same, (packed, h))
        if (other[1] ^ h) & differ:
            return other[0], packed
    return None


@pytest.mark.parametrize(
    ("same", "differ", "peers", "new"),
    [
        (PEERS - 1, KNOWN - 1, 1, 2),
        (KNOWN - 1, 0xFFFFFFFF, 1, 1),
        (PEERS // 2 - 1, PEERS // 2, 2, 2),
        (PEERS - 1 & ~1, 1, 2, 2),
        (KNOWN - 1 & ~1, 1, 2, 2),
    ],
)
def test_distinct_and_new_hosts_are_bits_of_two_bitmaps(tmp_path, same, differ, peers, new):
    frames = [out(ip4(IP, packed, 17, udp(1, 2))) for packed in hosts_of(same, differ)]
    result = counted(tmp_path, pcap([(0, frame) for frame in frames * 2]))
    assert moved(result, "peers", "peers_new") == [[peers], [new]]
    result = counted(tmp_path, pcap([(at, frame) for at in (0, 12) for frame in frames]))
    assert moved(result, "peers", "peers_new") == [[peers] * 2, [new, 0]]


def test_what_comes_two_windows_late_is_distinct_again(tmp_path, monkeypatch):
    """Of the newest window and the one before it, hosts and ports are kept."""
    monkeypatch.setattr(reader, "CHUNK_BYTES", 60)
    for stamps, distinct in (((0, 10, 9), [1, 1]), ((0, 10, 20, 9), [2, 1, 1])):
        for frame in (OWN, to_port(4097)):  # whose bit is the first
            result = counted(tmp_path, pcap([(at, frame) for at in stamps]))
            assert moved(result, "peers", "ports") == [distinct, distinct], stamps
            assert moved(result, "peers_new") == [[1] + [0] * (len(distinct) - 1)]


def connection(slot, but=()):
    """A local port whose connection to PEER's port 80 waits in the slot."""
    host = mix(int.from_bytes(PEER, "big"))
    for local in range(1024, 1 << 16):
        if mix(host ^ (80 << 16 | local)) & WAITING - 1 == slot and local not in but:
            return local
    raise AssertionError


def test_another_connection_takes_the_slot_and_the_one_before_is_not_followed(tmp_path):
    first = connection(7)
    second, other = connection(7, but=(first,)), connection(6)

    def syn(port, flags=SYN):
        return out(ip4(IP, PEER, 6, tcp(port, 80, flags)))

    def reset(port):
        return into(ip4(PEER, IP, 6, tcp(80, port, RST)))

    for packets, failed in (
        ([(0, syn(first)), (1, syn(other)), (9, OWN)], 2),
        ([(0, syn(first)), (1, syn(second)), (9, OWN)], 1),
        ([(0, syn(first)), (1, syn(second)), (3.5, OWN)], 0),  # the second has half a second
        ([(0, syn(first)), (1, syn(second)), (2, reset(first)), (9, OWN)], 1),
        ([(0, syn(first)), (1, syn(second)), (2, reset(second)), (9, OWN)], 1),
        ([(0, syn(first)), (3, syn(second)), (9, OWN)], 2),  # the first was known to have failed
        ([(0, syn(first)), (3, syn(second)), (4, reset(second)), (9, OWN)], 2),
        ([(0, syn(first)), (1, syn(second, SYN | RST)), (1.5, OWN)], 0),  # a made-up segment
        ([(0, syn(first)), (1, syn(first, SYNACK)), (9, OWN)], 1),  # is no SYN
    ):
        assert moved(counted(tmp_path, pcap(packets)), "connects_failed") == [[failed]]


# Who is there ------------------------------------------------------------


def test_senders_of_all_pieces_are_counted_together_and_no_others_named(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "CHUNK_BYTES", 60)
    nobody = bytes(6)
    frames = [ethernet(bytes(28), 0x0806, source=source, target=nobody) for source in
              (ROUTER, nobody, ROUTER, nobody, ROUTER)]  # fmt: skip
    content = pcap(list(enumerate([*frames, b"short"])))
    said = told(tmp_path, content, "02:00:00:00:00:cc")
    assert said == (
        "no packet of 02:00:00:00:00:cc in 6; the busiest senders are 02:00:00:00:00:bb "
        "(3 packets), 00:00:00:00:00:00 (2 packets)"
    )
    raw = [ip4(IP, PEER, 17, udp(1, 2)), b"\x50" * 40, ip4(IP, PEER, 17, udp(1, 2)), b"\x50" * 40]
    said = told(tmp_path, pcap(list(enumerate(raw)), 101), "10.1.1.1")
    assert said == "no packet of 10.1.1.1 in 4; the busiest senders are 192.168.1.5 (2 packets)"
    assert told(tmp_path, pcap([(0, b"\x50" * 40)], 101)).endswith(
        f"no packet of {DEVICE} in 1; the busiest senders are nobody"
    )


def test_who_was_there_first_is_counted_on_when_no_more_senders_are(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "CHUNK_BYTES", 60)
    monkeypatch.setattr(counting, "SENDERS_MAX", 1)
    asked = [ethernet(bytes(28), 0x0806, source=source) for source in (ROUTER, bytes(6), ROUTER)]
    said = told(tmp_path, pcap(list(enumerate(asked))), "02:00:00:00:00:cc")
    assert said.endswith("the busiest senders are 02:00:00:00:00:bb (2 packets)")


def test_a_broken_file_without_the_device_says_both(tmp_path):
    said = told(tmp_path, pcap([(0, ASKED), (1, OWN)])[:-1])
    assert said == (
        f"the last packet is cut after {16 + len(OWN) - 1} bytes; what came before is used, but "
        f"no packet of {DEVICE} is in it; capture again"
    )
    result = counted(tmp_path, pcap([(0, OWN), (1, OWN)])[:-1])
    assert len(result) == 1 and "is cut after" in result.broken
    assert counted(tmp_path, pcap([(0, OWN)])).broken == ""
