/* Scores windows.h by model.h and prints a row of integers a window: on this machine, or on an emulated micro:bit, whose
   UART it writes to. */

#include "model.h"
#include "windows.h"

#ifdef __arm__
#define REG(address) (*(volatile uint32_t *)(address))
static void put_char(char c) {
    REG(0x4000251C) = (uint32_t)c;
}
#else
#include <stdio.h>
static void put_char(char c) {
    putchar(c);
}
#endif

static void put(int32_t value, char end) {
    char digits[12];
    int n = 0;
    if (value < 0) {
        put_char('-');
        value = -value;
    }
    do
        digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n)
        put_char(digits[--n]);
    put_char(end);
}

static struct inlier device;

int main(void) {
    int i, w;
    inlier_start(&device);
    for (w = 0; w < WINDOWS; w++) {
        int32_t f = 0, x = 0, y = 0;
        inlier_step(&device, windows + w * INLIER_COUNTERS);
        for (i = 0; i < INLIER_FEATURES; i++) {
            f += device.f[i];
            x += device.x[i];
            y += device.y[i];
        }
        put(device.ae, ' ');
        put(device.score, ' ');
        put(device.quiet_score, ' ');
        put(device.event, ' ');
        put(device.gone, ' ');
        put(inlier_leading(&device), ' ');
        put(f, ' ');
        put(x, ' ');
        put(y, '\n');
    }
    return 0;
}

#ifdef __arm__
void reset(void);
void reset(void) {
    REG(0x40002500) = 4; /* the UART: enable, start sending */
    REG(0x40002008) = 1;
    main();
    for (;;) {
    }
}

extern uint32_t _stack;
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*start)(void);
} vectors = {&_stack, reset};
#endif
