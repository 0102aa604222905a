"""A Linux machine counts its own packets as `record --pcap` does: over a ring
that the test fills, and over the kernel's between two ends of a cable in a
network namespace that the test makes.
"""

import asyncio
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker import HANGS_S
from frames import windows
from inlier import packets, packets_linux, recorder
from inlier.packet_counters import Packets
from inlier_trainer.pcap.count import count
from test_pcap import (
    DATA,
    DEVICE,
    IP,
    MAC,
    PEER,
    REAL,
    ROUTER,
    SYN,
    ethernet,
    ip4,
    ip6,
    needs_captures,
    pcap,
    talk,
    tcp,
    udp,
)

AT = {name: i for i, name in enumerate(Packets.counters)}
VLAN, QINQ = struct.pack(">HH", 0x8100, 7), struct.pack(">HH", 0x88A8, 5)


class Cable:
    """The kernel's side: its socket, and the ring that it fills."""

    def __init__(self, monkeypatch, own=MAC):
        self.ring, self.own, self.ms = bytearray(packets_linux.SLOT * packets_linux.SLOTS), own, 0
        self.index, self.dropped, self.opened, self.closed = 4, 0, 0, 0
        self.hardware = 1
        monkeypatch.setattr(packets_linux, "PacketSocket", self.socket)
        monkeypatch.setattr(packets_linux, "index_of", lambda name: self.index)
        self.said = []
        self.source = packets_linux.Linux("eth7", self.said.append, lambda: self.ms)
        self.values = [0] * len(Packets.counters)

    def socket(self):
        self.opened += 1
        self.slot = 0
        return self

    def set(self, *option): ...

    def close(self):
        self.closed += 1

    def get(self, level, option, size):
        dropped, self.dropped = self.dropped, 0
        return struct.pack("II", 99, dropped)

    def map(self, size):
        assert size == len(self.ring)
        return self.ring

    def bind(self, interface):
        return self.hardware

    def frame(self, octets, sent):
        status, length = 1, len(octets)
        if not sent and octets[12:14] in (b"\x81\x00", b"\x88\xa8") and length >= 18:
            octets, length, status = octets[:12] + octets[16:], length - 4, 0x11
        kind = 4 if sent else 0 if octets[:6] == self.own else 2 if octets[0] & 1 else 3
        place = 66  # what is behind tags that we send ourselves is where it would be without
        while sent and octets[80 - place - 2 :][:2] in (b"\x81\x00", b"\x88\xa8") and place > 54:
            place -= 4
        kept, at = octets[: packets_linux.SLOT - place], self.slot * packets_linux.SLOT
        assert self.ring[at] == 0, "the slot is free"
        struct.pack_into("<IIIH28xB", self.ring, at, status, length, len(kept), place, kind)
        # what was there before stays behind it
        self.ring[at + place : at + packets_linux.SLOT] = kept.ljust(
            packets_linux.SLOT - place, b"\xff"
        )
        self.slot = (self.slot + 1) % packets_linux.SLOTS

    def at(self, ms):
        self.ms = ms

    def drain(self):
        self.source.drain()

    def read(self):
        self.source.read(self.values)
        return list(self.values)


@pytest.fixture
def cable(monkeypatch):
    return Cable(monkeypatch)


def same(tmp_path, played, cable, window_ms=10_000):
    path = tmp_path / "capture"
    path.write_bytes(pcap(played))
    counted = count(path, DEVICE, window_ms).windows
    told = windows(path, DEVICE, window_ms, cable)
    differ = np.argwhere(told != counted)
    assert told.shape == counted.shape and not len(differ), [
        (int(row), Packets.counters[column], int(told[row, column]), int(counted[row, column]))
        for row, column in differ[:5]
    ]


