#define _GNU_SOURCE /* M_PI */
#include <math.h>
#include <stdbool.h>

#include "base/philox.h"
#include "data/generator.h"

enum { MODES = 8 };
static const double sigma[2] = {.03, .03}; /* of the noise, per axis */

static void centre_of(int mode, double xy[2])
{
    xy[0] = 3. * cos(M_PI / 4. * mode);
    xy[1] = 3. * sin(M_PI / 4. * mode);
}

/* Eight Gaussians on a ring of radius 3, sd .03: the ring of Metz, Poole, Pfau & Sohl-Dickstein, "Unrolled generative
 * adversarial networks" (ICLR 2017; radius 2, sd .02), times 1.5. Block 0: word 0 the mode. Block 1: the normals. */
static void make(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    centre_of((int)dd_below(w[0], MODES), xy);
    dd_source_block(s, i, 1, w);
    dd_source_add_noise(w, sigma, xy);
}

static void build(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
    for (int i = 0; i < MODES; i++) {
        double centre[2];
        centre_of(i, centre);
        dd_build_gaussian(b, centre, sigma, 1. / MODES);
    }
}

const dd_generator_info dd_set_eight_gaussians = {
    .name = "eight_gaussians",
    .kind = DD_KIND_LITERATURE,
    .what = "8 Gaussians on a ring",
    .make = make,
    .build = build,
    .countable = true,
};
