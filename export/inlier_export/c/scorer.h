/* A window of counters in, a verdict out, by the integers of inlier's runtime and of its NumPy reference: see
   docs/model_file.md, "What is computed". C99, no heap, no floats, no library. All is static: a translation unit holds one
   model, and what it does not call costs nothing. */

#if defined(__GNUC__)
#define INLIER_API static __attribute__((unused))
#else
#define INLIER_API static
#endif

/* One device. After each step: f, log features; x and y, the autoencoder's inputs + 128 and their reconstruction; ae, its
   squared error; score, of both detectors; quiet_score; event and gone, which say what the step changed. */
struct inlier {
    int32_t sums[INLIER_FEATURES];
    int16_t f[INLIER_FEATURES];
    uint8_t x[INLIER_FEATURES], layer[2][INLIER_WIDEST];
    const uint8_t *y;
    int32_t ae, score, quiet_score;
    int8_t event, gone;
    uint8_t active, quiet; /* an alarm is on; the device has gone quiet */
    /* the alarm's and the silence's own */
    uint8_t grades[INLIER_LONGEST], counts[INLIER_HORIZONS], at;
    uint8_t told[INLIER_TOLD_MAX], n_told, calm, run;
    uint16_t hold;
    int32_t since, peak;
};

/* Before the first window, and after a reboot. */
INLIER_API void inlier_start(struct inlier *s) {
    int i;
    for (i = 0; i < INLIER_FEATURES; i++)
        s->sums[i] = inlier_features[i].start;
    for (i = 0; i < INLIER_LONGEST; i++)
        s->grades[i] = 0;
    for (i = 0; i < INLIER_HORIZONS; i++)
        s->counts[i] = 0;
    s->y = s->x;
    s->ae = s->score = s->quiet_score = s->since = s->peak = 0;
    s->event = s->gone = 0;
    s->active = s->quiet = s->at = s->n_told = s->calm = s->run = 0;
    s->hold = INLIER_WARMUP;
}

/* What a shift to the right of a negative number gives is up to the compiler in C99; here it rounds down. */
static int32_t inlier_right(int32_t value, int by) {
    return value < 0 ? ~(~value >> by) : value >> by;
}

static void inlier_log_features(struct inlier *s, const uint32_t deltas[INLIER_COUNTERS]) {
    int c, kind, i = 0;
    for (c = 0; c < INLIER_COUNTERS; c++) {
        int32_t delta = deltas[c] < INLIER_DELTA_MAX ? (int32_t)deltas[c] : INLIER_DELTA_MAX, level, full;
        int right = inlier_right_shift[c], cap = inlier_cap[c];
        if (right >= 0)
            level = delta >> right;
        else if (delta > INLIER_LEVEL_MAX >> -right)
            level = INLIER_LEVEL_MAX;
        else
            level = delta * ((int32_t)1 << -right);
        if (level > INLIER_LEVEL_MAX)
            level = INLIER_LEVEL_MAX;
        full = delta < (int32_t)1 << cap ? delta : (int32_t)1 << cap;
        full = cap > INLIER_FULL_BITS ? full >> (cap - INLIER_FULL_BITS) : full << (INLIER_FULL_BITS - cap);
        for (kind = 0; kind < INLIER_KINDS; kind++, i++) {
            const struct inlier_feature *p = &inlier_features[i];
            int32_t v, q, f = -16;
            s->sums[i] += (kind < INLIER_MEANS ? level : full) - (s->sums[i] >> inlier_decay[kind]);
            for (v = (s->sums[i] >> inlier_out[kind]) + 256; v > 511; v >>= 1)
                f += 16;
            s->f[i] = (int16_t)(f + (v >> 4));
            q = inlier_right(s->f[i] - p->offset, p->input_shift);
            s->x[i] = (uint8_t)((q > 127 ? 127 : q < -128 ? -128 : q) + 128);
        }
    }
}

static void inlier_autoencoder(struct inlier *s) {
    int n, row, col, i;
    s->y = s->x;
    for (n = 0; n < INLIER_LAYERS; n++) {
        const struct inlier_layer *layer = &inlier_layers[n];
        uint8_t *out = s->layer[n & 1];
        const int8_t *w = layer->weights;
        for (row = 0; row < layer->rows; row++) {
            int32_t acc = layer->bias[row];
            for (col = 0; col < layer->cols; col++)
                acc += *w++ * s->y[col];
            acc = inlier_right(acc, layer->shift[row]);
            out[row] = (uint8_t)(acc < 0 ? 0 : acc > 255 ? 255 : acc);
        }
        s->y = out;
    }
    s->ae = 0;
    for (i = 0; i < INLIER_FEATURES; i++) {
        int32_t error = s->x[i] - s->y[i];
        s->ae += error * error;
    }
}

