/* The same int8 arithmetic in plain C, for comparison: as a C programmer would write it by hand, with int8 weights by
   rows, and in the model file's layout, four rows interleaved. Run in the same emulator as the runtime; prints the scores,
   which must be the runtime's, and the timer's ticks of TIMES calls each. model.h is generated from the benchmark's model by
   inlier_boards/cost/in_c.py. */

#include "bare.h"
#include "model.h"

static uint8_t x[FEATURES] = INPUT, buffers[2][WIDEST];
static int16_t logs[FEATURES] = LOGS;
static const uint8_t *reconstruction;

static int32_t distance(const uint8_t *y) {
    reconstruction = y;
    int32_t score = 0;
    for (int i = 0; i < FEATURES; i++)
        score += (x[i] - y[i]) * (x[i] - y[i]);
    return score;
}

static uint8_t requantised(int32_t acc, uint8_t shift) {
    acc >>= shift;
    return acc < 0 ? 0 : acc > 255 ? 255 : acc;
}

static const uint8_t *dense(const struct layer *layer, const uint8_t *in, uint8_t *out) {
    for (int row = 0; row < layer->rows; row++) {
        const int8_t *w = layer->weights + row * layer->cols;
        int32_t acc = layer->bias[row];
        for (int col = 0; col < layer->cols; col++)
            acc += w[col] * in[col];
        out[row] = requantised(acc, layer->shift[row]);
    }
    return out;
}

__attribute__((noipa)) static int32_t as_written(void) {
    const uint8_t *y = x;
    for (int i = 0; i < LAYERS; i++)
        y = dense(&layers[i], y, buffers[i & 1]);
    return distance(y);
}

static const uint8_t *dense_by_four(const struct layer *layer, const uint8_t *in, uint8_t *out) {
    const uint8_t *w = layer->by_four;
    int32_t total = 0;
    for (int col = 0; col < layer->cols; col++)
        total += in[col];
    total <<= 7; /* the weights have an offset of 128 */
    for (int row = 0; row < layer->rows; row += 4) {
        const int32_t *bias = layer->bias + row;
        const uint8_t *shift = layer->shift + row;
        int32_t a = bias[0] - total, b = bias[1] - total, c = bias[2] - total, d = bias[3] - total;
        for (int col = 0; col < layer->cols; col++, w += 4) {
            int32_t input = in[col];
            a += w[0] * input;
            b += w[1] * input;
            c += w[2] * input;
            d += w[3] * input;
        }
        out[row] = requantised(a, shift[0]);
        out[row + 1] = requantised(b, shift[1]);
        out[row + 2] = requantised(c, shift[2]);
        out[row + 3] = requantised(d, shift[3]);
    }
    return out;
}

__attribute__((noipa)) static int32_t same_layout(void) {
    const uint8_t *y = x;
    for (int i = 0; i < LAYERS; i++)
        y = dense_by_four(&layers[i], y, buffers[i & 1]);
    return distance(y);
}

__attribute__((noipa)) static int32_t evidence(void) {
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

#ifdef CMSIS_NN
#include "arm_nnfunctions.h"

/* The same layers by the library, whose requantisation rounds otherwise: for its cost alone. */
__attribute__((noipa)) static int32_t cmsis_nn(void) {
    const cmsis_nn_context none = {0, 0};
    const cmsis_nn_fc_params range = {.input_offset = 128, .output_offset = -128, .activation = {-128, 127}};
    const cmsis_nn_per_tensor_quant_params scale = {1 << 30, -8};
    const int8_t *y = (const int8_t *)x;
    for (int i = 0; i < LAYERS; i++) {
        const struct layer *layer = &layers[i];
        int8_t *out = (int8_t *)buffers[i & 1];
        const cmsis_nn_dims in_dims = {1, 1, 1, layer->cols}, filter = {layer->cols, 1, 1, layer->rows},
                            bias = {1, 1, 1, layer->rows}, out_dims = {1, 1, 1, layer->rows};
        arm_fully_connected_s8(&none, &range, &scale, &in_dims, y, &filter, layer->weights, &bias, layer->bias,
                               &out_dims, out);
        y = out;
    }
    return distance((const uint8_t *)y);
}
#endif

/* Whatever the optimiser: noipa keeps it from seeing that calls repeat, and what is scored might be another each time. */
static uint32_t timed(int32_t (*f)(void), int32_t *score) {
    uint32_t start = ticks();
    for (int i = 0; i < TIMES; i++) {
        __asm__ volatile("" : : "r"(x), "r"(logs), "r"(buffers) : "memory");
        *score = f();
    }
    return (ticks() - start) & 0xFFFFFF;
}

static void measured(void) {
    int32_t written, by_four, outlying;
    uint32_t written_ticks = timed(as_written, &written), by_four_ticks = timed(same_layout, &by_four),
             svm_ticks = timed(evidence, &outlying);
    put(written, ' ');
    put(by_four, ' ');
    put(outlying, ' ');
    put(written_ticks, ' ');
    put(by_four_ticks, ' ');
#ifdef CMSIS_NN
    int32_t unlike;
    put(svm_ticks, ' ');
    put(timed(cmsis_nn, &unlike), '\n');
#else
    put(svm_ticks, '\n');
#endif
}
