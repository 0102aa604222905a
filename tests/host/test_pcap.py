"""Captures become windows: every format and link type counts alike, dpkt's
objects agree on real ones, damage is told.
"""

import gzip
import os
import socket
import struct
import time
from pathlib import Path

import dpkt
import numpy as np
import pytest

from inlier.packet_counters import Packets
from inlier_export.errors import BadInput
from inlier_host import cli
from inlier_trainer.pcap import reader
from inlier_trainer.pcap.count import count
from inlier_trainer.recordings import read

DATA = Path(os.environ.get("INLIER_DATA", Path(__file__).parents[3] / "shared/data")) / "pcap"
REAL = {
    "lockly-hub-01": "24:6f:28:d9:a7:64",
    "ultraloq-hub-01": "a4:cf:12:32:5b:88",
    "schlage-lock-01": "78:db:2f:db:43:48",
    "blink-cam-01": "f4:b8:5e:ff:2b:1b",
    "infected-pi-scan": "b8:27:eb:c7:e9:c9",
}
needs_captures = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"needs the captures at {DATA}: set INLIER_DATA to the folder above"
)

MAC, ROUTER = bytes.fromhex("0200000000aa"), bytes.fromhex("0200000000bb")
DEVICE, IP, PEER = "02:00:00:00:00:aa", bytes([192, 168, 1, 5]), bytes([10, 0, 0, 9])
SYN, SYNACK, RST = 2, 18, 4


def ip4(source, target, protocol, body, fragment=0):
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 7, fragment, 64, protocol, 0)
    return head + source + target + body


def ip6(source, target, following, body):
    return struct.pack(">IHBB", 6 << 28, len(body), following, 64) + source + target + body


def tcp(port_from, port_to, flags):
    return struct.pack(">HHIIBBHHH", port_from, port_to, 0, 0, 0x50, flags, 0, 0, 0)


def udp(port_from, port_to, body=b""):
    return struct.pack(">HHHH", port_from, port_to, 8 + len(body), 0) + body


def ethernet(body, kind=0x0800, source=MAC, target=ROUTER, tags=b""):
    return target + source + tags + struct.pack(">H", kind) + body


# (seconds, IP packet, whether the device sent it): a connection answered, one
# refused, one unanswered, a look-up
TALK = (
    (0.0, ip4(IP, PEER, 6, tcp(4000, 80, SYN)), True),
    (0.1, ip4(PEER, IP, 6, tcp(80, 4000, SYNACK)), False),
    (1.0, ip4(IP, PEER, 6, tcp(4001, 23, SYN)), True),
    (1.1, ip4(PEER, IP, 6, tcp(23, 4001, RST)), False),
    (11.0, ip4(IP, bytes([10, 0, 0, 10]), 6, tcp(4002, 23, SYN)), True),
    (
        12.0,
        ip4(IP, bytes([10, 0, 0, 10]), 6, tcp(4002, 23, SYN)),
        True,
    ),  # the same connection, once more
    (21.0, ip4(IP, PEER, 17, udp(5000, 53, b"name")), True),
    (21.1, ip4(PEER, IP, 17, udp(53, 5000, b"answer")), False),
)
EXPECTED = {
    "packets_out": [2, 2, 1], "packets_in": [2, 0, 1], "syn_out": [2, 2, 0], "synack_in": [1, 0,
    0], "rst_in": [1, 0, 0],
    "udp_out": [0, 0, 1], "udp_in": [0, 0, 1], "dns": [0, 0, 1], "peers": [1, 1, 1],
    "ports": [2, 1, 1],
    "peers_new": [1, 1, 0], "connects_failed": [1, 1, 0],
}  # fmt: skip


