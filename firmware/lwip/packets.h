/* Counts the source `packets` from lwIP's frames. What each counter means, and
   the bitmaps and slots that it is counted with, firmware/inlier/packets.py
   says; a test holds that both sides have the same.

   One fixed struct: nothing is allocated, no packet copied. No two calls with
   one struct run at once: hook.c sees to that. */
#ifndef INLIER_PACKETS_H
#define INLIER_PACKETS_H

#include <stdint.h>

#include "counters.h"
#include "lwip/pbuf.h"

#define INLIER_PEERS 4096
#define INLIER_PORTS 4096
#define INLIER_KNOWN 32768
#define INLIER_WAITING 256
#define INLIER_UNANSWERED_MS 3000

struct inlier_packets {
    uint32_t totals[INLIER_COUNTERS]; /* since boot, wrapping */
    uint32_t peers[INLIER_PEERS / 32], ports[INLIER_PORTS / 32], known[INLIER_KNOWN / 32];
    uint32_t held[INLIER_WAITING / 32]; /* slots below that hold a connection that waits */
    struct {
        uint32_t key, then_ms;
    } waiting[INLIER_WAITING];
};

/* Milliseconds that wrap at 2^32. Asked only where a connection begins or is
   answered: for few packets. */
typedef uint32_t (*inlier_clock)(void);

/* Count an Ethernet frame that is sent, or one that came to the interface whose
   address is `own`. */
void inlier_packets_out(struct inlier_packets *s, const struct pbuf *p, inlier_clock now_ms);
void inlier_packets_in(struct inlier_packets *s, const struct pbuf *p, const uint8_t own[6],
                       inlier_clock now_ms);

/* End a window: count what has waited too long, copy the totals, and let hosts
   and ports be distinct afresh. No counter ever goes back. */
void inlier_packets_read(struct inlier_packets *s, uint32_t totals[INLIER_COUNTERS],
                         uint32_t now_ms);

#endif
