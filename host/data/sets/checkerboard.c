#include "base/philox.h"

#include <stdbool.h>

#include "data/generator.h"

enum { SQUARES = 8 };

static void corner_of(int square, double xy[2])
{
    int column = square / 2;
    xy[0] = 2. * column - 4.;
    xy[1] = 2. * (2 * (square % 2) + column % 2) - 4.;
}

/* Uniform on the eight squares of one colour of a 4 x 4 board over [-4, 4]^2 (Grathwohl et al., "FFJORD", ICLR 2019).
 * Block 0: word 0 the square. Block 1: words 0, 1 x; 2, 3 y. */
static void make(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    corner_of((int)dd_below(w[0], SQUARES), xy);
    dd_source_block(s, i, 1, w);
    xy[0] += 2. * dd_uniform53(w[0], w[1]);
    xy[1] += 2. * dd_uniform53(w[2], w[3]);
}

static void build(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
    for (int i = 0; i < SQUARES; i++) {
        double corner[2];
        corner_of(i, corner);
        dd_build_box(b, (double[]){corner[0] + 1., corner[1] + 1.}, (double[]){1., 1.}, 1. / SQUARES);
    }
}

const dd_generator_info dd_set_checkerboard = {
    .name = "checkerboard",
    .kind = DD_KIND_LITERATURE,
    .what = "uniform on every second square of a 4 x 4 board",
    .make = make,
    .build = build,
    .countable = true,
};
