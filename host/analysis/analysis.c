#include "analysis/analysis.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/parts.h"
#include "base/error.h"
#include "base/pool.h"
#include "data/truth_regions.h"

enum { POINTS = 204800, FEWEST = 256, MOST = 4096 };

static dd_status open_fresh(dd_scene *s, const dd_points *points)
{
    uint32_t per_timestep = (uint32_t)(POINTS / s->timesteps);
    s->per_timestep = per_timestep < FEWEST ? FEWEST : per_timestep > MOST ? MOST : per_timestep;
    if (points->generated)
        return dd_points_more(points, s->per_timestep * (uint32_t)s->timesteps, points->data.seed, DD_STREAM_HELDOUT,
                              &s->fresh);
    s->fresh = *points;
    s->fresh.path = NULL;
    s->fresh.x = malloc(2 * (size_t)points->n * sizeof *points->x);
    if (!s->fresh.x)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %u points", points->n);
    memcpy(s->fresh.x, points->x, 2 * (size_t)points->n * sizeof *points->x);
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
    DD_TRY(dd_scene_axis(s, "coordinate", 2, true, "1", "coordinate of a point", &s->coordinate));
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
    DD_TRY(dd_scene_axis(s, "quantile", DD_SCENE_QUANTILES, false, "1", "share of values below", &quantile));
    memcpy(quantile->value, fractions, sizeof fractions);
    s->quantile = quantile;
    return DD_OK;
}

static dd_status analyse(dd_scene *s, const dd_points *points)
{
    dd_pool *pool = dd_backend_pool(s->stored->backend);
    dd_pool_phase(pool, "regions of the data");
    DD_TRY(open_fresh(s, points));
    DD_TRY(dd_regions_create(&s->fresh, &s->regions));
    DD_TRY(dd_sample_gates_read(s->path, &s->stored->model, s->stored->schedule.steps, &s->samples));
    s->out->countable = dd_truth_regions(&s->regions.truth) > 0;
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

dd_status dd_analysis_create(const dd_loaded *stored, const char *path, const dd_points *points, dd_analysis *analysis)
{
    *analysis = (dd_analysis){0};
    if (stored->model.experts < 2)
        return dd_fail(DD_ERR_USAGE, "%s has one expert and no gate: there is nothing to analyse", path);
    if (stored->model.dimensions != 2)
        return dd_fail(DD_ERR_USAGE, "%s has points of %d coordinates; only points of two can be analysed", path,
                       stored->model.dimensions);
    dd_scene scene = {.stored = stored,
                      .path = path,
                      .experts = stored->model.experts,
                      .timesteps = stored->schedule.timesteps,
                      .out = analysis};
    dd_status status = analyse(&scene, points);
    dd_points_free(&scene.fresh);
    dd_regions_free(&scene.regions);
    dd_sample_gates_free(&scene.samples);
    if (status)
        dd_analysis_free(analysis);
    return status;
}
