/* Losses, disagreement and gates on fresh points, noised as in training. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/by_coordinate.h"
#include "analysis/exact.h"
#include "analysis/parts.h"
#include "base/arena.h"
#include "base/pool.h"
#include "model/noised_point.h"

enum { SHOWN = 4000 }; /* points that are stored for pictures */

/* Squared error of the noise, mean over coordinates: with the run's own weights, with equal weights, and for each
 * expert. */
enum { GATED, EQUAL, ALONE };

/* Memory for one timestep, and the sums over all timesteps. Losses are [variant], variant = GATED, EQUAL, ALONE +
 * expert. */
typedef struct pass {
    dd_scene *s;
    int variants;
    float *clean, *x, *target;         /* [per_timestep][D]; clean: before noise */
    float *weight, *expert;            /* [per_timestep][experts], [per_timestep][experts][D] */
    float *mixture;                    /* [per_timestep][D] */
    int *region;                       /* [per_timestep] */
    double *region_loss;               /* [regions][variants] */
    double *region_weight;             /* [regions][experts] */
    double *region_points;             /* [regions] */
    uint32_t *by_region, *by_timestep; /* [experts][regions or timesteps][bins] */
    dd_by_coordinate by_coordinate;
    dd_exact exact;
    void *memory;
} pass;

static void take_arrays(pass *p, dd_arena *arena)
{
    size_t n = p->s->per_timestep, experts = (size_t)p->s->experts, regions = (size_t)p->s->regions.count;
    size_t dimensions = (size_t)p->s->dimensions;
    DD_TAKE(arena, p->clean, dimensions * n);
    DD_TAKE(arena, p->x, dimensions * n);
    DD_TAKE(arena, p->target, dimensions * n);
    DD_TAKE(arena, p->weight, n * experts);
    DD_TAKE(arena, p->expert, dimensions * n * experts);
    DD_TAKE(arena, p->mixture, dimensions * n);
    DD_TAKE(arena, p->region, n);
    DD_TAKE(arena, p->region_loss, regions * (size_t)p->variants);
    DD_TAKE(arena, p->region_weight, regions * experts);
    DD_TAKE(arena, p->region_points, regions);
    DD_TAKE(arena, p->by_region, experts * regions * DD_GATE_BINS);
    DD_TAKE(arena, p->by_timestep, experts * (size_t)p->s->timesteps * DD_GATE_BINS);
}

