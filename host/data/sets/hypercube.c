#include <stddef.h>
#include <stdint.h>

#include "data/generator.h"

enum { MOST_SIDES = 12 };
static const double sigma = .1;

_Static_assert(1 << MOST_SIDES == DD_MOST_MODES, "data.modes cannot name every number of corners");

static int sides_of(int modes)
{
    int sides = 0;
    while (1 << sides < modes)
        sides++;
    return sides;
}

static dd_status complete(dd_data_config *data)
{
    int sides = data->dimensions < MOST_SIDES ? data->dimensions : MOST_SIDES;
    if (data->rank)
        return dd_fail(DD_ERR_CONFIG, "data.rank = %d: hypercube has no rank; use 0, or the set subspaces", data->rank);
    if (!data->modes)
        data->modes = 1 << sides;
    if (data->modes > 1 << sides || 1 << sides_of(data->modes) != data->modes)
        return dd_fail(DD_ERR_CONFIG,
                       "data.modes = %d: hypercube has 2^m corners, m at most %d for data.dimensions = %d", data->modes,
                       sides, data->dimensions);
    return DD_OK;
}

/* The first m of D coordinates are +-1 with equal chance, the others 0; N(0, .1^2) is added to each. There are 2^m
 * modes. */
static dd_status build(const dd_data_config *data, dd_truth *t)
{
    t->kind = DD_TRUTH_CUBE;
    t->countable = true;
    t->sides = sides_of(data->modes);
    t->sigma = sigma;
    dd_truth_radii(t->dimensions, &t->good, &t->off);
    return DD_OK;
}

/* Block 0: the bits of word 0 are the signs. Blocks 4, 5, ...: the normals. */
static void draw(const dd_truth *t, const dd_source *s, uint32_t i, double *x)
{
    uint32_t word[4];
    dd_source_block(s, i, 0, word);
    dd_source_normals(s, i, 4, t->dimensions, x);
    for (int c = 0; c < t->dimensions; c++)
        x[c] = t->sigma * x[c] + (c >= t->sides ? 0. : word[0] >> c & 1 ? 1. : -1.);
}

static const dd_family family = {.dimensions = 3, .complete = complete, .build = build, .draw = draw};

const dd_generator_info dd_set_hypercube = {
    .name = "hypercube",
    .kind = DD_KIND_SPACE,
    .what = "a Gaussian at each corner of a cube",
    .family = &family,
    .countable = true,
};