SIX = tuple(bytes.fromhex("fe80" + "0" * 26 + end) for end in ("05", "09")) + (
    bytes.fromhex("ff02" + "0" * 27 + "1"),
)
KINDS = [
    ethernet(ip4(IP, PEER, 6, tcp(1, 80, SYN)), tags=VLAN),
    ethernet(ip4(PEER, IP, 6, tcp(80, 1, 18)), source=ROUTER, target=MAC, tags=VLAN),
    ethernet(ip4(PEER, IP, 6, tcp(80, 1, 20)), source=ROUTER, target=MAC, tags=VLAN + VLAN),
    ethernet(ip4(IP, PEER, 6, tcp(2, 80, SYN)), tags=QINQ + VLAN),
    ethernet(ip4(IP, PEER, 6, tcp(3, 80, SYN)), tags=QINQ + VLAN + VLAN),
    ethernet(ip4(PEER, IP, 6, tcp(4, 1, SYN)), source=ROUTER, target=MAC, tags=QINQ + VLAN + VLAN),
    ethernet(ip4(IP, PEER, 17, udp(9, 53, bytes(100)), fragment=0x2000)),
    ethernet(ip4(IP, PEER, 17, udp(9, 53), fragment=13)),
    ethernet(ip4(IP, PEER, 17, udp(9, 53))[:-2]),
    ethernet(ip4(PEER, IP, 6, tcp(53, 9, SYN)), source=ROUTER, target=MAC)[:47],
    ethernet(ip4(PEER, IP, 6, tcp(80, 1, 17)), source=ROUTER, target=MAC),
    ethernet(ip4(IP, bytes(4), 17, udp(9, 99, bytes(9)))),
    ethernet(ip4(IP, PEER, 17, udp(9, 0, bytes(9)))),
    ethernet(ip4(IP, bytes([224, 0, 0, 251]), 17, udp(5353, 5353, bytes(9)))),
    ethernet(ip4(PEER, b"\xff" * 4, 17, udp(68, 67, bytes(9))), source=ROUTER, target=b"\2" * 6),
    ethernet(ip4(PEER, IP, 17, udp(9, 9, bytes(9))), source=ROUTER, target=b"\xff" * 6),
    ethernet(ip4(IP, PEER, 17, udp(9, 9, bytes(9))), target=b"\xff" * 6),
    ethernet(b"\2" * 50, 0x88CC, source=ROUTER, target=bytes.fromhex("0180c200000e")),
    ethernet(ip4(IP, PEER, 6, tcp(22, 60001, 20))),
    ethernet(ip4(IP, PEER, 6, tcp(22, 60002, 18))),
    ethernet(ip4(PEER, IP, 1, bytes(60)), source=ROUTER, target=MAC),
    ethernet(ip4(PEER, IP, 6, tcp(7, 22, SYN)), source=ROUTER, target=MAC),
    ethernet(ip4(PEER, IP, 6, tcp(7, 22, SYN)), source=ROUTER, target=b"\2" * 6),
    ethernet(bytes(28), 0x0806, target=b"\xff" * 6),
    ethernet(bytes(46), 0x0806, source=ROUTER, target=b"\xff" * 6),
    ethernet(ip6(*SIX[:2], 6, tcp(5, 443, SYN)), 0x86DD),
    ethernet(ip6(SIX[1], SIX[0], 6, tcp(443, 5, 20)), 0x86DD, ROUTER, MAC),
    ethernet(ip6(*SIX[:2], 0, struct.pack(">BB6x", 17, 0) + udp(5, 53)), 0x86DD),
    ethernet(ip6(*SIX[:2], 44, struct.pack(">BBHI", 17, 0, 8, 1) + udp(5, 53)), 0x86DD),
    ethernet(ip6(SIX[0], SIX[2], 58, bytes(24)), 0x86DD, target=b"\x33\x33\0\0\0\1"),
    ethernet(ip6(SIX[1], SIX[2], 17, udp(5, 9, bytes(9))), 0x86DD, ROUTER, b"\2" * 6),
    ethernet(b"", 0x0800),
    ethernet(b"\x45", 0x88CC),
]


def test_windows_are_those_of_a_capture(tmp_path, cable):
    same(tmp_path, talk(), cable)


