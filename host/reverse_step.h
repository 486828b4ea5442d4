/* One step of ancestral sampling (schedule.h), as every sampler on the host takes it. */
#ifndef DD_REVERSE_STEP_H
#define DD_REVERSE_STEP_H

#include "philox.h"
#include "schedule.h"

/* x (2) of sample `sample` at timestep t becomes that at t - 1, with the predicted `noise` (2) and the seed's normals.
 */
static inline void dd_reverse_step(const dd_schedule *s, int t, uint64_t seed, uint32_t sample, const float noise[2],
                                   float x[2])
{
    float z[2] = {0.f, 0.f};
    if (t)
        dd_draw_normals(seed, DD_DRAW_SAMPLE, (uint32_t)t, sample, z);
    for (int c = 0; c < 2; c++)
        x[c] = s->keep[t] * x[c] - s->remove[t] * noise[c] + s->sigma[t] * z[c];
}

#endif
