/* How a point of a batch is noised: in training, in the passes that evaluate, and where sampling starts from the data.
 */
#ifndef DD_NOISED_POINT_H
#define DD_NOISED_POINT_H

#include "base/philox.h"
#include "model/schedule.h"

/* Noise a point [dimensions] to timestep t with the normals of (purpose, step, index): x [dimensions] and, unless it is
 * NULL, the target of the prediction [dimensions]. */
static inline void dd_noise_point(const dd_schedule *s, int t, uint64_t seed, dd_purpose purpose, uint32_t step,
                                  uint32_t index, int dimensions, const float *point, float *x, float *target)
{
    dd_draw_normals(seed, purpose, step, index, dimensions, x);
    for (int c = 0; c < dimensions; c++) {
        float noise = x[c];
        x[c] = dd_noised(s, t, point[c], noise);
        if (target)
            target[c] = dd_target(s, t, point[c], noise);
    }
}

/* The timestep of row `row` of batch `batch` (of a step, or of an evaluation pass). */
static inline int dd_draw_timestep(const dd_schedule *s, uint64_t seed, dd_purpose purpose, uint32_t batch,
                                   uint32_t row)
{
    uint32_t word[4];
    dd_philox(seed, purpose, batch, row, word);
    return (int)dd_below(word[2], (uint32_t)s->timesteps);
}

/* Row `row` of batch `batch` from its point; the timestep is returned. */
static inline int dd_draw_point(const dd_schedule *s, uint64_t seed, dd_purpose purpose, uint32_t batch, uint32_t row,
                                int dimensions, const float *point, float *x, float *target)
{
    int t = dd_draw_timestep(s, seed, purpose, batch, row);
    dd_noise_point(s, t, seed, purpose, batch, row, dimensions, point, x, target);
    return t;
}

#endif