def test_every_kind_of_packet_counts_as_it_does_in_a_capture(tmp_path, cable):
    same(tmp_path, [(3.5 * i, frame) for i, frame in enumerate(KINDS)], cable)


def test_an_answer_finds_its_connection_whatever_carries_it(tmp_path, cable):
    packets = []
    for port, (here, there, ip, kind, tags) in enumerate(
        [
            (IP, PEER, ip4, 0x0800, b""),
            (IP, PEER, ip4, 0x0800, VLAN),
            (SIX[0], SIX[1], ip6, 0x86DD, b""),
            (SIX[0], bytes(range(16)), ip6, 0x86DD, VLAN),
        ]
    ):
        for at, answer in ((2 * port, 20), (2 * port + 1, 18)):
            syn = ip(here, there, 6, tcp(at + 4000, port + 80, SYN))
            back = ip(there, here, 6, tcp(port + 80, at + 4000, answer))
            packets.append((at, ethernet(syn, kind, tags=tags)))
            packets.append((at + 0.5, ethernet(back, kind, ROUTER, MAC, tags)))
    packets.append((12, KINDS[3]))
    same(tmp_path, packets, cable)
    assert cable.values[AT["connects_failed"]] == 4, "the four that were refused"


def test_a_connection_whose_time_is_over_as_a_window_begins_fails_in_that_one(tmp_path, cable):
    other, syn = KINDS[3], ethernet(ip4(IP, PEER, 6, tcp(9, 80, SYN)))
    same(tmp_path, [(0, other), (7, syn), (8, other), (15, other), (25, other)], cable)


def test_a_connection_that_is_begun_again_as_its_time_is_over_is_another(tmp_path, cable):
    other = ethernet(ip4(IP, PEER, 17, udp(9, 99, bytes(9))))
    syn = ethernet(ip4(IP, PEER, 6, tcp(9, 80, SYN)))
    same(tmp_path, [(0, other), (1, syn), (4, syn), (11, other)], cable)
    assert cable.values[AT["connects_failed"]] == 2, "each for itself"


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 0.4, 2.9, 3, 3.1, 11]),
            st.sampled_from(KINDS),
            st.lists(st.tuples(st.integers(12, 70), st.integers(0, 255)), max_size=3),
            st.integers(14, 190),
        ),
        min_size=1,
        max_size=40,
    )
)
@example([(0, KINDS[0], [], 190), (2.9, KINDS[0], [], 190), (3, KINDS[0], [], 190)])
def test_whatever_a_frame_holds_it_counts_as_in_a_capture(tmp_path_factory, steps):
    now, packets = 0.0, [(0, KINDS[3])]
    for wait, frame, changes, size in steps:
        now += wait
        octets = bytearray(frame)
        for place, value in changes:
            if place < len(octets):
                octets[place] = value
        packets.append((now, bytes(octets[:size])))
    with pytest.MonkeyPatch.context() as patch:
        same(tmp_path_factory.mktemp("any"), packets, Cable(patch))


def test_a_scan_fills_the_bitmaps_and_the_slots_alike(tmp_path, cable):
    packets = [
        (i / 500, ethernet(ip4(IP, struct.pack(">I", 0x0A000000 + i * i), 6, tcp(9, i, SYN))))
        for i in range(1, 6000)
    ]
    same(tmp_path, packets, cable)


@pytest.mark.slow
@needs_captures
@pytest.mark.parametrize("name", REAL)
def test_real_captures_give_equal_windows(name, monkeypatch):
    path, mac = DATA / f"{name}.pcap.gz", bytes.fromhex(REAL[name].replace(":", ""))
    counted = count(path, REAL[name], 10_000).windows
    assert (windows(path, REAL[name], 10_000, Cable(monkeypatch, mac)) == counted).all()


def test_packets_that_the_kernel_dropped_are_told_and_make_no_window_calm(cable):
    before = cable.read()
    cable.dropped = 700
    after = cable.read()
    assert cable.source.lost == 700 and "the kernel dropped 700 packets" in cable.said[0]
    assert [after[AT[c]] - before[AT[c]] for c in ("packets_out", "packets_in")] == [700, 700]
    cable.read()
    assert cable.source.lost == 0 and len(cable.said) == 1, "the next window is whole"