static dd_status pass_create(dd_scene *s, pass *p)
{
    dd_arena arena = {0};
    *p = (pass){.s = s, .variants = ALONE + s->experts};
    take_arrays(p, &arena);
    p->memory = dd_arena_allocate(&arena);
    if (!p->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the analysis of %u points a timestep", s->per_timestep);
    take_arrays(p, &arena);
    return DD_OK;
}

/* The points of a timestep: their regions without noise, then the points noised as held-out batch number t. */
static void draw(pass *p, int t)
{
    const dd_schedule *schedule = &p->s->stored->schedule;
    size_t dimensions = (size_t)p->s->dimensions;
    for (uint32_t i = 0; i < p->s->per_timestep; i++) {
        const float *point = dd_scene_point(p->s, (uint64_t)t * p->s->per_timestep + i);
        memcpy(p->clean + dimensions * i, point, dimensions * sizeof *point);
        dd_noise_point(schedule, t, p->s->stored->header.seed, DD_DRAW_HELDOUT, (uint32_t)t, i, (int)dimensions, point,
                       p->x + dimensions * i, p->target + dimensions * i);
        p->region[i] = dd_regions_of(&p->s->regions, point);
    }
}

/* Squared error, mean over the coordinates of target [D], when the experts' predictions [experts][D] are mixed with
 * `weight`; NULL: equal weights. */
static double error_under(const float *weight, const float *expert, int experts, const float *target, int dimensions)
{
    double square = 0.;
    for (int c = 0; c < dimensions; c++) {
        double predicted = 0.;
        for (int e = 0; e < experts; e++)
            predicted += (weight ? weight[e] : 1. / experts) * expert[dimensions * e + c];
        square += (predicted - target[c]) * (predicted - target[c]);
    }
    return square / dimensions;
}

/* Add one timestep to the sums; loss[variants] and *disagreement become means over its points. */
static void add_timestep(pass *p, int t, double *loss, double *disagreement)
{
    const dd_scene *s = p->s;
    int experts = s->experts, dimensions = s->dimensions;
    double of_noise = s->stored->schedule.noise_error[t], scale = of_noise * of_noise;
    memset(loss, 0, (size_t)p->variants * sizeof *loss);
    *disagreement = 0.;
    for (uint32_t i = 0; i < s->per_timestep; i++) {
        const float *weight = p->weight + (size_t)i * (size_t)experts;
        const float *expert = p->expert + (size_t)dimensions * i * (size_t)experts;
        const float *target = p->target + (size_t)dimensions * i;
        int region = p->region[i];
        double *of_region = p->region_loss + (size_t)region * (size_t)p->variants;
        for (int v = 0; v < p->variants; v++) {
            double error = v == GATED ? error_under(weight, expert, experts, target, dimensions)
                           : v == EQUAL
                               ? error_under(NULL, expert, experts, target, dimensions)
                               : error_under(&(float){1.f}, expert + dimensions * (v - ALONE), 1, target, dimensions);
            loss[v] += scale * error / s->per_timestep;
            of_region[v] += scale * error;
        }
        *disagreement += dd_disagreement(s, t, expert) / s->per_timestep;
        p->region_points[region] += 1.;
        for (int e = 0; e < experts; e++) {
            int bin = dd_gate_bin(weight[e]);
            p->region_weight[region * experts + e] += weight[e];
            p->by_region[((size_t)e * (size_t)s->regions.count + (size_t)region) * DD_GATE_BINS + (size_t)bin]++;
            p->by_timestep[((size_t)e * (size_t)s->timesteps + (size_t)t) * DD_GATE_BINS + (size_t)bin]++;
        }
    }
}

static dd_status fill_timesteps(pass *p)
{
    dd_scene *s = p->s;
    float *gated, *equal, *alone, *disagreement;
    const dd_axis *const axis[] = {s->timestep, s->expert};
    DD_TRY(dd_scene_array(s, "by_timestep/loss_gated", 1, axis, "1",
                          "mean squared error of the noise with the run's own weights", &gated));
    DD_TRY(dd_scene_array(s, "by_timestep/loss_equal", 1, axis, "1",
                          "mean squared error of the noise with equal weights", &equal));
    DD_TRY(dd_scene_array(s, "by_timestep/loss_alone", 2, axis, "1",
                          "mean squared error of the noise of each expert alone", &alone));
    DD_TRY(dd_scene_array(s, "by_timestep/disagreement", 1, axis, "1",
                          "mean distance between the noises that two experts' predictions imply", &disagreement));
    DD_TRY(dd_exact_create(s, &p->exact));
    for (int t = 0; t < s->timesteps; t++) {
        double loss[ALONE + DD_MAX_EXPERTS], apart;
        draw(p, t);
        DD_TRY(dd_scene_predict(s, p->x, s->per_timestep, t, p->weight, p->expert, p->mixture));
        DD_TRY(dd_exact_add(s, &p->exact, t, p->x, p->target, p->mixture));
        add_timestep(p, t, loss, &apart);
        if (s->out->gated)
            dd_by_coordinate_add(s, &p->by_coordinate, t, p->clean, p->weight);
        gated[t] = (float)loss[GATED];
        equal[t] = (float)loss[EQUAL];
        for (int e = 0; e < s->experts; e++)
            alone[t * s->experts + e] = (float)loss[ALONE + e];
        disagreement[t] = (float)apart;
        dd_pool_tell(dd_backend_pool(s->stored->backend), t + 1, s->timesteps);
    }
    return DD_OK;
}

static dd_status fill_regions(pass *p)
{
    dd_scene *s = p->s;
    float *centre, *share, *points, *weight, *gated, *equal, *alone;
    const dd_axis *const axis[] = {s->region, s->expert};
    DD_TRY(dd_scene_array(s, "by_region/centre", 2, (const dd_axis *[]){s->region, s->coordinate}, "1",
                          "centre of the region", &centre));
    DD_TRY(dd_scene_array(s, "by_region/share", 1, axis, "1", "true share of the data; NaN for cells", &share));
    DD_TRY(dd_scene_array(s, "by_region/points", 1, axis, "1", "fresh points that belong to the region", &points));
    DD_TRY(dd_scene_array(s, "by_region/weight", 2, axis, "1",
                          "mean weight of each expert on the region's noised points, over all timesteps", &weight));
    DD_TRY(dd_scene_array(s, "by_region/loss_gated", 1, axis, "1",
                          "mean squared error of the noise with the run's own weights", &gated));
    DD_TRY(dd_scene_array(s, "by_region/loss_equal", 1, axis, "1", "mean squared error of the noise with equal weights",
                          &equal));
    DD_TRY(dd_scene_array(s, "by_region/loss_alone", 2, axis, "1",
                          "mean squared error of the noise of each expert alone", &alone));
    for (int r = 0; r < s->regions.count; r++) {
        const double *loss = p->region_loss + (size_t)r * (size_t)p->variants;
        double n = p->region_points[r] > 0. ? p->region_points[r] : NAN;
        for (int c = 0; c < s->dimensions; c++)
            centre[s->dimensions * r + c] = (float)s->regions.centre[s->dimensions * r + c];
        share[r] = (float)s->regions.share[r];
        points[r] = (float)p->region_points[r];
        gated[r] = (float)(loss[GATED] / n);
        equal[r] = (float)(loss[EQUAL] / n);
        for (int e = 0; e < s->experts; e++) {
            alone[r * s->experts + e] = (float)(loss[ALONE + e] / n);
            weight[r * s->experts + e] = (float)(p->region_weight[r * s->experts + e] / n);
        }
    }
    return DD_OK;
}

static dd_status fill_information(pass *p)
{
    dd_scene *s = p->s;
    float *region, *timestep, *entropy;
    DD_TRY(dd_scene_array(s, "information/data_region", 1, &s->expert, "bit",
                          "mutual information of an expert's weight and the region, on fresh noised points", &region));
    DD_TRY(dd_scene_array(s, "information/data_timestep", 1, &s->expert, "bit",
                          "mutual information of an expert's weight and the timestep, on fresh noised points",
                          &timestep));
    DD_TRY(dd_scene_array(s, "information/data_entropy", 1, &s->expert, "bit",
                          "entropy of an expert's binned weight, on fresh noised points", &entropy));
    dd_scene_information(s, p->by_region, p->by_timestep, s->timesteps, region, timestep, entropy);
    return DD_OK;
}

static dd_status keep_data(dd_scene *s)
{
    const dd_axis *point;
    float *x;
    int n = s->fresh.n < SHOWN ? (int)s->fresh.n : SHOWN;
    DD_TRY(dd_scene_axis(s, "point", n, true, "1", "fresh point of the dataset", &point));
    DD_TRY(dd_scene_array(s, "data/x", 2, (const dd_axis *[]){point, s->coordinate}, "1",
                          "fresh points of the dataset, without noise", &x));
    for (int i = 0; i < n; i++)
        memcpy(x + (size_t)s->dimensions * (size_t)i, dd_scene_point(s, (uint64_t)i),
               (size_t)s->dimensions * sizeof *x);
    return DD_OK;
}

dd_status dd_analyse_points(dd_scene *s)
{
    pass p;
    DD_TRY(pass_create(s, &p));
    dd_status status = s->out->gated ? dd_by_coordinate_create(s, &p.by_coordinate) : DD_OK;
    if (!status)
        status = fill_timesteps(&p);
    if (!status)
        status = fill_regions(&p);
    if (!status)
        status = fill_information(&p);
    if (!status)
        status = keep_data(s);
    if (!status && s->out->gated)
        status = dd_by_coordinate_fill(s, &p.by_coordinate);
    dd_by_coordinate_free(&p.by_coordinate);
    dd_exact_free(&p.exact);
    free(p.memory);
    return status;
}
