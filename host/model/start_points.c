#include "model/start_points.h"

#include <stdlib.h>

#include "base/philox.h"

void dd_draw_start(const dd_schedule *s, const dd_points *points, uint64_t seed, uint32_t n, float *start)
{
    uint32_t word[4];
    float normal[2];
    for (uint32_t i = 0; i < n; i++) {
        dd_philox(seed, DD_DRAW_SAMPLE, (uint32_t)s->timesteps, i, word);
        dd_normal2(word[0], word[1], normal);
        const float *xy = points->x + 2 * (size_t)dd_below(word[2], points->n);
        for (int c = 0; c < 2; c++)
            start[2 * (size_t)i + (size_t)c] = dd_noised(s, s->timesteps - 1, xy[c], normal[c]);
    }
}

dd_status dd_start_create(const dd_schedule *s, const dd_points *points, uint64_t seed, uint32_t n, float **start)
{
    *start = malloc(2 * (size_t)n * sizeof **start);
    if (!*start)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %u points", n);
    dd_draw_start(s, points, seed, n, *start);
    return DD_OK;
}
