"""What the emulated Wi-Fi reaches: 10.a.b.c is 127.a.b.c of this machine, and
every other destination is nowhere.

rp2040py's own bridge opens sockets to the addresses that the guest names. Its
parts are used here (ARP, DHCP, TCP); what opens a socket is this file, through
`on_loopback` alone. Time limits are of the guest's clock: how fast the machine
emulates decides nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from rp2040py.external.cyw43 import nat, net

PRIVATE, LOOPBACK = 10, 127
DNS_PORT = 53
CONNECT_NS = 10_000_000_000
ANSWER_NS = 5_000_000_000
# A connection that this machine has made, or an answer that it holds, is seen
# within so many turns of the loop, while the guest's clock may leap.
TURNS = 16

Place = tuple[str, int]
_T = TypeVar("_T")


def on_loopback(address: bytes) -> str | None:
    """Where a guest's packet to that address goes; None: nowhere."""
    if len(address) != 4 or address[0] != PRIVATE:
        return None
    return ".".join(map(str, (LOOPBACK, *address[1:])))


class LoopbackBridge:
    """In place of rp2040py's NatBridge.

    dns: the server that answers names, on a loopback address; None: nobody.
    denied(protocol, address, port) is told what goes nowhere.
    """

    def __init__(
        self,
        rp2040: Any,
        queue_ethernet_frame: Callable[[bytes], None],
        dns: Place | None = None,
        denied: Callable[[str, str, int], None] = lambda protocol, address, port: None,
    ) -> None:
        if dns and not dns[0].startswith(f"{LOOPBACK}."):
            raise ValueError(f"{dns[0]} is no loopback address")
        self._rp2040 = rp2040
        self._queue = queue_ethernet_frame
        self._dns = dns
        self._denied = denied
        self._arp = nat.ArpResponder()
        self._dhcp = nat.DhcpServer()
        self._tcp = nat.TcpReflector(
            rp2040, queue_ethernet_frame, connect_timeout=None, connect_fn=self._connect
        )

    def reset(self) -> None:
        self._tcp.reset()

    def handle_outbound_ethernet_frame(self, frame: bytes) -> None:
        ethernet = net.parse_ethernet(frame)
        if ethernet is None:
            return
        answer = self._arp.maybe_handle(ethernet) or self._dhcp.maybe_handle(ethernet)
        if answer is not None:
            self._queue(answer)
            return
        packet = (
            net.parse_ipv4(ethernet.payload) if ethernet.ethertype == net.ETHERTYPE_IPV4 else None
        )
        if packet is None:
            return
        if packet.proto == net.IP_PROTO_UDP:
            self._datagram(ethernet, packet)
        elif packet.proto == net.IP_PROTO_TCP:
            if on_loopback(packet.dst_ip):
                self._tcp.maybe_handle(ethernet, packet)
            else:
                self._deny("tcp", packet)

    def _deny(self, protocol: str, packet: Any) -> None:
        port = int.from_bytes(packet.payload[2:4], "big")
        self._denied(protocol, ".".join(map(str, packet.dst_ip)), port)

    async def _connect(self, address: str, port: int) -> Any:
        """TcpReflector names the guest's destination."""
        place = on_loopback(bytes(map(int, address.split("."))))
        if place is None:
            raise OSError("not a destination of this bridge")
        return await self._within(CONNECT_NS, asyncio.open_connection(place, port))

    def _datagram(self, ethernet: Any, packet: Any) -> None:
        udp = net.parse_udp(packet.payload)
        if udp is None:
            return
        place: Place | None
        if packet.dst_ip == nat.GATEWAY_IP and udp.dst_port == DNS_PORT:
            place = self._dns
        else:
            address = on_loopback(packet.dst_ip)
            place = (address, udp.dst_port) if address else None
        if place is None:
            self._deny("udp", packet)
        else:
            self._rp2040.schedule_threadsafe(self._relay(ethernet.src_mac, packet, udp, place))

    async def _relay(self, guest_mac: bytes, packet: Any, udp: Any, place: Place) -> None:
        """One datagram, and the first answer to it."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Once(answer), remote_addr=place
            )
        except OSError:
            return
        try:
            transport.sendto(udp.payload)
            content = await self._within(ANSWER_NS, answer)
        except OSError:  # TimeoutError is one
            return
        finally:
            transport.close()
        datagram = net.pack_udp(packet.dst_ip, packet.src_ip, udp.dst_port, udp.src_port, content)
        whole = net.pack_ipv4(packet.dst_ip, packet.src_ip, net.IP_PROTO_UDP, datagram)
        self._queue(net.pack_ethernet(guest_mac, nat.GATEWAY_MAC, net.ETHERTYPE_IPV4, whole))

    async def _within(self, limit_ns: int, what: Awaitable[_T]) -> _T:
        """Raises TimeoutError when so much of the guest's time has passed."""
        task = asyncio.ensure_future(what)
        loop = asyncio.get_running_loop()
        expired = False

        def end(turns: int = TURNS) -> None:
            nonlocal expired
            if turns:
                loop.call_soon(end, turns - 1)
            elif not task.done():
                expired = True
                task.cancel()

        alarm = self._rp2040.clock.create_alarm(end)
        alarm.schedule(limit_ns)
        try:
            return await task
        except asyncio.CancelledError:
            if expired:
                raise TimeoutError from None
            raise
        finally:
            alarm.cancel()


class _Once(asyncio.DatagramProtocol):
    def __init__(self, answer: "asyncio.Future[bytes]") -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)
