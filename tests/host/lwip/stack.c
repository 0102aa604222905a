/* The module in Debian's lwIP itself: what its stack sends, and sends to itself.
   Prints the totals after each step. */
#include <stdio.h>
#include <string.h>

#include "../../../firmware/lwip/hook.h"
#include "lwip/etharp.h"
#include "lwip/netif.h"
#include "lwip/tcpip.h"
#include "lwip/udp.h"

static const char *const names[] = {NAMES};

static err_t driver_output(struct netif *netif, struct pbuf *p) {
    (void)netif;
    (void)p;
    return ERR_OK;
}

static err_t driver(struct netif *netif) {
    static const uint8_t address[6] = {2, 0, 0, 0, 0, 0xaa};
    memcpy(netif->hwaddr, address, 6);
    netif->hwaddr_len = 6;
    netif->mtu = 1500;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->linkoutput = driver_output;
    return ERR_OK;
}

/* As IEEE 802.15.4's: a packet that it sends has no Ethernet header. */
static err_t bare_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *to) {
    (void)to;
    return netif->linkoutput(netif, p);
}

static err_t driver_without_ethernet(struct netif *netif) {
    driver(netif);
    netif->flags = NETIF_FLAG_LINK_UP;
    netif->output = bare_output;
    return ERR_OK;
}

static void said(const char *step) {
    static uint32_t last[INLIER_COUNTERS];
    uint32_t now[INLIER_COUNTERS];
    inlier_read(now);
    printf("%s:", step);
    for (int i = 0; i < INLIER_COUNTERS; i++) {
        if (now[i] != last[i])
            printf(" %s=%u", names[i], now[i] - last[i]);
        last[i] = now[i];
    }
    printf("\n");
}

static struct udp_pcb *socket;

static void say(int a, int b, int c, int d) {
    ip_addr_t to;
    IP_ADDR4(&to, a, b, c, d);
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, 4, PBUF_RAM);
    memcpy(p->payload, "ring", 4);
    udp_sendto(socket, p, &to, 53);
    pbuf_free(p);
}

static void add(struct netif *netif, int network, netif_init_fn init) {
    ip4_addr_t own, mask, router;
    IP4_ADDR(&own, 10, 0, network, 5);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&router, 10, 0, network, 1);
    netif_add(netif, &own, &mask, &router, NULL, init, tcpip_input);
    netif_set_up(netif);
}

int main(void) {
    static struct netif first, second, bare;
    tcpip_init(NULL, NULL);
    LOCK_TCPIP_CORE();
    socket = udp_new();
    add(&first, 1, driver);
    netif_set_default(&first);
    said("added");
    say(10, 0, 1, 5);
    said("to itself");
    say(10, 0, 1, 255);
    said("to all");
    say(10, 0, 1, 9);
    said("asks who has the address");
    netif_remove(&first);
    add(&first, 1, driver);
    said("added again");
    say(10, 0, 1, 255);
    said("to all");
    add(&second, 2, driver);
    said("added another");
    say(10, 0, 2, 255);
    said("to all");
    add(&bare, 3, driver_without_ethernet);
    said("added one without Ethernet");
    say(10, 0, 3, 9);
    said("over that one");
    UNLOCK_TCPIP_CORE();
    return 0;
}
