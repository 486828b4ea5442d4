#define _GNU_SOURCE /* M_PI */
#include <math.h>

#include "base/philox.h"
#include "data/generator.h"

enum { SPIRALS = 2 };
static const double sigma[2] = {.1, .1}; /* of the noise, per axis */

/* One and a half turns, from the origin to a radius of pi. */
static void spiral_at(int spiral, double u, double xy[2])
{
    double sign = spiral ? -1. : 1., angle = 3. * M_PI * u;
    xy[0] = -sign * angle * cos(angle) / 3.;
    xy[1] = sign * angle * sin(angle) / 3.;
}

/* Two spirals, each the other turned by half a turn, at places u with density 2 u, plus N(0, .1^2) (FFJORD, without its
 * offset). Block 0: words 0, 1 the place; 2 the spiral. Block 1: the normals. */
static void make(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    spiral_at((int)dd_below(w[2], SPIRALS), sqrt(dd_uniform53(w[0], w[1])), xy);
    dd_source_block(s, i, 1, w);
    dd_source_add_noise(w, sigma, xy);
}

static double spiral_density(double u)
{
    return 2. * u;
}

static void build(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
    for (int i = 0; i < SPIRALS; i++)
        dd_build_curve(b, &(dd_curve){spiral_at, i, spiral_density, sigma, 1. / SPIRALS});
}

const dd_generator_info dd_set_two_spirals = {
    .name = "two_spirals",
    .kind = DD_KIND_LITERATURE,
    .what = "two spirals, one inside the other",
    .make = make,
    .build = build,
};
