"""Nothing that the emulated Wi-Fi's guest sends leaves the loopback addresses:
each frame here is one that its lwIP could send.
"""

import asyncio
import ipaddress
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("rp2040py", reason="needs pip install 'inlier[pico]'")
from rp2040py.clock.simulation_clock import SimulationClock
from rp2040py.external.cyw43 import nat, net

from inlier_boards.emulators.rp2040.bridge import ANSWER_NS, LoopbackBridge, on_loopback

GUEST_MAC = bytes(5) + b"\2"
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
watching: list[list[object]] = []  # where an address goes that a socket is asked for


def audit(event, arguments):
    if watching and event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        watching[-1].append(arguments[0] if event == "socket.getaddrinfo" else arguments[1][0])


sys.addaudithook(audit)


class Chip:
    """What the bridge uses of rp2040py's RP2040."""

    def __init__(self):
        self.clock = SimulationClock()
        self.loop = asyncio.get_running_loop()

    def schedule_threadsafe(self, work):
        self.loop.create_task(work)


class Guest:
    """Sends frames as lwIP does, and keeps what comes."""

    def __init__(self, dns=None):
        self.chip = Chip()
        self.came: list[bytes] = []
        self.denied: list[tuple[str, str, int]] = []
        self.bridge = LoopbackBridge(
            self.chip, self.came.append, dns, lambda *what: self.denied.append(what)
        )

    def send(self, protocol: int, to: bytes, content: bytes) -> None:
        packet = net.pack_ipv4(nat.GUEST_IP, to, protocol, content)
        frame = net.pack_ethernet(nat.GATEWAY_MAC, GUEST_MAC, net.ETHERTYPE_IPV4, packet)
        self.bridge.handle_outbound_ethernet_frame(frame)

    def syn(self, to: str, port: int) -> None:
        place = ipaddress.ip_address(to).packed
        flags = dict(seq=1, ack=0, flags=net.TCP_SYN, window=8192)
        self.send(net.IP_PROTO_TCP, place, net.pack_tcp(nat.GUEST_IP, place, 4000, port, **flags))

    def datagram(self, to: str, port: int, content: bytes) -> None:
        place = ipaddress.ip_address(to).packed
        datagram = net.pack_udp(nat.GUEST_IP, place, 4000, port, content)
        self.send(net.IP_PROTO_UDP, place, datagram)

    def packets(self):
        return [net.parse_ipv4(net.parse_ethernet(frame).payload) for frame in self.came]

    def segments(self):
        return [net.parse_tcp(packet.payload) for packet in self.packets()]


async def settled():
    """Until nothing is left but what waits for the guest's clock."""
    for _ in range(200):
        await asyncio.sleep(0.001)


def watched(play):
    """Run a coroutine; every address that a socket was asked for."""
    asked: list[object] = []
    watching.append(asked)
    try:
        asyncio.run(play())
    finally:
        watching.pop()
    return asked


@settings(max_examples=500)
@example(bytes(4))
@example(b"\xff" * 4)
@example(bytes((127, 0, 0, 1)))
@example(bytes((10, 255, 255, 255)))
@given(st.binary(min_size=4, max_size=4) | st.binary(min_size=3, max_size=3).map(b"\x0a".__add__))
def test_every_address_is_nowhere_or_on_loopback(address):
    place = on_loopback(address)
    assert (place is not None) == (address[0] == 10)
    if place:
        assert ipaddress.ip_address(place) in LOOPBACK
        assert ipaddress.ip_address(place).packed[1:] == address[1:]


ELSEWHERE = [
    "8.8.8.8",
    "1.1.1.1",
    "192.168.1.1",
    "172.16.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "127.0.0.1",
    "224.0.0.251",
    "0.0.0.0",
    "255.255.255.255",
    "11.0.0.1",
]


