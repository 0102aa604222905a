/* What firmware/lwip takes a packet: frames through an interface's functions,
   hooked and not. Prints the difference in SysTick's ticks of TIMES of each,
   in the order of the frames that packets.py wrote into frames.h. */
#include "bare.h"
#include "frames.h"
#include "hook.h"
#include "lwip/netif.h"
#include "lwip/sys.h"

static err_t driver_input(struct pbuf *p, struct netif *netif) {
    (void)p, (void)netif;
    return 0;
}

static err_t driver_output(struct netif *netif, struct pbuf *p) {
    (void)p, (void)netif;
    return 0;
}

static struct netif interface = {
    .input = driver_input, .linkoutput = driver_output, .hwaddr = OWN, .flags = NETIF_FLAG_ETHARP,
};
struct netif *netif_list = &interface;

uint32_t sys_now(void) {
    return 0;
}

static uint32_t timed(struct pbuf *p, int out) {
    uint32_t start = ticks();
    for (int i = 0; i < TIMES; i++) {
        if (out)
            interface.linkoutput(&interface, p);
        else
            interface.input(p, &interface);
    }
    return (ticks() - start) & 0xFFFFFF;
}

static void measured(void) {
    static uint32_t bare[FRAMES];
    for (int hooked = 0; hooked < 2; hooked++) {
        for (int i = 0; i < FRAMES; i++) {
            struct pbuf p = {NULL, (void *)frames[i].data, frames[i].length, frames[i].length};
            uint32_t took = timed(&p, frames[i].out);
            if (hooked)
                put(took - bare[i], i == FRAMES - 1 ? '\n' : ' ');
            bare[i] = took;
        }
        uint32_t totals[INLIER_COUNTERS];
        inlier_read(totals);
    }
}
