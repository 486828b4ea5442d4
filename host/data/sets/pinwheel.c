#define _GNU_SOURCE /* M_PI */
#include <math.h>
#include <stdbool.h>

#include "base/philox.h"
#include "data/generator.h"

enum { ARMS = 5 };
static const double sigma[2] = {.15, .15}; /* of the noise, per axis */

/* Radius .4 to 4, the angle growing by a third of it. */
static void arm_at(int arm, double u, double xy[2])
{
    double radius = .4 + 3.6 * u, angle = 2. * M_PI / 5. * arm + radius / 3.;
    xy[0] = radius * cos(angle);
    xy[1] = radius * sin(angle);
}

/* Five curved arms, after Johnson, Duvenaud, Wiltschko, Datta & Adams, "Composing graphical models with neural
 * networks" (NeurIPS 2016). The place u along an arm is the mean of three uniforms (theirs is normal), so that arms
 * thin out towards both ends and have ends; plus N(0, .15^2). Block 0: word 0 the arm. Block 1: words 0, 1 and 2, 3,
 * block 2: words 0, 1 the uniforms. Block 3: the normals. */
static void make(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t arm[4], w[4], v[4];
    dd_source_block(s, i, 0, arm);
    dd_source_block(s, i, 1, w);
    dd_source_block(s, i, 2, v);
    double u = (dd_uniform53(w[0], w[1]) + dd_uniform53(w[2], w[3]) + dd_uniform53(v[0], v[1])) / 3.;
    arm_at((int)dd_below(arm[0], ARMS), u, xy);
    dd_source_block(s, i, 3, w);
    dd_source_add_noise(w, sigma, xy);
}

/* The density of the mean of three uniforms, a polynomial on each third. */
static double arm_density(double u)
{
    double sum = 3. * u;
    if (sum < 1.)
        return 1.5 * sum * sum;
    if (sum < 2.)
        return 1.5 * (-2. * sum * sum + 6. * sum - 3.);
    return 1.5 * (3. - sum) * (3. - sum);
}

static void build(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
    for (int i = 0; i < ARMS; i++)
        dd_build_curve(b, &(dd_curve){arm_at, i, arm_density, sigma, 1. / ARMS});
}

const dd_generator_info dd_set_pinwheel = {
    .name = "pinwheel",
    .kind = DD_KIND_LITERATURE,
    .what = "5 curved arms around a centre",
    .make = make,
    .build = build,
    .countable = true,
};
