/* Plays frames through the `input` and `linkoutput` of one of lwIP's interfaces
   and prints the windows that firmware/lwip counted.

   Standard input, little-endian: the interface's address (6 bytes), the length
   of a window in ms (u32), then a frame each: ms since the first (u32), bytes on
   the link (u32), bytes that follow (u32), those bytes. What does not follow is
   zero. What comes from the interface's own address is sent, all else comes in.

   play SEED: 0 puts each frame into one pbuf, others cut it into a chain, of
   pieces that may be empty, each in memory of its own size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../firmware/lwip/hook.h"
#include "lwip/netif.h"
#include "lwip/sys.h"

static uint32_t now_ms;
u32_t sys_now(void) {
    return now_ms;
}

#if LWIP_NETIF_EXT_STATUS_CALLBACK
/* Debian's lwIP is built without: who listens is told here. */
static netif_ext_callback_t *listener;
void netif_add_ext_callback(netif_ext_callback_t *callback, netif_ext_callback_fn fn) {
    callback->callback_fn = fn;
    listener = callback;
}
#endif

static struct netif interface;
static struct pbuf *passed;
static unsigned inwards, outwards;

static err_t driver_input(struct pbuf *p, struct netif *netif) {
    passed = netif == &interface ? p : NULL;
    inwards++;
    return ERR_OK;
}

static err_t driver_output(struct netif *netif, struct pbuf *p) {
    passed = netif == &interface ? p : NULL;
    outwards++;
    return ERR_OK;
}

static void must(int truth, const char *what) {
    if (!truth) {
        fprintf(stderr, "play: %s\n", what);
        exit(1);
    }
}

static uint32_t random_state;
static uint32_t below(uint32_t n) {
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % n;
}

/* A pbuf with a copy of its own. */
static struct pbuf *piece(const uint8_t *data, uint32_t n) {
    struct pbuf *p = calloc(1, sizeof *p);
    p->payload = memcpy(malloc(n ? n : 1), data, n);
    p->len = p->tot_len = n;
    p->ref = 1;
    return p;
}

static struct pbuf *frame(const uint8_t *data, uint32_t n) {
    struct pbuf *chain = NULL;
    uint32_t left = n;
    do {
        uint32_t size = random_state ? below(below(2) ? 8 : 64) : left;
        struct pbuf *p;
        size = size < left ? size : left;
        p = piece(data + left - size, size); /* from its end: each knows what comes after it */
        p->next = chain;
        p->tot_len = n - left + size;
        chain = p;
        left -= size;
    } while (left);
    return chain;
}

static void release(struct pbuf *p) {
    while (p) {
        struct pbuf *next = p->next;
        free(p->payload);
        free(p);
        p = next;
    }
}

static uint32_t u32(void) {
    uint8_t b[4];
    must(fread(b, 1, 4, stdin) == 4, "a number is cut off");
    return b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)b[3] << 24;
}

static void window(int print) {
    static uint32_t last[INLIER_COUNTERS];
    uint32_t now[INLIER_COUNTERS];
    inlier_read(now);
    for (int i = 0; i < INLIER_COUNTERS; i++) {
        if (print)
            printf("%u%c", now[i] - last[i], i == INLIER_COUNTERS - 1 ? '\n' : ',');
        last[i] = now[i];
    }
}

int main(int argc, char **argv) {
    static uint8_t data[65536];
    uint8_t own[6];
    uint32_t end, window_ms, frames = 0;
    int c;
    must(argc == 2, "play SEED");
    random_state = atoi(argv[1]);
    must(fread(own, 1, 6, stdin) == 6, "no address");
    end = window_ms = u32();

    interface.flags = NETIF_FLAG_ETHARP;
    interface.input = driver_input;
    interface.linkoutput = driver_output;
    memcpy(interface.hwaddr, own, 6);
    netif_list = &interface;
#if LWIP_NETIF_EXT_STATUS_CALLBACK
    must(listener != NULL, "nobody listens before main");
    listener->callback_fn(&interface, LWIP_NSC_NETIF_ADDED, NULL);
#else
    window(0);
#endif
    must(interface.input != driver_input && interface.linkoutput != driver_output, "the interface is not hooked");

    while ((c = getchar()) != EOF) {
        ungetc(c, stdin);
        uint32_t at_ms = u32(), length = u32(), held = u32();
        must(length < sizeof data && held <= length, "no frame of lwIP's");
        memset(data, 0, length);
        must(fread(data, 1, held, stdin) == held, "a frame is cut off");
        for (; at_ms >= end; end += window_ms) {
            now_ms = end;
            window(1);
        }
        now_ms = at_ms;
        struct pbuf *p = frame(data, length);
        passed = NULL;
        if (length >= 12 && memcmp(data + 6, own, 6) == 0)
            must(interface.linkoutput(&interface, p) == ERR_OK, "not sent");
        else
            must(interface.input(p, &interface) == ERR_OK, "not taken in");
        must(passed == p, "another frame went on");
        release(p);
        frames++;
    }
    must(inwards + outwards == frames, "a frame was lost, or came twice");
    now_ms++; /* the last window is as long as what was played */
    window(1);
    return 0;
}