def framed(link, packet, sent):
    sender = MAC if sent else ROUTER
    if link == 1:
        return ethernet(packet, source=sender, target=ROUTER if sent else MAC)
    if link == 113:  # Linux cooked: type, ARPHRD, address length, address, protocol
        return struct.pack(">HHH8sH", 4 if sent else 0, 1, 6, sender + b"\0\0", 0x0800) + packet
    if link == 276:
        return (
            struct.pack(">HHIHBB8s", 0x0800, 0, 1, 1, 4 if sent else 0, 6, sender + b"\0\0")
            + packet
        )
    if link == 127:  # radiotap of 8 bytes, a data frame to or from the access point, LLC/SNAP
        addresses = (ROUTER, MAC, ROUTER) if sent else (MAC, ROUTER, ROUTER)
        head = (
            struct.pack("<BBHI", 0, 0, 8, 0)
            + bytes([0x08, 1 if sent else 2, 0, 0])
            + b"".join(addresses)
            + b"\0\0"
        )
        return head + bytes.fromhex("aaaa030000000800") + packet
    return packet


def pcap(packets, link=1, order="<", nano=False, cut=None):
    """packets: (seconds, bytes). cut: the snapshot length."""
    magic, unit = (0xA1B23C4D, 1e9) if nano else (0xA1B2C3D4, 1e6)
    out = bytearray(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link))
    for seconds, data in packets:
        held = data[:cut]
        out += (
            struct.pack(
                order + "IIII",
                1_700_000_000 + int(seconds),
                round(seconds % 1 * unit),
                len(held),
                len(data),
            )
            + held
        )
    return bytes(out)


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    return (
        struct.pack(order + "II", kind, 12 + len(body))
        + body
        + struct.pack(order + "I", 12 + len(body))
    )


def pcapng(packets, order="<"):
    out = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    # nanoseconds
    out += block(
        order,
        1,
        struct.pack(order + "HHI", 1, 0, 0) + struct.pack(order + "HHB3xHH", 9, 1, 9, 0, 0),
    )
    for seconds, data in packets:
        ticks = 1_700_000_000_000_000_000 + round(seconds * 1e9)
        head = struct.pack(
            order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)
        )
        out += block(order, 6, head + data)
    return out


def counted(tmp_path, content, device=DEVICE):
    path = tmp_path / "capture"
    path.write_bytes(content)
    return count(path, device, 10_000)


def columns(result):
    return {name: result.windows[:, i].tolist() for i, name in enumerate(Packets.counters)}


def talk(link=1):
    return [(seconds, framed(link, packet, sent)) for seconds, packet, sent in TALK] + [
        (29.9, framed(link, b"\x50", True))
    ]


@pytest.mark.parametrize(
    ("name", "content", "device"),
    [
        ("little-endian, microseconds", pcap(talk()), DEVICE),
        ("big-endian, nanoseconds", pcap(talk(), order=">", nano=True), DEVICE),
        ("gzip", gzip.compress(pcap(talk()), mtime=0), DEVICE),
        ("pcapng", pcapng(talk()), DEVICE),
        ("pcapng, big-endian", pcapng(talk(), ">"), DEVICE),
        ("cooked", pcap(talk(113), 113), "192.168.1.5"),
        ("cooked, version 2", pcap(talk(276), 276), "192.168.1.5"),
        ("raw IP", pcap(talk(101), 101), "192.168.1.5"),
        ("802.11 with radiotap", pcap(talk(127), 127), DEVICE),
        ("by IP on Ethernet", pcap(talk()), "192.168.1.5"),
    ],
)
def test_every_format_gives_the_same_counts(tmp_path, name, content, device):
    result = columns(counted(tmp_path, content, device))
    if device != DEVICE or "802" in name:
        # the last frame, which holds no IP, is the device's only by its MAC
        result["packets_out"][2:] = [1]
    else:
        result["packets_out"][2] -= 1
    assert {key: result[key] for key in EXPECTED} == EXPECTED


