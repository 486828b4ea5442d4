#define _GNU_SOURCE /* M_PI */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/philox.h"
#include "data/generator.h"

/* 16 blobs on a ring of radius 3 and one at the origin, each a disc of radius .09 with density 1/r:
 * a 5 x 5 lattice of uniforms rounded to tenths is projected onto the unit circle. Rounding is to even,
 * as NumPy's. Block 0: words 0, 1 u; 2, 3 v. Block 1: words 0, 1 angle; 2, 3 radius. */
static void make(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    double x = 2. * (rint((dd_uniform53(w[0], w[1]) - .5) / 2. * 10.) / 10.);
    double y = 2. * (rint((dd_uniform53(w[2], w[3]) - .5) / 2. * 10.) / 10.);
    double length = sqrt(x * x + y * y) + 1e-10;
    dd_source_block(s, i, 1, w);
    double angle = 2. * M_PI * dd_uniform53(w[0], w[1]), radius = .03 * dd_uniform53(w[2], w[3]);
    xy[0] = 3. * (x / length + radius * cos(angle));
    xy[1] = 3. * (y / length + radius * sin(angle));
}

static void build(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
    /* The 25 points of the lattice, by direction: (i, j) and its multiple fall together. */
    for (int i = -2; i <= 2; i++)
        for (int j = -2; j <= 2; j++) {
            int doubled = abs(i) <= 1 && abs(j) <= 1 && (i || j), multiple = !(i % 2 || j % 2) && (i || j);
            double length = hypot(i, j) + !(i || j);
            if (!multiple)
                dd_build_disc(b, (double[]){3. * i / length, 3. * j / length}, .09, doubled ? 2. / 25. : 1. / 25.);
        }
}

const dd_generator_info dd_set_circle = {
    .name = "circle",
    .kind = DD_KIND_EXPERIMENT,
    .what = "16 small discs on a ring and one at its centre",
    .make = make,
    .build = build,
    .countable = true,
};
