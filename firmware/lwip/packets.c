/* See packets.h. Layouts: RFC 791, 8200, 9293, 768, 826 and IEEE 802.1Q. What
   lies beyond the end of a frame reads as zero, as in the trainer's capture
   reader (trainer/inlier_trainer/pcap/packets.py), whose integers these are. */
#include "packets.h"

#include <string.h>

/* The way of most packets is one piece of code, also with -Os. */
#define INLINE static inline __attribute__((always_inline))
#define APART static __attribute__((noinline))

enum { IP4 = 0x0800, IP6 = 0x86DD, ARP = 0x0806, VLAN = 0x8100, QINQ = 0x88A8 };
enum { ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58, NONE = 255 };
enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, OPTIONS = 60 };
enum { SYN = 2, RST = 4, ACK = 16 };

/* What is found in a frame. The addresses and ports lie in the frame, or in
   `copied` where they lie across pbufs. */
struct found {
    uint32_t length;
    const uint8_t *ethernet;  /* NULL: no frame at all */
    const uint8_t *from, *to; /* IP addresses of `words` words, or NULL */
    const uint8_t *ports;     /* from, to */
    uint32_t words, protocol, flags, many, arp;
};

struct copied {
    uint8_t ethernet[12], ip[40], ports[4];
};

static const uint8_t no_ports[4];

INLINE uint32_t two(const uint8_t *at) {
    return (uint32_t)at[0] << 8 | at[1];
}

INLINE uint32_t four(const uint8_t *at) {
    return two(at) << 16 | two(at + 2);
}

INLINE int many_ip4(uint32_t to) {
    return to >> 28 == 14 || to + 1 == 0;
}

/* Bytes of the frame that don't lie in the first pbuf alone; zeros if it ends
   before them. */
APART const uint8_t *gather(const struct pbuf *p, uint32_t at, uint32_t size, uint8_t *copy) {
    memset(copy, 0, size);
    if (at + size > p->tot_len)
        return copy;
    for (uint32_t done = 0; p != NULL && done < size; p = p->next) {
        if (at >= p->len) {
            at -= p->len;
            continue;
        }
        uint32_t n = p->len - at < size - done ? p->len - at : size - done;
        memcpy(copy + done, (const uint8_t *)p->payload + at, n);
        done += n;
        at = 0;
    }
    return copy;
}

INLINE const uint8_t *bytes(const struct pbuf *p, uint32_t at, uint32_t size, uint8_t *copy) {
    at += ETH_PAD_SIZE;
    return at + size <= p->len ? (const uint8_t *)p->payload + at : gather(p, at, size, copy);
}

static uint32_t number1(const struct pbuf *p, uint32_t at) {
    uint8_t copy[1];
    return *bytes(p, at, 1, copy);
}

INLINE uint32_t number2(const struct pbuf *p, uint32_t at) {
    uint8_t copy[2];
    return two(bytes(p, at, 2, copy));
}

INLINE void transport(struct found *f, const struct pbuf *p, uint32_t at, struct copied *copied) {
    if (f->protocol != TCP && f->protocol != UDP)
        return;
    f->ports = bytes(p, at, 4, copied->ports);
    if (f->protocol == TCP)
        f->flags = number1(p, at + 13);
}

INLINE void ip4(struct found *f, const struct pbuf *p, uint32_t at, struct copied *copied) {
    if (at + 20 > f->length)
        return;
    const uint8_t *head = bytes(p, at, 20, copied->ip);
    f->from = head + 12;
    f->to = head + 16;
    f->words = 1;
    f->protocol = head[9];
    f->many |= many_ip4(four(f->to));
    if (((head[6] & 31) | head[7]) == 0) /* a later fragment has no ports */
        transport(f, p, at + (head[0] & 15) * 4, copied);
}

INLINE void ip6(struct found *f, const struct pbuf *p, uint32_t at, struct copied *copied) {
    if (at + 40 > f->length)
        return;
    const uint8_t *head = bytes(p, at, 40, copied->ip);
    f->from = head + 8;
    f->to = head + 24;
    f->words = 4;
    f->many |= f->to[0] == 255;
    uint32_t following = head[6];
    int later = 0;
    at += 40;
    for (int i = 0; i < 4; i++) {
        uint32_t size = 8;
        if (following == FRAGMENT)
            later |= number2(p, at + 2) >> 3 > 0;
        else if (!later &&
                 (following == HOP_BY_HOP || following == ROUTING || following == OPTIONS))
            size = (number1(p, at + 1) + 1) * 8;
        else
            break;
        following = number1(p, at);
        at += size;
    }
    f->protocol = following;
    if (!later)
        transport(f, p, at, copied);
}