def test_vlan_tags_fragments_ipv6_and_cut_packets(tmp_path):
    here, there = (socket.inet_pton(socket.AF_INET6, text) for text in ("fe80::5", "2001:db8::9"))
    options = struct.pack(">BB6x", 17, 0) + udp(5000, 53)  # hop-by-hop options before the datagram
    packets = [
        (
            0,
            ethernet(
                ip4(IP, PEER, 6, tcp(1, 80, SYN)), tags=struct.pack(">HHHH", 0x88A8, 5, 0x8100, 7)
            ),
        ),
        (1, ethernet(ip4(IP, PEER, 17, udp(9, 53, bytes(100)), fragment=0x2000))),
        (
            2,
            ethernet(ip4(IP, PEER, 17, struct.pack(">HH", 9, 53) + bytes(96), fragment=13)),
        ),  # a later fragment has no ports
        (3, ethernet(ip6(here, there, 0, options), 0x86DD)),
        (4, ethernet(bytes(28), 0x0806, target=b"\xff" * 6)),
        (5, ethernet(bytes(28), 0x0806, source=ROUTER, target=b"\xff" * 6)),
    ]
    result = columns(counted(tmp_path, pcap(packets, cut=66)))
    told = {key: values[0] for key, values in result.items() if values[0]}
    assert told == {
        "bytes_out": sum(len(data) for _, data in packets[:5]), "bytes_in": 42,
        "packets_out": 5, "packets_in": 1,
        "syn_out": 1, "udp_out": 3, "arp": 2, "dns": 2, "broadcast": 1, "peers": 2, "ports": 2,
        "peers_new": 2,
        "connects_failed": 1,
    }, "on the link, cut or not; 66 bytes hold the ports behind the IPv6 options"  # fmt: skip


def test_stamps_out_of_order_fall_into_their_windows(tmp_path):
    packets = talk()
    mixed = [packets[i] for i in (2, 0, 1, 3, 5, 4, 8, 7, 6)]
    assert (
        counted(tmp_path, pcap(mixed)).windows == counted(tmp_path, pcap(packets)).windows
    ).all()


def test_chunks_count_as_the_whole_does(tmp_path, monkeypatch):
    whole = counted(tmp_path, pcap(talk())).windows
    monkeypatch.setattr(reader, "CHUNK_BYTES", 200)
    assert (counted(tmp_path, pcap(talk())).windows == whole).all(), (
        "peers, ports and connections outlive a chunk"
    )
    assert (counted(tmp_path, pcapng(talk())).windows == whole).all()


@pytest.mark.parametrize(
    ("content", "expected", "packets"),
    [
        (pcap(talk())[:-3], "the last packet is cut", 8),
        (gzip.compress(pcap(talk()), mtime=0)[:-40], "breaks off", None),
        (
            pcap(talk()) + struct.pack("<IIII", 0, 0, 1 << 30, 1 << 30),
            "says it has 1073741824 bytes",
            9,
        ),
        (pcapng(talk()) + struct.pack("<II", 6, 7) + bytes(20), "says it has 7 bytes", 9),
    ],
)
def test_a_damaged_file_keeps_what_was_read_and_says_where(tmp_path, content, expected, packets):
    result = counted(tmp_path, content)
    assert expected in result.broken and "\n" not in result.broken
    assert packets is None or result.packets == packets


