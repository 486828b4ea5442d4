/* One step of sampling (schedule.h), used by every sampler on the host. */
#ifndef DD_REVERSE_STEP_H
#define DD_REVERSE_STEP_H

#include "base/philox.h"
#include "model/schedule.h"

/* Move x (2) of sample number `sample` from timestep[i] to timestep[i - 1], with the network's prediction (2) and the
 * seed's normals. */
static inline void dd_reverse_step(const dd_schedule *s, int i, uint64_t seed, uint32_t sample,
                                   const float prediction[2], float x[2])
{
    float z[2] = {0.f, 0.f};
    if (s->sigma[i] > 0.f)
        dd_draw_normals(seed, DD_DRAW_SAMPLE, (uint32_t)s->timestep[i], sample, z);
    for (int c = 0; c < 2; c++)
        x[c] = s->keep[i] * x[c] - s->remove[i] * prediction[c] + s->sigma[i] * z[c];
}

#endif
