#include <stddef.h>

#include "data/generator.h"
#include "data/mixture.h"
#include "data/random_shape.h"

static const double sigma = .05;

static dd_status complete(dd_data_config *data)
{
    enum { MODES = 8, RANK = 4 };
    if (data->dimensions < 2)
        return dd_fail(DD_ERR_CONFIG, "data.dimensions = %d: subspaces needs at least 2", data->dimensions);
    if (data->rank >= data->dimensions)
        return dd_fail(DD_ERR_CONFIG, "data.rank = %d must be below data.dimensions = %d", data->rank,
                       data->dimensions);
    if (!data->modes)
        data->modes = MODES;
    if (!data->rank)
        data->rank = data->dimensions > RANK ? RANK : data->dimensions - 1;
    return DD_OK;
}

/* x = U_k' z + .05 e: the rows of U_k (rank, D) are random and orthonormal, z ~ N(0, I) of `rank` dimensions,
 * e ~ N(0, I) of D dimensions, k uniform. */
static dd_status build(const dd_data_config *data, dd_truth *t)
{
    DD_TRY(dd_mixture_create(data->modes, data->dimensions, data->rank, t));
    for (int k = 0; k < t->components; k++) {
        dd_component *g = &t->component[k];
        dd_random_shape r = {.seed = data->seed, .component = (uint32_t)k};
        g->weight = 1. / t->components;
        g->rest = sigma * sigma;
        for (int j = 0; j < t->rank; j++)
            g->variance[j] = 1. + sigma * sigma;
        dd_shape_axes(&r, t->rank, t->dimensions, g->axis);
    }
    return DD_OK;
}

static const dd_family family = {.dimensions = 8, .complete = complete, .build = build, .draw = dd_mixture_draw};

const dd_generator_info dd_set_subspaces = {
    .name = "subspaces",
    .kind = DD_KIND_SPACE,
    .what = "normal in random subspaces, and a little noise",
    .family = &family,
    .countable = true,
};
