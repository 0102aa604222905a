/* The same int8 arithmetic as a C programmer would write it by hand, for comparison: plain loops over int8 weights by
   rows. Compiled at -O2 and run in the same emulator; prints the scores, which must be the runtime's, and SysTick's ticks.
   model.h is generated from the benchmark's model by inlier_boards/cost/in_c.py. */

#include <stdint.h>
#include "model.h"

static uint8_t x[FEATURES] = INPUT, buffers[2][WIDEST];
static int16_t logs[FEATURES] = LOGS;
static const uint8_t *reconstruction;

static const uint8_t *dense(const struct layer *layer, const uint8_t *in, uint8_t *out) {
    for (int row = 0; row < layer->rows; row++) {
        const int8_t *w = layer->weights + row * layer->cols;
        int32_t acc = layer->bias[row];
        for (int col = 0; col < layer->cols; col++)
            acc += w[col] * in[col];
        acc >>= layer->shift[row];
        out[row] = acc < 0 ? 0 : acc > 255 ? 255 : acc;
    }
    return out;
}

__attribute__((noinline)) static int32_t autoencoder(void) {
    const uint8_t *y = x;
    for (int i = 0; i < LAYERS; i++)
        y = dense(&layers[i], y, buffers[i & 1]);
    reconstruction = y;
    int32_t score = 0;
    for (int i = 0; i < FEATURES; i++)
        score += (x[i] - y[i]) * (x[i] - y[i]);
    return score;
}

__attribute__((noinline)) static int32_t evidence(void) {
    int32_t score = 0, quiet = 0;
    for (int i = 0; i < FEATURES; i++) {
        const struct feature *p = &features[i];
        int f = logs[i];
        if (f > p->high)
            score += p->over * (f - p->high);
        if (f < p->low)
            quiet += p->under * (p->low - f);
        int back = reconstruction[i] > 128 ? (reconstruction[i] - 128) << p->shift : 0;
        int far = f - p->offset - back - p->far;
        if (far > 0)
            score += p->beyond * far;
    }
    return SIDES == 2 ? score + quiet : score;
}

#define REG(address) (*(volatile uint32_t *)(address))

static void put(uint32_t value, char end) {
    char digits[12];
    int n = 0;
    do
        digits[n++] = '0' + value % 10;
    while (value /= 10);
    while (n)
        REG(0x4000251C) = digits[--n];
    REG(0x4000251C) = end;
}

static uint32_t timed(int32_t (*f)(void), int32_t *score) {
    uint32_t start = REG(0xE000E018);
    for (int i = 0; i < TIMES; i++)
        *score = f();
    return (start - REG(0xE000E018)) & 0xFFFFFF;
}

void reset(void) {
    REG(0x40002500) = 4; /* the UART: enable, start sending */
    REG(0x40002008) = 1;
    REG(0xE000E014) = 0xFFFFFF;
    REG(0xE000E018) = 0;
    REG(0xE000E010) = 5;
    extern uint32_t _data_load, _data, _data_end;
    for (uint32_t *from = &_data_load, *to = &_data; to < &_data_end;)
        *to++ = *from++;
    int32_t ae, outlying;
    uint32_t ae_ticks = timed(autoencoder, &ae), svm_ticks = timed(evidence, &outlying);
    put(ae, ' ');
    put(outlying, ' ');
    put(ae_ticks, ' ');
    put(svm_ticks, '\n');
    for (;;) {
    }
}

extern uint32_t _stack;
__attribute__((section(".vectors"), used)) static const void *const vectors[2] = {&_stack, (void *)reset};
