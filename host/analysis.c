#include "analysis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis_run.h"
#include "gating.h"
#include "information.h"
#include "permutation.h"
#include "statistics.h"

enum { POINTS = 204800, FEWEST = 256, MOST = 4096, QUANTILES = 5 };

int dd_scene_axis(dd_scene *scene, const char *name, int size, int whole, const char *units, const char *long_name,
                  const dd_axis **out)
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

int dd_scene_array(dd_scene *scene, const char *name, int rank, const dd_axis *const *axis, const char *units,
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
    /* Generated points are sorted along the moons; the keys are those of the run's own passes. */
    dd_permutation order;
    uint32_t n = scene->fresh.n;
    dd_permutation_init(&order, scene->stored->header.seed, DD_DRAW_EVAL_ORDER, 0, n);
    return scene->fresh.xy + 2 * (size_t)dd_permutation_at(&order, (uint32_t)(i % n));
}

int dd_scene_predict(const dd_scene *scene, const float *x, uint32_t n, int t, float *weight, float *expert,
                     float *mixture)
{
    const dd_model *model = &scene->stored->model;
    size_t gates = (size_t)model->gates;
    float *gate = weight && gates ? malloc(n * gates * sizeof *gate) : NULL;
    if (weight && gates && !gate)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the gates of %u points", n);
    int status = dd_ensemble_predict(scene->stored->ensemble, DD_STATE_EMA, x, n, t,
                                     &(dd_prediction){.mixture = mixture, .expert = expert, .gate = gate});
    if (!status && weight)
        dd_gate_unfold(model->experts, model->gates, gate, n, weight);
    free(gate);
    return status;
}

double dd_disagreement(const dd_scene *scene, int t, const float *expert)
{
    int experts = scene->experts;
    double sum = 0.;
    for (int a = 1; a < experts; a++)
        for (int b = 0; b < a; b++)
            sum += hypot((double)expert[2 * a] - expert[2 * b], (double)expert[2 * a + 1] - expert[2 * b + 1]);
    return sum / (experts * (experts - 1) / 2) * (double)scene->stored->schedule.noise_error[t];
}

void dd_scene_quantiles(const dd_scene *s, double *values, size_t n, float *out)
{
    double quantile[QUANTILES];
    dd_quantiles(values, n, s->quantile->value, QUANTILES, quantile);
    for (int i = 0; i < QUANTILES; i++)
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

static int open_fresh(dd_scene *s, const dd_points *points)
{
    uint32_t per_timestep = (uint32_t)(POINTS / s->timesteps);
    s->per_timestep = per_timestep < FEWEST ? FEWEST : per_timestep > MOST ? MOST : per_timestep;
    if (points->generated)
        return dd_points_open(points->name, s->per_timestep * (uint32_t)s->timesteps,
                              s->stored->header.config.data.seed, DD_STREAM_HELDOUT, &s->fresh);
    s->fresh = *points;
    s->fresh.path = NULL;
    s->fresh.xy = malloc(2 * (size_t)points->n * sizeof *points->xy);
    if (!s->fresh.xy)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %u points", points->n);
    memcpy(s->fresh.xy, points->xy, 2 * (size_t)points->n * sizeof *points->xy);
    return DD_OK;
}

static int common_axes(dd_scene *s)
{
    static const double fractions[QUANTILES] = {.05, .25, .5, .75, .95};
    const dd_schedule *schedule = &s->stored->schedule;
    const dd_axis *quantile;
    DD_TRY(dd_scene_axis(s, "expert", s->experts, 1, "1", "number of an expert", &s->expert));
    for (int i = 0; i < s->experts; i++)
        s->expert->value[i] = i + 1;
    DD_TRY(dd_scene_axis(s, "coordinate", 2, 1, "1", "coordinate of a point", &s->coordinate));
    DD_TRY(dd_scene_axis(s, "timestep", s->timesteps, 1, "1", "diffusion timestep", &s->timestep));
    s->sampled = s->timestep;
    if (schedule->steps < schedule->timesteps)
        DD_TRY(dd_scene_axis(s, "sampling_timestep", schedule->steps, 1, "1",
                             "diffusion timestep that sampling goes through", &s->sampled));
    for (int i = 0; i < schedule->steps; i++)
        s->sampled->value[i] = schedule->timestep[i];
    DD_TRY(dd_scene_axis(s, "region", s->regions.count, 1, "1",
                         s->regions.truth.regions ? "mode of the data" : "cell of a grid over the data", &s->region));
    DD_TRY(dd_scene_axis(s, "quantile", QUANTILES, 0, "1", "share of values below", &quantile));
    memcpy(quantile->value, fractions, sizeof fractions);
    s->quantile = quantile;
    return DD_OK;
}

static int analyse(dd_scene *s, const dd_points *points)
{
    dd_pool *pool = dd_backend_pool(s->stored->backend);
    dd_pool_phase(pool, "regions of the data");
    DD_TRY(open_fresh(s, points));
    DD_TRY(dd_regions_create(&s->fresh, &s->regions));
    DD_TRY(dd_sample_gates_read(s->path, &s->stored->model, s->stored->schedule.steps, &s->samples));
    s->out->countable = s->regions.truth.regions > 0;
    s->out->gated = s->stored->model.gates > 0;
    s->out->points_per_timestep = (int)s->per_timestep;
    DD_TRY(common_axes(s));
    dd_pool_phase(pool, "map");
    DD_TRY(dd_analyse_map(s));
    dd_pool_phase(pool, "timesteps");
    DD_TRY(dd_analyse_points(s));
    dd_pool_phase(pool, "weights while sampling");
    DD_TRY(dd_analyse_sampling(s));
    dd_pool_phase(pool, "weights while training");
    if (s->out->gated)
        DD_TRY(dd_analyse_training(s));
    dd_pool_phase(pool, "trajectories");
    return dd_analyse_trajectory(s);
}

int dd_analysis_create(const dd_stored *stored, const char *path, const dd_points *points, dd_analysis *analysis)
{
    *analysis = (dd_analysis){0};
    if (stored->model.experts < 2)
        return dd_fail(DD_ERR_USAGE, "%s has one expert and no gate: there is nothing to analyse", path);
    dd_scene scene = {.stored = stored,
                      .path = path,
                      .experts = stored->model.experts,
                      .timesteps = stored->schedule.timesteps,
                      .out = analysis};
    int status = analyse(&scene, points);
    dd_points_free(&scene.fresh);
    dd_regions_free(&scene.regions);
    dd_sample_gates_free(&scene.samples);
    if (status)
        dd_analysis_free(analysis);
    return status;
}

void dd_analysis_free(dd_analysis *a)
{
    for (int i = 0; i < a->axes; i++)
        free(a->axis[i].value);
    for (int i = 0; i < a->arrays; i++)
        free(a->array[i].value);
    *a = (dd_analysis){0};
}

const dd_array *dd_analysis_find(const dd_analysis *a, const char *name)
{
    for (int i = 0; i < a->arrays; i++)
        if (!strcmp(a->array[i].name, name))
            return &a->array[i];
    return NULL;
}
