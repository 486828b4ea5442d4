#include "analysis/analysis.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/parts.h"
#include "base/error.h"
#include "base/pool.h"
#include "data/truth_regions.h"

enum { POINTS = 204800, FEWEST = 256, MOST = 4096, CHOSEN = 6 };

static dd_status open_fresh(dd_scene *s, const dd_points *points)
{
    uint32_t per_timestep = (uint32_t)(POINTS / s->timesteps);
    s->per_timestep = per_timestep < FEWEST ? FEWEST : per_timestep > MOST ? MOST : per_timestep;
    if (points->generated)
        return dd_points_more(points, s->per_timestep * (uint32_t)s->timesteps, points->data.seed, DD_STREAM_HELDOUT,
                              &s->fresh);
    s->fresh = *points;
    s->fresh.path = NULL;
    size_t numbers = (size_t)points->columns.count * points->n;
    s->fresh.x = malloc(numbers * sizeof *points->x);
    if (!s->fresh.x)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %u points", points->n);
    memcpy(s->fresh.x, points->x, numbers * sizeof *points->x);
    return DD_OK;
}

/* The timesteps at 0, .1, .25, .5, .75 and 1 of all, without repeats. */
static dd_status chosen_timesteps(dd_scene *s)
{
    static const double share[CHOSEN] = {0., .1, .25, .5, .75, 1.};
    double chosen[CHOSEN];
    int count = 0;
    for (int i = 0; i < CHOSEN; i++) {
        double t = fmin(round(share[i] * s->timesteps), s->timesteps - 1.);
        if (!count || t > chosen[count - 1])
            chosen[count++] = t;
    }
    DD_TRY(dd_scene_axis(s, "timestep", count, true, "1", "diffusion timestep", &s->chosen));
    memcpy(s->chosen->value, chosen, (size_t)count * sizeof *chosen);
    return DD_OK;
}

static dd_status common_axes(dd_scene *s)
{
    static const double fractions[DD_SCENE_QUANTILES] = {.05, .25, .5, .75, .95};
    const dd_schedule *schedule = &s->stored->schedule;
    const dd_axis *quantile;
    DD_TRY(dd_scene_axis(s, "expert", s->experts, true, "1", "number of an expert", &s->expert));
    for (int i = 0; i < s->experts; i++)
        s->expert->value[i] = i + 1;
    DD_TRY(dd_scene_axis(s, "coordinate", s->dimensions, true, "1", "coordinate of a point", &s->coordinate));
    DD_TRY(dd_scene_axis(s, "timestep", s->timesteps, true, "1", "diffusion timestep", &s->timestep));
    s->sampled = s->timestep;
    if (schedule->steps < schedule->timesteps)
        DD_TRY(dd_scene_axis(s, "sampling_timestep", schedule->steps, true, "1",
                             "diffusion timestep that sampling goes through", &s->sampled));
    for (int i = 0; i < schedule->steps; i++)
        s->sampled->value[i] = schedule->timestep[i];
    DD_TRY(dd_scene_axis(s, "region", s->regions.count, true, "1",
                         dd_truth_regions(&s->regions.truth) ? "mode of the data" : "cell of a grid over the data",
                         &s->region));
    DD_TRY(chosen_timesteps(s));
    DD_TRY(dd_scene_axis(s, "quantile", DD_SCENE_QUANTILES, false, "1", "share of values below", &quantile));
    memcpy(quantile->value, fractions, sizeof fractions);
    s->quantile = quantile;
    return DD_OK;
}

static dd_status keep_principal(dd_scene *s)
{
    const dd_principal *p = &s->principal;
    const dd_axis *component;
    float *axis, *centre, *share;
    DD_TRY(
        dd_scene_axis(s, "component", p->count, true, "1", "principal component of the training points", &component));
    DD_TRY(dd_scene_array(s, "principal/axis", 2, (const dd_axis *[]){component, s->coordinate}, "1",
                          "direction of each component; component = sum of axis * (x - centre)", &axis));
    DD_TRY(dd_scene_array(s, "principal/centre", 1, &s->coordinate, "1", "mean of the training points", &centre));
    DD_TRY(dd_scene_array(s, "principal/share", 1, &component, "1", "share of the variance", &share));
    for (int i = 0; i < p->count * p->dimensions; i++)
        axis[i] = (float)p->axis[i];
    for (int c = 0; c < p->dimensions; c++)
        centre[c] = (float)p->centre[c];
    for (int k = 0; k < p->count; k++)
        share[k] = (float)(p->variance[k] / p->total);
    return DD_OK;
}

static dd_status analyse(dd_scene *s, const dd_points *points)
{
    dd_pool *pool = dd_backend_pool(s->stored->backend);
    dd_pool_phase(pool, "regions of the data");
    DD_TRY(open_fresh(s, points));
    if (s->dimensions > 2)
        DD_TRY(dd_principal_create(points, &s->principal));
    DD_TRY(dd_regions_create(&s->fresh, s->dimensions > 2 ? &s->principal : NULL, &s->regions));
    DD_TRY(dd_sample_gates_read(s->path, &s->stored->model, s->stored->schedule.steps, &s->samples));
    s->out->region = dd_regions_one(&s->regions);
    s->out->regions = dd_regions_many(&s->regions);
    s->out->gated = s->stored->model.gates > 0;
    s->out->points_per_timestep = (int)s->per_timestep;
    DD_TRY(common_axes(s));
    if (s->dimensions > 2)
        DD_TRY(keep_principal(s));
    dd_pool_phase(pool, "map");
    if (s->dimensions == 2)
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

dd_status dd_analysis_create(const dd_loaded *stored, const char *path, const dd_points *points, dd_analysis *analysis)
{
    *analysis = (dd_analysis){0};
    if (stored->model.experts < 2)
        return dd_fail(DD_ERR_USAGE, "%s has one expert and no gate: there is nothing to analyse", path);
    dd_scene scene = {.stored = stored,
                      .path = path,
                      .experts = stored->model.experts,
                      .dimensions = stored->model.dimensions,
                      .timesteps = stored->schedule.timesteps,
                      .out = analysis};
    dd_status status = analyse(&scene, points);
    dd_points_free(&scene.fresh);
    dd_regions_free(&scene.regions);
    dd_principal_free(&scene.principal);
    dd_sample_gates_free(&scene.samples);
    if (status)
        dd_analysis_free(analysis);
    return status;
}
