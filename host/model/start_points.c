#include "model/start_points.h"

#include <stdlib.h>

#include "base/philox.h"
#include "model/noised_point.h"

void dd_draw_start(const dd_schedule *s, const dd_points *points, uint64_t seed, uint32_t n, float *start)
{
    uint32_t word[4];
    size_t dimensions = (size_t)points->columns.count;
    for (uint32_t i = 0; i < n; i++) {
        dd_philox(seed, DD_DRAW_SAMPLE, (uint32_t)s->timesteps, i, word);
        dd_noise_point(s, s->timesteps - 1, seed, DD_DRAW_SAMPLE, (uint32_t)s->timesteps, i, (int)dimensions,
                       points->x + dimensions * dd_below(word[2], points->n), start + dimensions * i, NULL);
    }
}

dd_status dd_start_create(const dd_schedule *s, const dd_points *points, uint64_t seed, uint32_t n, float **start)
{
    *start = malloc((size_t)points->columns.count * n * sizeof **start);
    if (!*start)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %u points", n);
    dd_draw_start(s, points, seed, n, *start);
    return DD_OK;
}
