/* Counts the stored samples by the region where they end, and their gates by that region and by timestep. */
#include <math.h>
#include <stdlib.h>

#include "analysis/information.h"
#include "analysis/parts.h"
#include "base/arena.h"

/* Samples by region, and the tables of counts. */
typedef struct tables {
    int *region;                 /* [samples] */
    double *count;               /* [regions] */
    uint32_t *place, *over_time; /* [experts][regions or sampled timesteps][bins] */
    uint32_t *now;               /* [experts][regions][bins] of one timestep */
    double *sum;                 /* [regions][experts] of one timestep */
    double *values;              /* [samples] */
    void *memory;
} tables;

static void take_arrays(const dd_scene *s, tables *t, dd_arena *arena)
{
    size_t n = s->samples.samples, experts = (size_t)s->experts, regions = (size_t)s->regions.count;
    DD_TAKE(arena, t->region, n);
    DD_TAKE(arena, t->count, regions);
    DD_TAKE(arena, t->place, experts * regions * DD_GATE_BINS);
    DD_TAKE(arena, t->over_time, experts * (size_t)s->sampled->size * DD_GATE_BINS);
    DD_TAKE(arena, t->now, experts * regions * DD_GATE_BINS);
    DD_TAKE(arena, t->sum, regions * experts);
    DD_TAKE(arena, t->values, n);
}

static dd_status tables_create(const dd_scene *s, tables *t)
{
    dd_arena arena = {0};
    take_arrays(s, t, &arena);
    t->memory = dd_arena_allocate(&arena);
    if (!t->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the gates of %u samples", s->samples.samples);
    take_arrays(s, t, &arena);
    for (size_t i = 0; i < s->samples.samples; i++) {
        t->region[i] = dd_regions_of(&s->regions, s->samples.x + (size_t)s->dimensions * i);
        t->count[t->region[i]] += 1.;
    }
    return DD_OK;
}

/* Count the samples' weights at sampled timestep number `time`. */
static void count_timestep(const dd_scene *s, tables *t, int time)
{
    int experts = s->experts, regions = s->regions.count;
    const float *weight = s->samples.weight + (size_t)time * s->samples.samples * (size_t)experts;
    for (int i = 0; i < experts * regions * DD_GATE_BINS; i++)
        t->now[i] = 0;
    for (int i = 0; i < regions * experts; i++)
        t->sum[i] = 0.;
    for (uint32_t i = 0; i < s->samples.samples; i++) {
        for (int e = 0; e < experts; e++) {
            float w = weight[(size_t)i * (size_t)experts + (size_t)e];
            int bin = dd_gate_bin(w), cell = (e * regions + t->region[i]) * DD_GATE_BINS + bin;
            t->now[cell]++;
            t->place[cell]++;
            t->over_time[(e * s->sampled->size + time) * DD_GATE_BINS + bin]++;
            t->sum[t->region[i] * experts + e] += w;
        }
    }
}

static dd_status fill_timesteps(dd_scene *s, tables *t)
{
    const dd_axis *const axis[] = {s->sampled, s->expert, s->quantile};
    size_t experts = (size_t)s->experts, n = s->samples.samples;
    float *quantile, *mean, *information, *weight;
    DD_TRY(dd_scene_array(s, "by_timestep/weight_quantile", 3, axis, "1",
                          "quantiles of each expert's weight while sampling", &quantile));
    DD_TRY(
        dd_scene_array(s, "by_timestep/weight_mean", 2, axis, "1", "mean weight of each expert while sampling", &mean));
    DD_TRY(dd_scene_array(
        s, "by_timestep/information_region", 2, axis, "bit",
        "mutual information of an expert's weight while sampling and the region where the sample ends", &information));
    DD_TRY(dd_scene_array(s, "by_region/weight_sampling", 3, (const dd_axis *[]){s->sampled, s->region, s->expert}, "1",
                          "mean weight of each expert while sampling, over samples that end in the region", &weight));
    for (int time = 0; time < s->sampled->size; time++) {
        count_timestep(s, t, time);
        for (size_t i = 0; i < (size_t)s->regions.count * experts; i++) {
            double here = t->count[i / experts];
            weight[(size_t)time * (size_t)s->regions.count * experts + i] = here > 0. ? (float)(t->sum[i] / here) : NAN;
        }
        for (size_t e = 0; e < experts; e++) {
            size_t at = (size_t)time * experts + e;
            double sum = 0.;
            for (size_t i = 0; i < n; i++) {
                t->values[i] = s->samples.weight[((size_t)time * n + i) * experts + e];
                sum += t->values[i];
            }
            mean[at] = (float)(sum / (double)n);
            dd_scene_quantiles(s, t->values, n, quantile + at * (size_t)s->quantile->size);
            information[at] = (float)dd_information_bits(t->now + e * (size_t)s->regions.count * DD_GATE_BINS,
                                                         s->regions.count, DD_GATE_BINS);
        }
    }
    return DD_OK;
}

static dd_status fill_information(dd_scene *s, const tables *t)
{
    float *region, *timestep, *entropy;
    DD_TRY(dd_scene_array(
        s, "information/sampling_region", 1, &s->expert, "bit",
        "mutual information of an expert's weight and the region where the sample ends, while sampling", &region));
    DD_TRY(dd_scene_array(s, "information/sampling_timestep", 1, &s->expert, "bit",
                          "mutual information of an expert's weight and the timestep, while sampling", &timestep));
    DD_TRY(dd_scene_array(s, "information/sampling_entropy", 1, &s->expert, "bit",
                          "entropy of an expert's binned weight while sampling", &entropy));
    dd_scene_information(s, t->place, t->over_time, s->sampled->size, region, timestep, entropy);
    return DD_OK;
}

static dd_status fill_regions(dd_scene *s, const tables *t)
{
    float *count;
    DD_TRY(dd_scene_array(s, "by_region/samples", 1, &s->region, "1", "generated points that belong to the region",
                          &count));
    for (int r = 0; r < s->regions.count; r++)
        count[r] = (float)t->count[r];
    return DD_OK;
}

dd_status dd_analyse_sampling(dd_scene *s)
{
    tables t;
    DD_TRY(tables_create(s, &t));
    dd_status status = fill_regions(s, &t);
    if (!status && s->samples.weight)
        status = fill_timesteps(s, &t);
    if (!status && s->samples.weight)
        status = fill_information(s, &t);
    free(t.memory);
    return status;
}
