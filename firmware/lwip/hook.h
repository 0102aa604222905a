/* Counts what passes lwIP's interfaces: Ethernet's and Wi-Fi's, not loopback
   and PPP, whose packets have no Ethernet header. */
#ifndef INLIER_HOOK_H
#define INLIER_HOOK_H

#include <stdint.h>

#include "counters.h"

/* End a window: totals since boot. */
void inlier_read(uint32_t totals[INLIER_COUNTERS]);

#endif
