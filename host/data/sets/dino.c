#include "data/dino.h"

#include <stdbool.h>

#include "base/philox.h"
#include "data/generator.h"

/* One of the Datasaurus' 142 points plus N(0, .15^2), then x -> 4 (x / 54 - 1), y -> 4 (y / 48 - 1).
 * Block 0: word 0 the point. Block 1: the two normals. */
static void make(const dd_source *s, uint32_t i, double xy[2])
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

static void build(dd_truth_builder *b, const dd_shape *drawing)
{
    static const double sigma[2] = {4. * .15 / 54., 4. * .15 / 48.};
    (void)drawing;
    for (int i = 0; i < DD_DINO_POINTS; i++)
        dd_build_gaussian(b, (double[]){4. * (dd_dino[i][0] / 54. - 1.), 4. * (dd_dino[i][1] / 48. - 1.)}, sigma,
                          1. / DD_DINO_POINTS);
}

const dd_generator_info dd_set_dino = {
    .name = "dino",
    .kind = DD_KIND_EXPERIMENT,
    .what = "the Datasaurus: a dinosaur",
    .make = make,
    .build = build,
    .countable = true,
};
