/* The experiment's four sets, and what all generators draw with. */
#include <math.h>

#include "base/philox.h"
#include "data/dino.h"
#include "data/generator.h"

static const double pi = 3.14159265358979323846;

void dd_source_block(const dd_source *s, uint32_t i, uint32_t j, uint32_t word[4])
{
    dd_philox(s->seed, DD_DRAW_DATA, s->stream, 4 * (uint64_t)i + j, word);
}

void dd_source_normal2(const uint32_t word[4], double out[2])
{
    double radius = sqrt(-2. * log(dd_uniform53(word[0], word[1])));
    double angle = 2. * pi * dd_uniform53(word[2], word[3]);
    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

/* Uniform on [-2, 2] x [-4, 4]. Block 0: words 0, 1 x; 2, 3 y. */
void dd_generate_line(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    xy[0] = 4. * (dd_uniform53(w[0], w[1]) - .5);
    xy[1] = 8. * (dd_uniform53(w[2], w[3]) - .5);
}

/* 16 blobs on a ring of radius 3 and one at the origin, each a disc of radius .09 with density 1/r:
 * a 5 x 5 lattice of uniforms rounded to tenths is projected onto the unit circle. Rounding is to even,
 * as NumPy's. Block 0: words 0, 1 u; 2, 3 v. Block 1: words 0, 1 angle; 2, 3 radius. */
void dd_generate_circle(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    double x = 2. * (rint((dd_uniform53(w[0], w[1]) - .5) / 2. * 10.) / 10.);
    double y = 2. * (rint((dd_uniform53(w[2], w[3]) - .5) / 2. * 10.) / 10.);
    double length = sqrt(x * x + y * y) + 1e-10;
    dd_source_block(s, i, 1, w);
    double angle = 2. * pi * dd_uniform53(w[0], w[1]), radius = .03 * dd_uniform53(w[2], w[3]);
    xy[0] = 3. * (x / length + radius * cos(angle));
    xy[1] = 3. * (y / length + radius * sin(angle));
}

/* Two interleaved half circles at evenly spaced angles 0..pi, the first half of the points on the outer
 * one, plus N(0, .03^2), then x -> 2 (x + .3) - 1, y -> 3 (y + .3) - 1. Block 0: the two normals. */
void dd_generate_moons(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t outer = s->n / 2, inner = s->n - outer, w[4];
    double noise[2];
    dd_source_block(s, i, 0, w);
    dd_source_normal2(w, noise);
    uint32_t place = i < outer ? i : i - outer, count = i < outer ? outer : inner;
    double angle = count > 1 ? pi * place / (count - 1) : 0.;
    double x = i < outer ? cos(angle) : 1. - cos(angle);
    double y = i < outer ? sin(angle) : 1. - sin(angle) - .5;
    xy[0] = 2. * (x + .03 * noise[0] + .3) - 1.;
    xy[1] = 3. * (y + .03 * noise[1] + .3) - 1.;
}

/* One of the Datasaurus' 142 points plus N(0, .15^2), then x -> 4 (x / 54 - 1), y -> 4 (y / 48 - 1).
 * Block 0: word 0 the point. Block 1: the two normals. */
void dd_generate_dino(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    double noise[2];
    dd_source_block(s, i, 0, w);
    const double *point = dd_dino[dd_below(w[0], DD_DINO_POINTS)];
    dd_source_block(s, i, 1, w);
    dd_source_normal2(w, noise);
    xy[0] = 4. * ((point[0] + .15 * noise[0]) / 54. - 1.);
    xy[1] = 4. * ((point[1] + .15 * noise[1]) / 48. - 1.);
}