@pytest.mark.slow
@pytest.mark.parametrize("to", ELSEWHERE)
def test_elsewhere_no_socket_is_opened_and_the_guest_hears_nothing(to):
    async def play():
        guest = Guest()
        guest.syn(to, 23)
        guest.datagram(to, 53, b"a name")
        guest.datagram(to, 123, b"the time")
        await settled()
        assert guest.came == []
        assert guest.denied == [("tcp", to, 23), ("udp", to, 53), ("udp", to, 123)]

    assert watched(play) == []


def test_names_are_asked_of_the_given_server_and_of_nobody_without_one():
    async def play():
        guest = Guest()
        guest.datagram("10.0.0.1", 53, b"a name")
        await settled()
        assert guest.denied == [("udp", "10.0.0.1", 53)] and guest.came == []

        class Server(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, address):
                self.transport.sendto(b"answer to " + data, address)

        loop = asyncio.get_running_loop()
        server, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.9", 0))
        guest = Guest(server.get_extra_info("sockname"))
        guest.datagram("10.0.0.1", 53, b"a name")
        while not guest.came:
            await asyncio.sleep(0.001)
        server.close()
        (packet,) = guest.packets()
        answer = net.parse_udp(packet.payload)
        assert (packet.src_ip, answer.src_port) == (nat.GATEWAY_IP, 53), "as if the gateway knew"
        assert (answer.dst_port, answer.payload) == (4000, b"answer to a name")

    assert set(watched(play)) <= {"127.0.0.9", "127.0.0.1"}


@pytest.mark.parametrize("server", ["1.1.1.1", "10.0.0.1", "localhost", "127-0-0-1.example"])
def test_a_server_of_names_elsewhere_is_refused(server):
    async def play():
        with pytest.raises(ValueError, match="no loopback address"):
            Guest((server, 53))

    asyncio.run(play())


def test_the_private_range_reaches_a_server_on_loopback_and_its_bytes_come_back():
    async def play():
        async def greet(reader, writer):
            writer.write(b"hello")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(greet, "127.5.6.7", 0)
        guest = Guest()
        guest.syn("10.5.6.7", server.sockets[0].getsockname()[1])
        while not any(segment.payload for segment in guest.segments()):
            await asyncio.sleep(0.001)
        server.close()
        assert guest.segments()[0].flags == net.TCP_SYN | net.TCP_ACK
        assert b"".join(segment.payload for segment in guest.segments()) == b"hello"
        assert {packet.src_ip for packet in guest.packets()} == {bytes((10, 5, 6, 7))}

    assert set(watched(play)) == {"127.5.6.7"}


def test_a_port_that_nobody_listens_on_refuses():
    async def play():
        guest = Guest()
        guest.syn("10.5.6.8", 9)
        while not guest.came:
            await asyncio.sleep(0.001)
        assert guest.segments()[0].flags == net.TCP_RST | net.TCP_ACK

    assert watched(play) == ["127.5.6.8"]


def test_who_does_not_answer_is_given_up_by_the_guest_s_clock_alone():
    async def play():
        class Silent(asyncio.DatagramProtocol):
            pass

        loop = asyncio.get_running_loop()
        server, _ = await loop.create_datagram_endpoint(Silent, local_addr=("127.0.0.1", 0))
        guest = Guest()
        guest.datagram("10.0.0.1", server.get_extra_info("sockname")[1], b"?")
        await settled()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert others, "the machine's clock went on, the guest's did not"
        guest.chip.clock.tick(ANSWER_NS)
        await asyncio.wait(others)
        assert guest.came == [] and guest.denied == []
        server.close()

    watched(play)


def test_frames_of_any_bytes_open_no_socket_elsewhere():
    @settings(max_examples=300)
    @given(st.binary(max_size=80), st.sampled_from([b"\x08\x00", b"\x08\x06", b"\x86\xdd"]))
    def fuzz(content, kind):
        async def play():
            guest = Guest()
            guest.bridge.handle_outbound_ethernet_frame(bytes(12) + kind + content)
            guest.bridge.handle_outbound_ethernet_frame(content)
            await asyncio.sleep(0)
            guest.bridge.reset()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        assert all(ipaddress.ip_address(place) in LOOPBACK for place in watched(play))

    fuzz()
