#define _GNU_SOURCE /* M_PI */
#include <math.h>
#include <stddef.h>

#include "data/generator.h"

/* Two interleaved half circles at evenly spaced angles 0..pi, the first half of the points on the outer
 * one, plus N(0, .03^2), then x -> 2 (x + .3) - 1, y -> 3 (y + .3) - 1. Block 0: the two normals. */
static void make(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t outer = s->n / 2, inner = s->n - outer, w[4];
    double noise[2];
    dd_source_block(s, i, 0, w);
    dd_source_normal2(w, noise);
    uint32_t place = i < outer ? i : i - outer, count = i < outer ? outer : inner;
    double angle = count > 1 ? M_PI * place / (count - 1) : 0.;
    double x = i < outer ? cos(angle) : 1. - cos(angle);
    double y = i < outer ? sin(angle) : 1. - sin(angle) - .5;
    xy[0] = 2. * (x + .03 * noise[0] + .3) - 1.;
    xy[1] = 3. * (y + .03 * noise[1] + .3) - 1.;
}

static void moon(int inner, double u, double xy[2])
{
    double x = cos(M_PI * u), y = sin(M_PI * u);
    xy[0] = 2. * ((inner ? 1. - x : x) + .3) - 1.;
    xy[1] = 3. * ((inner ? .5 - y : y) + .3) - 1.;
}

static void build(dd_truth_builder *b, const dd_shape *drawing)
{
    static const double sigma[2] = {2. * .03, 3. * .03};
    (void)drawing;
    for (int inner = 0; inner < 2; inner++)
        dd_build_curve(b, &(dd_curve){moon, inner, NULL, sigma, .5});
}

const dd_generator_info dd_set_moons = {
    .name = "moons",
    .kind = DD_KIND_EXPERIMENT,
    .what = "two half circles that interlock",
    .make = make,
    .build = build,
};
