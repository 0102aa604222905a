/* An Ethernet interface of lwIP's whose driver the test is, hooked by
   firmware/lwip, with the test's clock. */
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

static void must(int truth, const char *what) {
    if (!truth) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
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

static err_t driver_input(struct pbuf *p, struct netif *netif) {
    passed = netif == &interface ? p : NULL;
    return ERR_OK;
}

static err_t driver_output(struct netif *netif, struct pbuf *p) {
    passed = netif == &interface ? p : NULL;
    return ERR_OK;
}

/* lwIP tells, or a reading finds out. */
static void changed(void) {
#if LWIP_NETIF_EXT_STATUS_CALLBACK
    must(listener != NULL, "nobody listens before main");
    listener->callback_fn(&interface, LWIP_NSC_LINK_CHANGED, NULL);
#else
    uint32_t totals[INLIER_COUNTERS];
    inlier_read(totals);
#endif
    must(interface.input != driver_input, "its input is not hooked");
    must(interface.linkoutput != driver_output, "its linkoutput is not hooked");
}

static inline void add_interface(const uint8_t own[6]) {
    interface.flags = NETIF_FLAG_ETHARP; /* as ESP-IDF's Wi-Fi has it */
    interface.input = driver_input;
    interface.linkoutput = driver_output;
    memcpy(interface.hwaddr, own, 6);
    netif_list = &interface;
    changed();
}

/* Into how many pieces a frame is cut: 0, one; else a seed of random ones. */
static uint32_t pieces;
static uint32_t below(uint32_t n) {
    pieces = pieces * 1664525u + 1013904223u;
    return (pieces >> 8) % n;
}

/* Through the interface, each piece in memory of its own size. */
static void play(const uint8_t *data, uint32_t n, int sent) {
    struct pbuf *chain = NULL;
    uint32_t left = n;
    do { /* from its end: each knows how much comes after it */
        uint32_t size = pieces ? below(below(2) ? 8 : 64) : left;
        struct pbuf *p = calloc(1, sizeof *p);
        size = size < left ? size : left;
        p->payload = memcpy(malloc(size ? size : 1), data + left - size, size);
        p->len = size;
        p->tot_len = n - left + size;
        p->ref = 1;
        p->next = chain;
        chain = p;
        left -= size;
    } while (left);
    passed = NULL;
    err_t said = sent ? interface.linkoutput(&interface, chain)
                      : interface.input(chain, &interface);
    must(said == ERR_OK, "refused");
    must(passed == chain, "another frame went on, or none");
    while (chain) {
        struct pbuf *next = chain->next;
        free(chain->payload);
        free(chain);
        chain = next;
    }
}
