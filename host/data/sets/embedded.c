#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "data/generator.h"
#include "data/random_shape.h"

static const double sigma = .02;

static dd_status complete(dd_data_config *data)
{
    if (data->dimensions < 3)
        return dd_fail(DD_ERR_CONFIG, "data.dimensions = %d: an embedded set needs at least 3", data->dimensions);
    if (data->modes || data->rank)
        return dd_fail(DD_ERR_CONFIG, "data.%s: an embedded set has that of its plane; use 0",
                       data->modes ? "modes" : "rank");
    return DD_OK;
}

/* x = R' (y, .02 e): y is a point of a set of the plane, e ~ N(0, I) of D - 2 dimensions, the rows of R (D, D) are
 * random and orthonormal. */
static dd_status build(const dd_data_config *data, dd_truth *t)
{
    size_t dimensions = (size_t)t->dimensions;
    t->kind = DD_TRUTH_EMBEDDED;
    t->sigma = sigma;
    dd_truth_radii(t->dimensions - 2, &t->good, &t->off);
    t->memory = t->rotation = malloc(dimensions * dimensions * sizeof *t->rotation);
    if (!t->rotation)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d dimensions", t->dimensions);
    dd_random_shape r = {.seed = data->seed};
    dd_shape_axes(&r, t->dimensions, t->dimensions, t->rotation);
    return DD_OK;
}

/* Blocks 0 to 3 as the set of the plane uses them, so y is the same point as there. Blocks 4, 5, ...: e. */
static void draw(const dd_truth *t, const dd_source *s, uint32_t i, double *x)
{
    double y[DD_MAX_DIMENSIONS];
    s->make(s, i, y);
    dd_source_normals(s, i, 4, t->dimensions - 2, y + 2);
    for (int c = 0; c < t->dimensions; c++)
        x[c] = 0.;
    for (int row = 0; row < t->dimensions; row++) {
        const double *axis = t->rotation + (size_t)row * (size_t)t->dimensions;
        double along = row < 2 ? y[row] : t->sigma * y[row];
        for (int c = 0; c < t->dimensions; c++)
            x[c] += along * axis[c];
    }
}

static const dd_family family = {.dimensions = 16, .complete = complete, .build = build, .draw = draw};

const dd_generator_info dd_set_embedded = {
    .name = "embedded:NAME",
    .kind = DD_KIND_SPACE,
    .what = "a set of the plane, rotated into more dimensions",
    .family = &family,
};
