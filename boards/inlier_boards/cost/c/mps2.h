/* QEMU's mps2-an385 and mps2-an386. */

#include "cortex_m.h"

static void put_char(char c) {
    while (REG(0x40004004) & 1) {
    }
    REG(0x40004000) = c;
}

static void start_up(void) {
    REG(0x40004010) = 16; /* the UART: a rate, enable sending */
    REG(0x40004008) = 1;
    start_systick();
}
