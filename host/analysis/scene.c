/* Functions for all parts of an analysis. */
#include "analysis/scene.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "analysis/information.h"
#include "base/error.h"
#include "base/permutation.h"
#include "base/statistics.h"
#include "model/gating.h"

dd_status dd_scene_axis(dd_scene *scene, const char *name, int size, bool whole, const char *units,
                        const char *long_name, const dd_axis **out)
{
    dd_analysis *a = scene->out;
    if (a->axes == DD_ANALYSIS_AXES)
        return dd_fail(DD_ERR_INTERNAL, "more than %d axes", DD_ANALYSIS_AXES);
    dd_axis *axis = &a->axis[a->axes];
    *axis = (dd_axis){.name = name, .units = units, .long_name = long_name, .whole = whole, .size = size};
    axis->value = malloc((size_t)size * sizeof *axis->value);
    if (!axis->value)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the axis %s", name);
    for (int i = 0; i < size; i++)
        axis->value[i] = i;
    a->axes++;
    *out = axis;
    return DD_OK;
}

dd_status dd_scene_array(dd_scene *scene, const char *name, int rank, const dd_axis *const *axis, const char *units,
                         const char *long_name, float **value)
{
    dd_analysis *a = scene->out;
    if (a->arrays == DD_ANALYSIS_ARRAYS)
        return dd_fail(DD_ERR_INTERNAL, "more than %d arrays", DD_ANALYSIS_ARRAYS);
    dd_array *array = &a->array[a->arrays];
    *array = (dd_array){.name = name, .units = units, .long_name = long_name, .rank = rank};
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        array->axis[i] = axis[i];
        count *= (size_t)axis[i]->size;
    }
    array->value = calloc(count, sizeof *array->value);
    if (!array->value)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %s", name);
    a->arrays++;
    *value = array->value;
    return DD_OK;
}

const float *dd_scene_point(const dd_scene *scene, uint64_t i)
{
    /* Moons are generated in order along the curves, so the points are permuted, with the keys of the run's own
     * passes. */
    dd_permutation order;
    uint32_t n = scene->fresh.n;
    dd_permutation_init(&order, scene->stored->header.seed, DD_DRAW_EVAL_ORDER, 0, n);
    return scene->fresh.x + (size_t)scene->dimensions * dd_permutation_at(&order, (uint32_t)(i % n));
}

dd_status dd_scene_predict(const dd_scene *scene, const float *x, uint32_t n, int t, float *weight, float *expert,
                           float *mixture)
{
    const dd_model *model = &scene->stored->model;
    size_t gates = (size_t)model->gates;
    float *gate = weight && gates ? malloc(n * gates * sizeof *gate) : NULL;
    if (weight && gates && !gate)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the gates of %u points", n);
    dd_status status = dd_ensemble_predict(scene->stored->ensemble, DD_STATE_EMA, x, n, t,
                                           &(dd_prediction){.mixture = mixture, .expert = expert, .gate = gate});
    if (!status && weight)
        dd_gate_unfold(model->experts, model->gates, gate, n, weight);
    free(gate);
    return status;
}

/* Euclidean distance in D dimensions. */
static double distance(const float *a, const float *b, int dimensions)
{
    if (dimensions == 2)
        return hypot((double)a[0] - b[0], (double)a[1] - b[1]);
    double square = 0.;
    for (int c = 0; c < dimensions; c++)
        square += ((double)a[c] - b[c]) * ((double)a[c] - b[c]);
    return sqrt(square);
}

double dd_disagreement(const dd_scene *scene, int t, const float *expert)
{
    int experts = scene->experts, dimensions = scene->dimensions;
    double sum = 0.;
    for (int a = 1; a < experts; a++)
        for (int b = 0; b < a; b++)
            sum += distance(expert + dimensions * a, expert + dimensions * b, dimensions);
    return sum / (experts * (experts - 1) / 2) * (double)scene->stored->schedule.noise_error[t];
}

void dd_scene_quantiles(const dd_scene *s, double *values, size_t n, float *out)
{
    double quantile[DD_SCENE_QUANTILES];
    dd_quantiles(values, n, s->quantile->value, DD_SCENE_QUANTILES, quantile);
    for (int i = 0; i < DD_SCENE_QUANTILES; i++)
        out[i] = (float)quantile[i];
}

void dd_scene_information(const dd_scene *s, const uint32_t *by_region, const uint32_t *by_timestep, int timesteps,
                          float *region, float *timestep, float *entropy)
{
    int regions = s->regions.count;
    for (int e = 0; e < s->experts; e++) {
        const uint32_t *place = by_region + (size_t)e * (size_t)regions * DD_GATE_BINS;
        const uint32_t *time = by_timestep + (size_t)e * (size_t)timesteps * DD_GATE_BINS;
        uint32_t total[DD_GATE_BINS] = {0};
        for (int i = 0; i < regions * DD_GATE_BINS; i++)
            total[i % DD_GATE_BINS] += place[i];
        region[e] = (float)dd_information_bits(place, regions, DD_GATE_BINS);
        timestep[e] = (float)dd_information_bits(time, timesteps, DD_GATE_BINS);
        entropy[e] = (float)dd_entropy_bits(total, DD_GATE_BINS);
    }
}
