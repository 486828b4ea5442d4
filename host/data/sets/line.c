#include "base/philox.h"
#include "data/generator.h"

static const double none[2] = {0., 0.};

/* Uniform on [-2, 2] x [-4, 4]. Block 0: words 0, 1 x; 2, 3 y. */
static void make(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    xy[0] = 4. * (dd_uniform53(w[0], w[1]) - .5);
    xy[1] = 8. * (dd_uniform53(w[2], w[3]) - .5);
}

static void build(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
    dd_build_box(b, none, (double[]){2., 4.}, 1.);
}

const dd_generator_info dd_set_line = {
    .name = "line",
    .kind = DD_KIND_EXPERIMENT,
    .what = "uniform on a rectangle of 4 x 8",
    .make = make,
    .build = build,
};
