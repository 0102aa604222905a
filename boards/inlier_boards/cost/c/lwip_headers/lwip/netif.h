#ifndef LWIP_NETIF_H
#define LWIP_NETIF_H
#include "lwip/pbuf.h"
#define NETIF_FLAG_ETHARP 8
#define NETIF_FLAG_ETHERNET 16
#define ERR_IF (-12)
#define LWIP_NETIF_EXT_STATUS_CALLBACK 0
typedef signed char err_t;
struct netif;
typedef err_t (*netif_input_fn)(struct pbuf *p, struct netif *netif);
typedef err_t (*netif_linkoutput_fn)(struct netif *netif, struct pbuf *p);
struct netif {
    struct netif *next;
    netif_input_fn input;
    netif_linkoutput_fn linkoutput;
    uint8_t hwaddr[6], hwaddr_len, flags;
};
extern struct netif *netif_list;
#define NETIF_FOREACH(netif) for ((netif) = netif_list; (netif) != NULL; (netif) = (netif)->next)
#endif
