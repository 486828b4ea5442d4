#include "base/philox.h"

#include <stdbool.h>

#include "data/generator.h"

enum { MODES = 25 };
static const double sigma[2] = {.05, .05}; /* of the noise, per axis */

static void centre_of(int mode, double xy[2])
{
    xy[0] = 2. * (mode / 5) - 4.;
    xy[1] = 2. * (mode % 5) - 4.;
}

/* Twenty-five Gaussians at {-4, -2, 0, 2, 4}^2, sd .05: the grid of Lin, Khetan, Fanti & Oh, "PacGAN" (NeurIPS 2018).
 * Block 0: word 0 the mode. Block 1: the normals. */
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

const dd_generator_info dd_set_twentyfive_gaussians = {
    .name = "twentyfive_gaussians",
    .kind = DD_KIND_LITERATURE,
    .what = "25 Gaussians on a 5 x 5 grid",
    .make = make,
    .build = build,
    .countable = true,
};
