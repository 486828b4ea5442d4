/* One step of sampling (schedule.h), used by every sampler on the host. */
#ifndef DD_REVERSE_STEP_H
#define DD_REVERSE_STEP_H

#include <stdbool.h>

#include "base/philox.h"
#include "model/schedule.h"

/* Move x [dimensions] of sample number `sample` from timestep[i] to timestep[i - 1], with the network's prediction
 * [dimensions] and the seed's normals. */
static inline void dd_reverse_step(const dd_schedule *s, int i, uint64_t seed, uint32_t sample, int dimensions,
                                   const float *prediction, float *x)
{
    float z[DD_MAX_DIMENSIONS];
    bool noisy = s->sigma[i] > 0.f;
    if (noisy)
        dd_draw_normals(seed, DD_DRAW_SAMPLE, (uint32_t)s->timestep[i], sample, dimensions, z);
    for (int c = 0; c < dimensions; c++)
        x[c] = s->keep[i] * x[c] - s->remove[i] * prediction[c] + (noisy ? s->sigma[i] * z[c] : 0.f);
}

#endif