static int32_t inlier_below(const struct inlier *s, int i) {
    const struct inlier_feature *p = &inlier_features[i];
    return s->f[i] < p->low ? p->under * (p->low - s->f[i]) : 0;
}

/* Feature i's part of the score; it belongs to counter i / INLIER_KINDS. */
INLIER_API int32_t inlier_part(const struct inlier *s, int i) {
    const struct inlier_feature *p = &inlier_features[i];
    int32_t part = s->f[i] > p->high ? p->over * (s->f[i] - p->high) : 0;
    int32_t away = s->f[i] - p->offset - p->far;
    if (s->y[i] > 128)
        away -= (s->y[i] - 128) * (1 << p->input_shift);
    if (away > 0)
        part += p->beyond * away;
    return INLIER_BY_ROWS ? part + inlier_below(s, i) : part;
}

/* The counter that contributed most to the last window: inlier_counters[] has its name. */
INLIER_API int inlier_leading(const struct inlier *s) {
    int i, best = 0;
    int32_t most = 0, part = 0;
    for (i = 0; i < INLIER_FEATURES; i++) {
        part += inlier_part(s, i);
        if (i % INLIER_KINDS == INLIER_KINDS - 1) {
            if (part > most) {
                best = i / INLIER_KINDS;
                most = part;
            }
            part = 0;
        }
    }
    return best;
}

/* Whether a horizon has k of its last n. */
static int inlier_horizons_step(struct inlier *s) {
    int h, reached = 0, grade = 0, least = INLIER_HORIZONS;
    for (h = 0; h < INLIER_HORIZONS; h++)
        grade += s->score > inlier_horizon[h].threshold;
    for (h = 0; h < INLIER_HORIZONS; h++, least--) {
        const struct inlier_k_of_n *horizon = &inlier_horizon[h];
        int leaves = s->at - horizon->n;
        s->counts[h] -= s->grades[leaves < 0 ? leaves + INLIER_LONGEST : leaves] >= least;
        s->counts[h] += grade >= least;
        reached |= s->counts[h] >= horizon->k;
    }
    s->grades[s->at] = (uint8_t)grade;
    s->at = (uint8_t)(s->at + 1 == INLIER_LONGEST ? 0 : s->at + 1);
    return reached;
}

static int inlier_joined(const struct inlier *s) {
    int i, lead;
    if (s->n_told == INLIER_TOLD_MAX)
        return 0;
    lead = inlier_leading(s) & 0xFF;
    for (i = 0; i < s->n_told; i++)
        if (s->told[i] == lead)
            return 0;
    return 1;
}

static void inlier_tell(struct inlier *s) {
    s->since = 0;
    s->peak = s->score > 1 ? s->score : 1;
    if (inlier_joined(s))
        s->told[s->n_told++] = (uint8_t)inlier_leading(s);
}

static int inlier_alarm(struct inlier *s, int also) {
    int reason;
    if (s->hold) {
        s->hold--;
        return 0;
    }
    reason = inlier_horizons_step(s) || also;
    if (!s->active) {
        if (reason) {
            s->active = 1;
            s->calm = s->n_told = 0;
            inlier_tell(s);
        }
        return reason;
    }
    if (!reason) {
        if (++s->calm < INLIER_CLEAR_AFTER)
            return 0;
        s->active = 0;
        s->hold = INLIER_COOLDOWN;
        return -1;
    }
    s->calm = 0;
    if (++s->since < INLIER_TELL_AFTER)
        return 0;
    if (s->score / INLIER_GROWN < s->peak && (s->since % INLIER_TELL_AFTER || !inlier_joined(s)))
        return 0;
    inlier_tell(s);
    return 2;
}

static int inlier_silence(struct inlier *s) {
    if ((s->quiet_score > INLIER_QUIET_THRESHOLD) == s->quiet) {
        s->run = 0;
        return 0;
    }
    if (++s->run < (s->quiet ? INLIER_CLEAR_AFTER : INLIER_QUIET_AFTER))
        return 0;
    s->run = 0;
    s->quiet = !s->quiet;
    return s->quiet ? 1 : -1;
}

/* One window: how often each counter counted in it. Returns event: 1 when it raises the alarm, 2 when one that is on grows, -1
   when it clears it, else 0. gone: 1 when the device has gone quiet, -1 when it is back. */
INLIER_API int inlier_step(struct inlier *s, const uint32_t deltas[INLIER_COUNTERS]) {
    int i;
    inlier_log_features(s, deltas);
    inlier_autoencoder(s);
    s->score = s->quiet_score = 0;
    for (i = 0; i < INLIER_FEATURES; i++) {
        s->score += inlier_part(s, i);
        s->quiet_score += inlier_below(s, i);
    }
    if (!INLIER_BY_ROWS)
        s->gone = (int8_t)inlier_silence(s);
    s->event = (int8_t)inlier_alarm(s, INLIER_BY_ROWS && s->ae > INLIER_AE_THRESHOLD);
    return s->event;
}
