/* See hook.h. lwIP has no tap: each interface's `input` and `linkoutput` are
   replaced by functions that count and then call what was there. */
#include "hook.h"

#include "lwip/netif.h"
#include "packets.h"
#include "port.h"

#define INTERFACES 8

static struct inlier_packets counted;
static struct hooked {
    struct netif *netif;
    netif_input_fn input;
    netif_linkoutput_fn linkoutput;
} hooked[INTERFACES];

static inline struct hooked *find(const struct netif *netif) {
    struct hooked *h = hooked;
    while (h->netif != netif)
        if (++h == hooked + INTERFACES)
            return NULL;
    return h;
}

static err_t input(struct pbuf *p, struct netif *netif) {
    COUNT_ENTER
    inlier_packets_in(&counted, p, netif->hwaddr, sys_now);
    COUNT_EXIT
    struct hooked *h = find(netif);
    return h ? h->input(p, netif) : ERR_IF;
}

static err_t linkoutput(struct netif *netif, struct pbuf *p) {
    COUNT_ENTER
    inlier_packets_out(&counted, p, sys_now);
    COUNT_EXIT
    struct hooked *h = find(netif);
    return h ? h->linkoutput(netif, p) : ERR_IF;
}

static int listed(const struct netif *wanted) {
    struct netif *netif;
    NETIF_FOREACH(netif)
        if (netif == wanted)
            return 1;
    return 0;
}

/* In lwIP's own context. Again and again: a driver may set its functions after
   the interface was added, and an interface that comes back has its own. */
static void hook(struct netif *netif) {
    if (!(netif->flags & (NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET)))
        return;
    if (!netif->input || !netif->linkoutput)
        return;
    if (netif->input == input && netif->linkoutput == linkoutput)
        return;
    struct hooked *h = find(netif);
    for (int i = 0; h == NULL && i < INTERFACES; i++)
        if (hooked[i].netif == NULL || !listed(hooked[i].netif))
            h = &hooked[i];
    if (h == NULL)
        return;
    if (netif->input != input)
        h->input = netif->input;
    if (netif->linkoutput != linkoutput)
        h->linkoutput = netif->linkoutput;
    h->netif = netif;
    /* What we call is there before we can be called, on another core too. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    netif->input = input;
    netif->linkoutput = linkoutput;
}

#if LWIP_NETIF_EXT_STATUS_CALLBACK
static netif_ext_callback_t told;

static void
on_event(struct netif *netif, netif_nsc_reason_t reason, const netif_ext_callback_args_t *args) {
    (void)reason;
    (void)args;
    hook(netif);
}

static void listen(void) {
    if (told.callback_fn == NULL)
        netif_add_ext_callback(&told, on_event);
}

/* Before main: no interface is added, and no Python runs, without us. */
__attribute__((constructor)) static void at_boot(void) {
    listen();
}
#else
static void listen(void) {
}
#endif

void inlier_read(uint32_t totals[INLIER_COUNTERS]) {
    READ_ENTER
#if NO_SYS || !LWIP_NETIF_EXT_STATUS_CALLBACK
    /* A start-up that runs no constructors, as stm32's, or a lwIP that tells of
       nothing: what passes an interface before the first reading after it was
       added is not counted. */
    struct netif *netif;
    listen();
    NETIF_FOREACH(netif)
        hook(netif);
#endif
    inlier_packets_read(&counted, totals, sys_now());
    READ_EXIT
}
