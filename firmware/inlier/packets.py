"""Source `packets`: every packet of the device, counted below the application.

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
                          UNANSWERED_MS

Multicast and broadcast addresses are no peers.
"""

UNANSWERED_MS = 3000


class Packets:
    """What every way to count them has in common."""

    name = "packets"
    counters = (
        "bytes_out", "bytes_in", "packets_out", "packets_in", "syn_out", "syn_in", "synack_in",
        "rst_in", "udp_out", "udp_in", "icmp", "arp", "dns", "broadcast", "peers", "ports",
        "peers_new", "connects_failed",
    )  # fmt: skip
