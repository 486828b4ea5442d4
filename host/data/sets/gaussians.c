#include <math.h>
#include <stddef.h>

#include "data/generator.h"
#include "data/mixture.h"
#include "data/random_shape.h"

static const double narrowest = .05, widest = .5, spread = 1.5;

static dd_status complete(dd_data_config *data)
{
    enum { MODES = 16 };
    if (data->rank)
        return dd_fail(DD_ERR_CONFIG, "data.rank = %d: gaussians has no rank; use 0, or the set subspaces", data->rank);
    if (!data->modes)
        data->modes = MODES;
    return DD_OK;
}

/* Component k has a weight proportional to 1/2 + u, the centre 1.5 N(0, I), and standard deviations along random
 * orthonormal axes whose logarithms are uniform from log .05 to log .5. Its random numbers in order: u, the centre, the
 * standard deviations, the axes. */
static dd_status build(const dd_data_config *data, dd_truth *t)
{
    double sum = 0.;
    DD_TRY(dd_mixture_create(data->modes, data->dimensions, data->dimensions, t));
    for (int k = 0; k < t->components; k++) {
        dd_component *g = &t->component[k];
        dd_random_shape r = {.seed = data->seed, .component = (uint32_t)k};
        g->weight = .5 + dd_shape_uniform(&r);
        sum += g->weight;
        dd_shape_normals(&r, t->dimensions, g->centre);
        for (int c = 0; c < t->dimensions; c++) {
            g->centre[c] *= spread;
            g->variance[c] = pow(narrowest * pow(widest / narrowest, dd_shape_uniform(&r)), 2.);
        }
        dd_shape_axes(&r, t->rank, t->dimensions, g->axis);
    }
    for (int k = 0; k < t->components; k++)
        t->component[k].weight /= sum;
    return DD_OK;
}

static const dd_family family = {.dimensions = 8, .complete = complete, .build = build, .draw = dd_mixture_draw};

const dd_generator_info dd_set_gaussians = {
    .name = "gaussians",
    .kind = DD_KIND_SPACE,
    .what = "Gaussians of random centres and covariances",
    .family = &family,
    .countable = true,
};