/* Any frame, in any pieces. */
INLINE struct found search(const struct pbuf *p, struct copied *copied) {
    struct found f = {.ports = no_ports, .protocol = NONE};
    f.length = p->tot_len > ETH_PAD_SIZE ? p->tot_len - ETH_PAD_SIZE : 0;
    if (f.length < 12)
        return f;
    f.ethernet = bytes(p, 0, 12, copied->ethernet);
    f.many = f.ethernet[0] & 1;
    uint32_t kind = number2(p, 12), at = 14;
    for (int tags = 0; tags < 2 && (kind == VLAN || kind == QINQ); tags++) {
        kind = number2(p, at + 2);
        at += 4;
    }
    f.arp = kind == ARP;
    if (kind == IP4)
        ip4(&f, p, at, copied);
    else if (kind == IP6)
        ip6(&f, p, at, copied);
    return f;
}

INLINE uint32_t mix(uint32_t h) {
    uint32_t factor = 0x9E3779B1u;
    __asm__("" : "+r"(factor)); /* or GCC makes a dozen shifts of one multiplication */
    h *= factor;
    return h ^ h >> 15;
}

INLINE uint32_t host(const uint8_t *address, uint32_t words) {
    uint32_t h = 0;
    do {
        h = mix(h ^ four(address));
        address += 4;
    } while (--words);
    return h;
}

/* Set a bit, and count it if it was clear. */
INLINE void distinct(uint32_t *bitmap, uint32_t i, uint32_t *count) {
    uint32_t bit = (uint32_t)1 << (i & 31);
    bitmap += i >> 5;
    if ((*bitmap & bit) == 0) {
        *bitmap |= bit;
        ++*count;
    }
}

/* Follow a connection to its answer, as packets.py says. `out`: it begins. */
static void
connects(struct inlier_packets *s, uint32_t key, int out, uint32_t reset, uint32_t now_ms) {
    uint32_t slot = key & (INLIER_WAITING - 1);
    uint32_t *held = s->held + (slot >> 5), bit = (uint32_t)1 << (slot & 31);
    int same = s->waiting[slot].key == key;
    if (*held & bit && (out || same)) {
        int old = now_ms - s->waiting[slot].then_ms >= INLIER_UNANSWERED_MS;
        if (same && out && !old)
            return; /* a repeated SYN is the same connection */
        *held &= ~bit;
        s->totals[N_CONNECTS_FAILED] += old || (same && reset);
    }
    if (out) {
        *held |= bit;
        s->waiting[slot].key = key;
        s->waiting[slot].then_ms = now_ms;
    }
}

/* These few packets are out of the way of the others. */
APART void
begins(struct inlier_packets *s, uint32_t to, const uint8_t *ports, inlier_clock now_ms) {
    connects(s, mix(to ^ (two(ports + 2) << 16 | two(ports))), 1, 0, now_ms());
}

APART void answers(struct inlier_packets *s, const uint8_t *from, uint32_t words,
                   const uint8_t *ports, uint32_t flags, inlier_clock now_ms) {
    s->totals[N_SYN_IN] += (flags & (SYN | ACK)) == SYN;
    s->totals[N_SYNACK_IN] += (flags & (SYN | ACK)) == (SYN | ACK);
    s->totals[N_RST_IN] += (flags & RST) != 0;
    connects(s, mix(host(from, words) ^ four(ports)), 0, flags & RST, now_ms());
}

/* to: the receiver's hash. */
INLINE void
count_out(struct inlier_packets *s, const struct found *f, uint32_t to, inlier_clock now_ms) {
    uint32_t *totals = s->totals;
    totals[N_BYTES_OUT] += f->length;
    totals[N_PACKETS_OUT]++;
    if (f->to == NULL) {
        totals[N_ARP] += f->arp;
        return;
    }
    uint32_t chosen = 0; /* a remote port that this device chose */
    if (f->protocol == TCP || f->protocol == UDP) {
        uint32_t port = two(f->ports + 2);
        if (port == 53)
            totals[N_DNS]++;
        if (f->protocol == UDP) {
            totals[N_UDP_OUT]++;
            chosen = port;
        } else if ((f->flags & (SYN | ACK)) == SYN) {
            totals[N_SYN_OUT]++;
            chosen = port;
            begins(s, to, f->ports, now_ms);
        }
    } else if (f->protocol == ICMP || f->protocol == ICMP6) {
        totals[N_ICMP]++;
    }
    if (f->many || to == 0)
        return;
    distinct(s->peers, to & (INLIER_PEERS - 1), totals + N_PEERS);
    distinct(s->known, to & (INLIER_KNOWN - 1), totals + N_PEERS_NEW);
    if (chosen)
        distinct(s->ports, (chosen ^ chosen >> 12) & (INLIER_PORTS - 1), totals + N_PORTS);
}

