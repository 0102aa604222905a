/* What firmware/lwip uses of lwIP, as MicroPython's rp2 configures it: enough to
   count instructions on a bare core. The tests build it with lwIP itself. */
#ifndef LWIP_PBUF_H
#define LWIP_PBUF_H
#include <stddef.h>
#include <stdint.h>
#define ETH_PAD_SIZE 0
struct pbuf {
    struct pbuf *next;
    void *payload;
    uint16_t tot_len, len;
};
#endif
