/* The numbers of one training step as functions of the step's number: which rows, which learning rate, how the moving
 * average is updated. Host and device use the same functions.
 */
#ifndef DD_RECIPE_H
#define DD_RECIPE_H

#include <math.h>
#include <stdint.h>

#include "base/host_device.h"
#include "config/config.h"

/* Batch number `batch` when passes over n points are divided into batches of `size` points. */
typedef struct dd_batch {
    uint32_t epoch; /* passes before this one */
    uint32_t first; /* position of its first row in the epoch's permutation */
    uint32_t rows;  /* size, or fewer in the last batch of an epoch */
} dd_batch;

static inline DD_HOST_DEVICE uint32_t dd_batches(uint32_t n, uint32_t size)
{
    return n / size + (n % size != 0);
}

static inline DD_HOST_DEVICE dd_batch dd_batch_of_step(uint32_t step, uint32_t n, uint32_t size)
{
    uint32_t batches = dd_batches(n, size);
    dd_batch b = {step / batches, step % batches * size, size};
    if (b.first + size > n)
        b.rows = n - b.first;
    return b;
}

/* Learning rate used at `step`: cosine from `base` at 0 to 0 at `steps`. */
static inline double dd_learning_rate(double base, int step, int steps)
{
    return .5 * base * (1. + cos(M_PI * step / steps));
}

/* The weight of the diversity loss at `step`, as a fraction of its weight at step 0. */
static inline double dd_diversity_share(const dd_training_config *t, int step)
{
    return t->diversity_course == DD_COSINE ? dd_learning_rate(1., step, t->steps) : 1.;
}

/* The factor `f` in ema += f * (online - ema) after the optimiser's update of `step`; 0: no update
 * then, 1: a copy. Decay = clamp(1 - (1 + n)^-power, 0, ema_decay) with n steps since ema_start (the
 * warm-up of github.com/lucidrains/ema-pytorch); the first update after ema_start copies. */
static inline double dd_ema_factor(const dd_training_config *t, int step)
{
    if (step % t->ema_every)
        return 0.;
    if (step - t->ema_every <= t->ema_start)
        return 1.;
    double decay = 1. - pow(1. + (step - t->ema_start), -t->ema_power);
    return 1. - fmin(fmax(decay, 0.), t->ema_decay);
}

#endif