INLINE int same(const uint8_t *a, const uint8_t *b) {
    return a[5] == b[5] && a[4] == b[4] && a[3] == b[3] && a[2] == b[2] && a[1] == b[1] &&
           a[0] == b[0];
}

INLINE void count_in(struct inlier_packets *s, const struct found *f, const uint8_t own[6],
                     inlier_clock now_ms) {
    /* Not what others send to others; nor what an access point sends back of
       our own broadcasts, which were counted when they were sent. */
    if ((!f->many && !same(f->ethernet, own)) || same(f->ethernet + 6, own))
        return;
    uint32_t *totals = s->totals;
    totals[N_BYTES_IN] += f->length;
    totals[N_PACKETS_IN]++;
    if (f->many)
        totals[N_BROADCAST]++;
    if (f->from == NULL) {
        totals[N_ARP] += f->arp;
    } else if (f->protocol == TCP) {
        if (f->flags & (SYN | RST))
            answers(s, f->from, f->words, f->ports, f->flags, now_ms);
    } else if (f->protocol == UDP) {
        totals[N_UDP_IN]++;
    } else if (f->protocol == ICMP || f->protocol == ICMP6) {
        totals[N_ICMP]++;
    }
}

/* Any frame. */
APART void
search_out(struct inlier_packets *s, const struct pbuf *p, inlier_clock now_ms) {
    struct copied copied;
    struct found f = search(p, &copied);
    if (f.ethernet)
        count_out(s, &f, f.to ? host(f.to, f.words) : 0, now_ms);
}

APART void search_in(struct inlier_packets *s, const struct pbuf *p, const uint8_t own[6],
                     inlier_clock now_ms) {
    struct copied copied;
    struct found f = search(p, &copied);
    if (f.ethernet)
        count_in(s, &f, own, now_ms);
}

/* What most frames are, and is found with the fewest instructions: IPv4, no
   later fragment, all headers in the first pbuf. */
INLINE int plain(const struct pbuf *p, struct found *f, uint32_t *to) {
    const uint8_t *ethernet = (const uint8_t *)p->payload + ETH_PAD_SIZE, *ip = ethernet + 14;
    if (p->len < ETH_PAD_SIZE + 14 + 20 + 14 &&
        (p->len < ETH_PAD_SIZE + 14 + 20 + 8 || ip[9] == TCP))
        return 0;
    if (ethernet[12] != 8 || ethernet[13] != 0 || ip[0] != 0x45 || ip[7] || ip[6] & 31)
        return 0;
    f->length = p->tot_len - ETH_PAD_SIZE;
    f->ethernet = ethernet;
    f->from = ip + 12;
    f->to = ip + 16;
    f->words = 1;
    f->protocol = ip[9];
    *to = four(f->to);
    f->many = ethernet[0] & 1 || many_ip4(*to);
    f->arp = 0;
    f->ports = ip + 20;
    f->flags = f->protocol == TCP ? ip[33] : 0;
    return 1;
}

void inlier_packets_out(struct inlier_packets *s, const struct pbuf *p, inlier_clock now_ms) {
    struct found f;
    uint32_t to;
    if (plain(p, &f, &to))
        count_out(s, &f, mix(to), now_ms);
    else
        search_out(s, p, now_ms);
}

void inlier_packets_in(struct inlier_packets *s, const struct pbuf *p, const uint8_t own[6],
                       inlier_clock now_ms) {
    struct found f;
    uint32_t to;
    if (plain(p, &f, &to))
        count_in(s, &f, own, now_ms);
    else
        search_in(s, p, own, now_ms);
}

void inlier_packets_read(struct inlier_packets *s, uint32_t totals[INLIER_COUNTERS],
                         uint32_t now_ms) {
    for (uint32_t i = 0; i < INLIER_WAITING / 32; i++) {
        for (uint32_t left = s->held[i], bit = 0; left; left >>= 1, bit++) {
            if (left & 1 && now_ms - s->waiting[i * 32 + bit].then_ms > INLIER_UNANSWERED_MS) {
                s->held[i] &= ~((uint32_t)1 << bit);
                s->totals[N_CONNECTS_FAILED]++;
            }
        }
    }
    memset(s->peers, 0, sizeof s->peers);
    memset(s->ports, 0, sizeof s->ports);
    memcpy(totals, s->totals, sizeof s->totals);
}
