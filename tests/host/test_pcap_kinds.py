"""Which counters each kind of packet moves, whose broadcasts and connections
count, and who is there when the device is not.
"""

import socket
import struct

import pytest

from inlier_export.errors import BadInput
from test_pcap import (
    IP,
    MAC,
    PEER,
    ROUTER,
    RST,
    SYN,
    SYNACK,
    columns,
    counted,
    ethernet,
    ip4,
    ip6,
    pcap,
    tcp,
    udp,
)
from test_pcap_cases import ACK, FIN, into, moved, out


def test_what_the_device_and_the_capturing_machine_broadcast_is_not_received(tmp_path):
    everybody = b"\xff" * 6
    asks = ethernet(bytes(28), 0x0806, target=everybody)
    asked = ethernet(bytes(28), 0x0806, source=ROUTER, target=everybody)
    result = counted(tmp_path, pcap([(0, asks), (1, asked), (2, asks)]))
    assert moved(result, "packets_out", "packets_in", "broadcast") == [[2], [1], [1]]

    # On "any" interface of Linux, which has no addressee's MAC: 4, sent from
    # here, says it. Before it has an address, it asks for one from 0.0.0.0.
    def cooked(how, packet):
        return struct.pack(">HHH8sH", how, 1, 6, MAC + b"\0\0", 0x0800) + packet

    everywhere = ip4(bytes(4), b"\xff" * 4, 17, udp(68, 67))
    packets = [
        (0, cooked(4, ip4(IP, PEER, 17, udp(1, 2)))),
        (1, cooked(4, everywhere)),
        (2, cooked(1, everywhere)),  # somebody else asks
    ]
    result = counted(tmp_path, pcap(packets, 113), "192.168.1.5")
    assert moved(result, "packets_out", "packets_in", "broadcast") == [[1], [1], [1]]


def test_telnet_s_two_ports_are_noted_of_connections_that_the_device_begins(tmp_path):
    for port, noted in ((22, 0), (23, 1), (24, 0), (2322, 0), (2323, 1), (2324, 0)):
        packets = [
            (0, out(ip4(IP, PEER, 6, tcp(4000, port, SYN)))),
            (1, into(ip4(PEER, IP, 6, tcp(4001, port, SYN)))),
            (2, out(ip4(IP, PEER, 6, tcp(4000, port, ACK)))),
            (3, out(ip4(IP, PEER, 17, udp(4000, port)))),
        ]
        assert counted(tmp_path, pcap(packets)).telnet == noted, port


def six(here, there, following, body):
    addresses = (socket.inet_pton(socket.AF_INET6, text) for text in (here, there))
    return ip6(*addresses, following, body)


HOST = {"peers": 1, "peers_new": 1}
TO_PORT = {**HOST, "ports": 1}
UNANSWERED = {**TO_PORT, "syn_out": 1, "connects_failed": 1}


@pytest.mark.parametrize(
    ("packet", "kind", "sent", "received"),
    [
        (tcp(9, 80, SYN), 6, UNANSWERED, {"syn_in": 1}),
        (tcp(9, 80, SYNACK), 6, HOST, {"synack_in": 1}),
        (tcp(9, 80, ACK), 6, HOST, {}),
        (tcp(9, 80, RST), 6, HOST, {"rst_in": 1}),
        (tcp(9, 80, RST | ACK), 6, HOST, {"rst_in": 1}),
        (tcp(9, 80, FIN | ACK), 6, HOST, {}),
        (tcp(9, 53, ACK), 6, {**HOST, "dns": 1}, {}),  # over TCP
        (udp(9, 80), 17, {**TO_PORT, "udp_out": 1}, {"udp_in": 1}),
        (udp(9, 53), 17, {**TO_PORT, "udp_out": 1, "dns": 1}, {"udp_in": 1}),
        (udp(9, 1), 17, {**TO_PORT, "udp_out": 1}, {"udp_in": 1}),
        (udp(9, 0), 17, {**HOST, "udp_out": 1}, {"udp_in": 1}),  # there is no port 0
        (bytes(8), 1, {**HOST, "icmp": 1}, {"icmp": 1}),
        (bytes(8), 58, {**HOST, "icmp": 1}, {"icmp": 1}),
        (bytes(8), 47, HOST, {}),  # GRE
        (b"", 0x0806, {"arp": 1}, {"arp": 1}),
        (b"", 0x88CC, {}, {}),  # LLDP
    ],
)
@pytest.mark.parametrize("version", [4, 6])
def test_each_kind_of_packet_moves_its_own_counters(
    tmp_path, packet, kind, sent, received, version
):
    own = ("192.168.1.5", "fe80::5")[version == 6]
    other = ("10.0.0.9", "2001:db8::9")[version == 6]
    if kind > 255:
        frames = [ethernet(bytes(28), kind), ethernet(bytes(28), kind, ROUTER, MAC)]
    elif version == 4:
        frames = [out(ip4(IP, PEER, kind, packet)), into(ip4(PEER, IP, kind, packet))]
    else:
        frames = [
            ethernet(six(own, other, kind, packet), 0x86DD),
            ethernet(six(other, own, kind, packet), 0x86DD, ROUTER, MAC),
        ]
    for frame, moves, way in ((frames[0], sent, "out"), (frames[1], received, "in")):
        nothing = ethernet(b"", 0x88CC)  # 14 bytes, so that the time goes on
        result = columns(counted(tmp_path, pcap([(0, frame), (11, nothing)])))
        told = {name: values[0] for name, values in result.items() if values[0]}
        assert told == {**moves, f"packets_{way}": 1, f"bytes_{way}": len(frame)}
        assert result["packets_out"][1] == 1


def test_whoever_asks_for_a_device_that_is_not_there_is_told_who_is(tmp_path):
    raw = [(at, six(f"fe80::{host}", "2001:db8::9", 17, udp(1, 2))) for at, host in
           enumerate("aabbbc")]  # fmt: skip
    raw += [(9, ip4(IP, PEER, 17, udp(1, 2)))] * 4
    with pytest.raises(BadInput) as caught:
        counted(tmp_path, pcap(raw, 101), "10.1.1.1")
    assert str(caught.value).endswith(
        "no packet of 10.1.1.1 in 10; the busiest senders are 192.168.1.5 (4 packets), "
        "fe80::b (3 packets), fe80::a (2 packets), fe80::c (1 packet)"
    )
    many = [
        (i, ethernet(bytes(28), 0x0806, source=bytes([2, 0, 0, 0, 0, i // 2]))) for i in range(14)
    ]
    with pytest.raises(BadInput) as caught:
        counted(tmp_path, pcap(many))
    assert str(caught.value).count(" (2 packets)") == 5, "not all of a large network"
    with pytest.raises(BadInput, match="in 1; the busiest senders are nobody"):
        counted(tmp_path, pcap([(0, b"short")]))
