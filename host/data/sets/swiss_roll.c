#define _GNU_SOURCE /* M_PI */
#include <math.h>
#include <stddef.h>

#include "base/philox.h"
#include "data/generator.h"

static const double sigma[2] = {.1, .1}; /* of the noise, per axis */

/* Angle and 4 x radius from 1.5 pi to 4.5 pi. */
static void roll_at(int only, double u, double xy[2])
{
    double angle = M_PI * (1.5 + 3. * u);
    (void)only;
    xy[0] = angle * cos(angle) / 4.;
    xy[1] = angle * sin(angle) / 4.;
}

/* The section of scikit-learn's make_swiss_roll: places uniform in the angle, a quarter of the size, plus N(0, .1^2).
 * Block 0: words 0, 1 the place. Block 1: the normals. */
static void make(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    roll_at(0, dd_uniform53(w[0], w[1]), xy);
    dd_source_block(s, i, 1, w);
    dd_source_add_noise(w, sigma, xy);
}

static void build(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
    dd_build_curve(b, &(dd_curve){roll_at, 0, NULL, sigma, 1.});
}

const dd_generator_info dd_set_swiss_roll = {
    .name = "swiss_roll",
    .kind = DD_KIND_LITERATURE,
    .what = "one spiral, as scikit-learn's swiss roll from the side",
    .make = make,
    .build = build,
};
