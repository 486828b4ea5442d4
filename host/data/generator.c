#define _GNU_SOURCE /* M_PI */
#include "data/generator.h"

#include <math.h>

#include "base/philox.h"

void dd_source_block(const dd_source *s, uint32_t i, uint32_t j, uint32_t word[4])
{
    dd_philox(s->seed, DD_DRAW_DATA, s->stream + DD_STREAMS * (j / 4), 4 * (uint64_t)i + j % 4, word);
}

void dd_source_normal2(const uint32_t word[4], double out[2])
{
    double radius = sqrt(-2. * log(dd_uniform53(word[0], word[1])));
    double angle = 2. * M_PI * dd_uniform53(word[2], word[3]);
    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

void dd_source_normals(const dd_source *s, uint32_t i, uint32_t j, int count, double *normal)
{
    for (int c = 0; c < count; c += 2) {
        uint32_t word[4];
        double pair[2];
        dd_source_block(s, i, j + (uint32_t)c / 2, word);
        dd_source_normal2(word, pair);
        normal[c] = pair[0];
        if (c + 1 < count)
            normal[c + 1] = pair[1];
    }
}

void dd_source_add_noise(const uint32_t word[4], const double sigma[2], double xy[2])
{
    double noise[2];
    dd_source_normal2(word, noise);
    xy[0] += sigma[0] * noise[0];
    xy[1] += sigma[1] * noise[1];
}
