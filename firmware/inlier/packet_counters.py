"""What the source `packets` counts: every packet of the device, below the
application. Its ways to count are in packets.py.

What is counted, a window, of packets from the device (out) and to it or to
everybody (in), lengths as on the link:

    bytes_out, bytes_in, packets_out, packets_in
    syn_out, syn_in       TCP connections begun; synack_in: answered; rst_in:
                          refused or broken off by the peer
    udp_out, udp_in, icmp (both ways), arp (both ways), dns (queries to port
    53), broadcast (in, to many)
    peers, ports          distinct hosts that the device sent to, and distinct
                          remote ports of its SYNs and datagrams
    peers_new             hosts that it sent to for the first time
    connects_failed       SYNs that were answered by RST, or by nothing within
                          UNANSWERED_MS, in the window in which that is known

Multicast, broadcast and unspecified addresses are no peers.

Three ways to count give the same integers, and their memory is bounded: in
firmware by a C module (firmware/lwip), on Linux by packets_linux.py, from
captures by the trainer. Distinct means by a bit of a bitmap:

    peers      bit host & PEERS - 1, cleared each window
    ports      bit (port ^ port >> 12) & PORTS - 1, cleared each window
    peers_new  bit host & KNOWN - 1, since boot
    host       32-bit hash: 0, then `mix(hash ^ word)` for each big-endian
               32-bit word of the address, one of IPv4, four of IPv6

so that of n hosts in a window about PEERS * (1 - exp(-n / PEERS)) are counted.
A connection waits in slot `key & WAITING - 1`, where key is mix(host ^ (remote
port << 16 | local port)), with its SYN's time in ms; a SYN that is repeated
within UNANSWERED_MS changes nothing, another connection's takes the slot. A
packet with SYN or RST from the other side frees it. It has failed when that has
RST, and at UNANSWERED_MS after its SYN: whoever finds a slot of that age or
older, be it by a packet of the connection or one that wants the slot, counts it
first, and the end of a window counts those that are older.
"""

PEERS = 4096
PORTS = 4096
KNOWN = 32768
WAITING = 256
UNANSWERED_MS = 3000


class Packets:
    """What every way to count them has in common."""

    name = "packets"
    counters = (
        "bytes_out", "bytes_in", "packets_out", "packets_in", "syn_out", "syn_in", "synack_in",
        "rst_in", "udp_out", "udp_in", "icmp", "arp", "dns", "broadcast", "peers", "ports",
        "peers_new", "connects_failed",
    )  # fmt: skip


def mix(h):
    """A step of Knuth's multiplicative hash (volume 3, section 6.4), of 32
    bits.
    """
    h = h * 0x9E3779B1 & 0xFFFFFFFF
    return h ^ h >> 15
