/* Scores the windows of model.h by its model and prints nine integers a window, as uint32: on this machine, or on the bare
   board that MACHINE names. */

#include "model.h"

#ifdef MACHINE
#include "bare.h"
#else
#include <stdio.h>

static void measured(void);

static void put(uint32_t value, char end) {
    printf("%lu%c", (unsigned long)value, end);
}

int main(void) {
    measured();
    return 0;
}
#endif

static struct inlier device;

static void measured(void) {
    int i, w;
    inlier_start(&device);
    for (w = 0; w < WINDOWS; w++) {
        uint32_t f = 0, x = 0, y = 0;
        inlier_step(&device, windows + w * INLIER_COUNTERS);
        for (i = 0; i < INLIER_FEATURES; i++) {
            f += (uint32_t)device.f[i];
            x += device.x[i];
            y += device.y[i];
        }
        put((uint32_t)device.ae, ' ');
        put((uint32_t)device.score, ' ');
        put((uint32_t)device.quiet_score, ' ');
        put((uint32_t)device.event, ' ');
        put((uint32_t)device.gone, ' ');
        put((uint32_t)inlier_leading(&device), ' ');
        put(f, ' ');
        put(x, ' ');
        put(y, w == WINDOWS - 1 ? '\n' : ' ');
    }
}
