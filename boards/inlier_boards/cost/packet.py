"""What the C module of the source `packets` (firmware/lwip) takes a packet, on
the emulated Cortex-M0.
"""

import struct

from inlier_boards.build.firmware import FIRMWARE
from inlier_boards.catalogue import Board

from . import in_c

# In a wheel within the runtime, in a checkout beside it.
MODULE = next(path for path in (FIRMWARE / "inlier/lwip", FIRMWARE / "lwip") if path.is_dir())
TIMES = 500
OWN, OTHER = bytes.fromhex("0200000000aa"), bytes.fromhex("0200000000bb")
ALL = b"\xff" * 6
HERE, THERE = bytes([192, 168, 1, 5]), bytes([10, 0, 0, 9])
HERE6, THERE6 = bytes(15) + b"\x05", bytes(15) + b"\x09"
TCP, UDP = 6, 17
ACK, SYN, RST = 16, 2, 4


def _ethernet(sender: bytes, receiver: bytes, kind: int, body: bytes) -> bytes:
    return receiver + sender + struct.pack(">H", kind) + body


def _ip4(sender: bytes, receiver: bytes, protocol: int, body: bytes) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 7, 0, 64, protocol, 0)
    return head + sender + receiver + body


def _ip6(sender: bytes, receiver: bytes, protocol: int, body: bytes) -> bytes:
    return struct.pack(">IHBB", 6 << 28, len(body), protocol, 64) + sender + receiver + body


def _tcp(port_from: int, port_to: int, flags: int) -> bytes:
    return struct.pack(">HHIIBBHHH", port_from, port_to, 0, 0, 0x50, flags, 0, 0, 0)


def _udp(port_from: int, port_to: int) -> bytes:
    return struct.pack(">HHHH", port_from, port_to, 56, 0) + bytes(48)  # as NTP's


def _out(body: bytes, kind: int = 0x0800) -> tuple[bool, bytes]:
    return True, _ethernet(OWN, OTHER, kind, body)


def _in(body: bytes, kind: int = 0x0800, receiver: bytes = OWN) -> tuple[bool, bytes]:
    return False, _ethernet(OTHER, receiver, kind, body)


FRAMES: dict[str, tuple[bool, bytes]] = {
    "TCP out": _out(_ip4(HERE, THERE, TCP, _tcp(4000, 443, ACK))),
    "TCP in": _in(_ip4(THERE, HERE, TCP, _tcp(443, 4000, ACK))),
    "UDP out": _out(_ip4(HERE, THERE, UDP, _udp(5000, 123))),
    "UDP in": _in(_ip4(THERE, HERE, UDP, _udp(123, 5000))),
    "ARP in, to all": _in(bytes(28), 0x0806, ALL),
    "TCP over IPv6 out": _out(_ip6(HERE6, THERE6, TCP, _tcp(4000, 443, ACK)), 0x86DD),
    "TCP over IPv6 in": _in(_ip6(THERE6, HERE6, TCP, _tcp(443, 4000, ACK)), 0x86DD),
    "SYN out": _out(_ip4(HERE, THERE, TCP, _tcp(4001, 23, SYN))),
    "RST in": _in(_ip4(THERE, HERE, TCP, _tcp(23, 4001, RST | ACK))),
}


def measure(board: Board) -> dict[str, int]:
    """Instructions by kind of packet: between the driver and lwIP, or lwIP and
    the driver, with the module less without. Raises BadInput.
    """
    assert board.emulator
    sources = [in_c.SOURCE / "packet.c", MODULE / "hook.c", MODULE / "packets.c"]
    headers = in_c.SOURCE / "lwip_headers"
    flags = ("-Os", f"-I{MODULE}", f"-I{headers}", "-lc")
    said = in_c.run(board, sources, "frames.h", _header(), *flags)
    per = board.emulator.instructions_per_tick / TIMES
    return {kind: round(int(word) * per) for kind, word in zip(FRAMES, said, strict=True)}


def _header() -> str:
    def listed(octets: bytes) -> str:
        return "{" + ", ".join(map(str, octets)) + "}"

    rows = (f"{{{int(out)}, {len(data)}, {listed(data)}}}" for out, data in FRAMES.values())
    return (
        f"#define TIMES {TIMES}\n#define OWN {listed(OWN)}\n#define FRAMES {len(FRAMES)}\n"
        "/* data: at a multiple of four, as drivers have it */\n"
        "static const struct { uint8_t out, length; uint8_t data[92] "
        f"__attribute__((aligned(4))); }} frames[] = {{{', '.join(rows)}}};\n"
    )