def test_a_window_of_which_packets_were_dropped_is_recorded_as_none(cable):
    elapsed = []

    def keep(deltas, lengths):
        elapsed.append(lengths)
        cable.dropped = 5 if len(elapsed) == 1 else 0

    asyncio.run(recorder.record(cable.source, 10, count=3, keep=keep))
    assert elapsed[0] > 0 and elapsed[1] == 0 and elapsed[2] > 0


def test_a_ring_goes_round(cable):
    frame = ethernet(ip4(IP, PEER, 17, udp(9, 99, bytes(99))))
    total = 0
    for _ in range(3):
        for _ in range(packets_linux.SLOTS - 1):
            cable.frame(frame, True)
        total += packets_linux.SLOTS - 1
        assert cable.read()[AT["udp_out"]] == total
    assert not any(cable.ring[:: packets_linux.SLOT]), "every slot is the kernel's again"


def test_a_link_that_is_faster_than_we_are_is_not_followed_for_ever(cable):
    class Refilled(bytearray):
        """The kernel has a packet for each slot as soon as it is free."""

        freed = 0

        def __setitem__(self, place, value):
            self.freed += 1
            assert self.freed <= packets_linux.SLOTS, "once round, then the window goes on"

    cable.frame(ethernet(ip4(IP, PEER, 17, udp(9, 99, bytes(99)))), True)
    cable.source._ring = Refilled(cable.ring[: packets_linux.SLOT] * packets_linux.SLOTS)
    assert cable.read()[AT["udp_out"]] == packets_linux.SLOTS


def test_a_ring_holds_what_a_gigabit_brings_between_two_looks():
    """Full frames, with what Ethernet puts before and between them."""
    frames_a_second = 1_000_000_000 // (8 * 1538)
    assert packets_linux.DRAIN_MS * frames_a_second <= packets_linux.SLOTS * 1000


@pytest.mark.parametrize("scanned", ["hosts", "ports"])
def test_a_scan_between_two_windows_takes_no_memory_without_end(cable, scanned):
    for i in range(10_000):
        host = struct.pack(">I", 0x0A000000 + i) if scanned == "hosts" else PEER
        port = 99 if scanned == "hosts" else i + 1
        cable.frame(ethernet(ip4(IP, host, 17, udp(9, port, bytes(9)))), True)
        if i % 1000 == 0:
            cable.drain()
    cable.drain()
    kept = len(cable.source._peers) + len(cable.source._ports)
    assert kept <= packets_linux._DISTINCT_MAX + 1000


def test_an_interface_that_goes_and_comes_is_followed_and_its_window_marked(cable):
    frame = ethernet(ip4(IP, PEER, 17, udp(9, 99, bytes(99))))
    cable.index = 0
    cable.frame(frame, True)  # the last that it sent
    assert cable.read()[AT["udp_out"]] == 1
    cable.read()
    assert cable.said == ["inlier: interface 'eth7' is gone"] and cable.opened == 1
    assert cable.closed == 1, "its socket and its ring are given back"
    assert cable.source.lost == 0, "nothing moves where there is no interface"
    cable.index = 9  # as a USB adapter has it that is plugged in again
    cable.drain()  # between the ends of windows
    cable.read()
    assert (
        cable.opened == 2
        and cable.source.lost
        and cable.said[1:] == ["inlier: interface 'eth7' is back"]
    )
    cable.frame(frame, True)
    assert cable.read()[AT["udp_out"]] == 2 and cable.source.lost == 0


