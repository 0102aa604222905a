/* QEMU's boards with a CMSDK UART: mps2-an385. */

#include "cortex_m.h"

#ifndef UART
#define UART 0x40004000
#endif

static void put_char(char c) {
    while (REG(UART + 4) & 1) {
    }
    REG(UART) = c;
}

static void start_up(void) {
    REG(UART + 16) = 16; /* a rate, enable sending */
    REG(UART + 8) = 1;
    start_systick();
}
