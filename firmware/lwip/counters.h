/* The eighteen counters of the source `packets`, in the order of
   firmware/inlier/packet_counters.py, which a test holds. */
#ifndef INLIER_COUNTERS_H
#define INLIER_COUNTERS_H

enum inlier_counter {
    N_BYTES_OUT,
    N_BYTES_IN,
    N_PACKETS_OUT,
    N_PACKETS_IN,
    N_SYN_OUT,
    N_SYN_IN,
    N_SYNACK_IN,
    N_RST_IN,
    N_UDP_OUT,
    N_UDP_IN,
    N_ICMP,
    N_ARP,
    N_DNS,
    N_BROADCAST,
    N_PEERS,
    N_PORTS,
    N_PEERS_NEW,
    N_CONNECTS_FAILED,
    INLIER_COUNTERS
};

#endif