def test_a_ring_is_emptied_while_a_window_lasts(cable, monkeypatch):
    """A window of a fast link does not fit into it."""
    monkeypatch.setattr(packets_linux, "DRAIN_MS", 5)
    frame = ethernet(ip4(IP, PEER, 17, udp(9, 99, bytes(99))))

    async def window():
        cable.read()
        for _ in range(3):
            for _ in range(packets_linux.SLOTS):
                cable.frame(frame, True)
            while any(cable.ring[:: packets_linux.SLOT]):
                await asyncio.sleep(0.001)
        return cable.read()

    assert asyncio.run(window())[AT["udp_out"]] == 3 * packets_linux.SLOTS
    cable.frame(frame, True)
    assert asyncio.run(window())[AT["udp_out"]] == 6 * packets_linux.SLOTS + 1, "a second loop"


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"index": 0}, "no interface 'eth7'"), ({"hardware": 772}, "carries no Ethernet frames")],
)
def test_a_socket_that_cannot_be_used_is_closed(cable, changes, why):
    vars(cable).update(changes)
    with pytest.raises(OSError, match=why):
        packets_linux.Linux("eth7")
    assert (cable.opened, cable.closed) == (2, 1)


def test_who_closes_the_source_ends_what_it_began(cable):
    async def left():
        cable.read()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert len(others) == 1, "it empties the ring while the window lasts"
        cable.source.close()
        return (await asyncio.wait(others, timeout=HANGS_S))[1]

    assert not asyncio.run(left())
    assert cable.closed == 1


ROUTE = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
ROUTE_6 = "{:032x} {:02x} {:032x} 00 {:032x} {:08x} 00000001 00000000 00450003 {:>8}\n"


@pytest.mark.parametrize(
    ("four", "six", "expected"),
    [
        (
            [("eth0", "0002A8C0", "0", 0, "00FFFFFF"), ("wlan0", "0", "0102A8C0", 0, "0")],
            [(0, 0, 0, 1, "eth1")],
            "wlan0",
        ),
        ([("eth0", "0", "0102A8C0", 600, "0"), ("wlan0", "0", "0102A8C0", 100, "0")], [], "wlan0"),
        (
            [],
            [(0, 0, 7, 0x300, "eth0"), (0, 0, 7, 0x200, "wlan0"), (0, 0, 0, 1, "lo")],
            "wlan0",
        ),
        ([], [(1 << 125, 0, 0, 1, "eth0"), (0, 0, 7, 2, "wlan0"), (0, 3, 0, 1, "tun0")], "wlan0"),
        ([("tun0", "0", "0", 0, "00000080")], [(0, 64, 0, 1, "eth0")], None),
    ],
)
def test_the_interface_is_that_of_the_default_route(four, six, expected, tmp_path):
    (tmp_path / "route").write_text(
        ROUTE
        + "".join(
            f"{name}\t{to:0>8}\t{by:0>8}\t0003\t0\t0\t{metric}\t{mask:0>8}\t0\t0\t0\n"
            for name, to, by, metric, mask in four
        )
    )
    (tmp_path / "ipv6_route").write_text(
        "".join(ROUTE_6.format(to, bits, 0, by, metric, name) for to, bits, by, metric, name in six)
    )
    if expected:
        assert packets_linux.default_interface(str(tmp_path)) == expected
    else:
        with pytest.raises(OSError, match="no interface has a default route"):
            packets_linux.default_interface(str(tmp_path))


def test_without_routes_it_is_asked_which(tmp_path):
    with pytest.raises(OSError, match=r"such as --interface eth0, or packets.source\('eth0'\)"):
        packets_linux.default_interface(str(tmp_path))


def test_a_firmware_that_counts_no_packets_says_what_to_build(monkeypatch):
    monkeypatch.setattr(packets.sys, "platform", "rp2")
    with pytest.raises(ImportError, match="build the firmware with USER_C_MODULES naming"):
        packets.source()


def test_a_capture_is_what_other_systems_have(monkeypatch, inlier, tmp_path):
    monkeypatch.setattr(packets.sys, "platform", "darwin")
    code, _, error = inlier("record", "--source", "packets", "-o", tmp_path / "w.csv")
    assert code == 2 and "live it needs Linux; elsewhere take a capture" in error