@pytest.mark.parametrize(
    ("content", "device", "expected"),
    [
        (
            pcap(talk()),
            "02:00:00:00:00:cc",
            "no packet of 02:00:00:00:00:cc in 9; the busiest senders are 02:00:00:00:00:aa (6",
        ),
        (pcap(talk(101), 101), "10.1.1.1", "192.168.1.5 (5 packets), 10.0.0.9 (3 packets)"),
        (pcap(talk()), "the bell", "give a MAC address"),
        (b"GIF89a" + bytes(40), DEVICE, "neither pcap nor pcapng"),
        (b"", DEVICE, "0 bytes are no capture"),
        (pcap([(0, bytes(40))], link=250), DEVICE, "link type 250 is not read"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, content, device, expected):
    with pytest.raises(BadInput) as caught:
        counted(tmp_path, content, device)
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_record_writes_the_windows(tmp_path, monkeypatch, capsys):
    path, out = tmp_path / "capture", tmp_path / "w.parquet"
    path.write_bytes(pcap(talk()))
    monkeypatch.setattr(
        "sys.argv",
        ["inlier", "record", "--pcap", str(path), "--device", DEVICE, "-o", str(out), "--json"],
    )
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 0 and '"windows": 3' in capsys.readouterr().out
    assert (read(out, Packets.counters).windows == count(path, DEVICE, 10_000).windows).all()


@pytest.mark.parametrize("resolution", [0, 6, 9, 12, 127, 128, 255])
def test_any_time_stamp_is_counted_or_told(tmp_path, resolution):
    out = block("<", 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(
        "<", 1, struct.pack("<HHI", 1, 0, 0) + struct.pack("<HHB3xHH", 9, 1, resolution, 0, 0)
    )
    frame = framed(1, TALK[0][1], True)
    for high in (0, 0x7FFFFFFF, 0xFFFFFFFF):
        late = block("<", 6, struct.pack("<IIIII", 0, high, 5, len(frame), len(frame)) + frame)
        try:
            assert len(counted(tmp_path, out + late).windows) == 1
        except BadInput as problem:
            assert "no packet of" in str(problem) and high, (
                "its time is too late, and it is the only one"
            )


def test_telnet_that_the_device_begins_is_said(tmp_path, monkeypatch, capsys):
    path = tmp_path / "capture"
    inward = ip4(PEER, IP, 6, tcp(4009, 23, SYN))
    path.write_bytes(pcap([*talk(), (29.9, framed(1, inward, False))]))
    arguments = [
        "inlier",
        "record",
        "--pcap",
        str(path),
        "--device",
        DEVICE,
        "-o",
        str(tmp_path / "w.csv"),
    ]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit):
        cli.main()
    assert "begins 3 telnet connections, as an infected device does" in capsys.readouterr().err, (
        "not those to it"
    )
    path.write_bytes(pcap([(0.0, framed(1, TALK[0][1], True))]))
    (tmp_path / "w.csv").unlink()
    with pytest.raises(SystemExit):
        cli.main()
    assert "connections" not in capsys.readouterr().err


def by_dpkt(path, mac):
    """A few of the counters by dpkt's objects, one packet after the other."""
    names = (
        "bytes_out",
        "bytes_in",
        "packets_out",
        "syn_out",
        "synack_in",
        "udp_out",
        "dns",
        "arp",
        "icmp",
    )
    mac = bytes.fromhex(mac.replace(":", ""))
    first, rows = None, {}
    with gzip.open(path) as file:
        for stamp, data in dpkt.pcap.Reader(file):
            frame = dpkt.ethernet.Ethernet(data)
            out, into = frame.src == mac, frame.dst == mac
            if first is None and (out or into):
                first = round(stamp * 1_000_000)
            if first is None or not (out or into or frame.dst[0] & 1):
                continue
            row = rows.setdefault(
                (round(stamp * 1_000_000) - first) // 10_000_000, dict.fromkeys(names, 0)
            )
            row["packets_out"] += out
            row["arp"] += isinstance(frame.data, dpkt.arp.ARP)
            body = getattr(frame.data, "data", None)
            row["icmp"] += isinstance(body, dpkt.icmp.ICMP | dpkt.icmp6.ICMP6)
            if isinstance(body, dpkt.tcp.TCP):
                row["syn_out"] += out and body.flags & 18 == 2
                row["synack_in"] += not out and body.flags & 18 == 18
            if isinstance(body, dpkt.udp.UDP):
                row["udp_out"] += out
            if isinstance(body, dpkt.udp.UDP | dpkt.tcp.TCP):
                row["dns"] += out and body.dport == 53
    return rows


@pytest.mark.slow
@needs_captures
@pytest.mark.parametrize("name", REAL)
def test_real_captures_agree_with_dpkt(name):
    path = DATA / f"{name}.pcap.gz"
    begun = time.perf_counter()
    result = count(path, REAL[name], 10_000)
    ours = time.perf_counter() - begun
    begun = time.perf_counter()
    rows = by_dpkt(path, REAL[name])
    theirs = time.perf_counter() - begun
    print(
        f"{name}: {result.packets} packets, dpkt's objects take {theirs / ours:.1f} times as long"
    )
    at = {counter: i for i, counter in enumerate(Packets.counters)}
    for window, row in rows.items():
        told = {
            counter: int(result.windows[window, at[counter]])
            for counter in row
            if not counter.startswith("bytes")
        }
        assert told == {
            counter: n for counter, n in row.items() if not counter.startswith("bytes")
        }, window
    assert np.count_nonzero(result.seen) == len(rows)
