/* The trajectories of the first stored samples from noise to data. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/parts.h"
#include "base/arena.h"
#include "base/pool.h"
#include "model/reverse_step.h"

enum { MOST_SAMPLES = 2000, MOST_ROWS = 100 };

/* The samples on their way, and the arrays that keep a part of it. */
typedef struct trajectory {
    int n, stride;                /* samples; reverse steps between two rows */
    int row;                      /* rows that are filled */
    float *now, *mixture;         /* [n][D] */
    float *weight_now;            /* [n][experts] */
    const dd_axis *step;          /* [rows] */
    int kept;                     /* coordinates, or principal components, that x keeps */
    float *x, *weight;            /* [rows][n][kept], [rows][n][experts] */
    float *timestep, *difference; /* [rows], one number */
} trajectory;

static dd_status make_arrays(dd_scene *s, trajectory *t)
{
    int steps = s->stored->schedule.steps, rows = (steps + t->stride - 1) / t->stride + 1;
    const dd_axis *sample;
    DD_TRY(dd_scene_axis(s, "step", rows, true, "1", "reverse steps done", &t->step));
    DD_TRY(dd_scene_axis(s, "sample", t->n, true, "1", "generated point", &sample));
    const dd_axis *place = s->coordinate;
    if (s->dimensions > t->kept)
        DD_TRY(dd_scene_axis(s, "component", t->kept, true, "1", "principal component of /analysis/principal", &place));
    DD_TRY(dd_scene_array(s, "trajectory/x", 3, (const dd_axis *[]){t->step, sample, place}, "1",
                          "points along the trajectory: x_T first, the sample last", &t->x));
    DD_TRY(dd_scene_array(s, "trajectory/weight", 3, (const dd_axis *[]){t->step, sample, s->expert}, "1",
                          "weight of each expert at these points and the next timestep; for the samples at timestep 0",
                          &t->weight));
    DD_TRY(dd_scene_array(s, "trajectory/timestep", 1, &t->step, "1", "that timestep", &t->timestep));
    return dd_scene_array(s, "trajectory/difference", 0, NULL, "1",
                          "largest difference between a coordinate here at the end and in /samples/x", &t->difference);
}

static void take_points(const dd_scene *s, trajectory *t, dd_arena *arena)
{
    DD_TAKE(arena, t->now, (size_t)s->dimensions * (size_t)t->n);
    DD_TAKE(arena, t->mixture, (size_t)s->dimensions * (size_t)t->n);
    DD_TAKE(arena, t->weight_now, (size_t)t->n * (size_t)s->experts);
}

/* Where the samples are now: their coordinates, or their first principal components. */
static void place_points(const dd_scene *s, const trajectory *t, float *place)
{
    size_t dimensions = (size_t)s->dimensions, kept = (size_t)t->kept;
    for (size_t i = 0; i < (size_t)t->n; i++)
        for (size_t k = 0; k < kept; k++) {
            const float *x = t->now + dimensions * i;
            place[kept * i + k] = kept < dimensions ? (float)dd_principal_place(&s->principal, (int)k, x) : x[k];
        }
}

static void store_row(const dd_scene *s, trajectory *t, int done, int timestep)
{
    size_t row = (size_t)t->row++, points = (size_t)t->kept * (size_t)t->n, weights = (size_t)t->n * (size_t)s->experts;
    t->step->value[row] = done;
    t->timestep[row] = (float)timestep;
    place_points(s, t, t->x + row * points);
    memcpy(t->weight + row * weights, t->weight_now, weights * sizeof *t->weight);
}

/* Sample again from where the stored samples started. */
static dd_status follow(const dd_scene *s, trajectory *t)
{
    const dd_schedule *schedule = &s->stored->schedule;
    int steps = schedule->steps;
    size_t dimensions = (size_t)s->dimensions;
    memcpy(t->now, s->samples.start, dimensions * (size_t)t->n * sizeof *t->now);
    for (int done = 0; done <= steps; done++) {
        int place = done < steps ? steps - 1 - done : 0, timestep = done < steps ? schedule->timestep[place] : 0;
        DD_TRY(dd_scene_predict(s, t->now, (uint32_t)t->n, timestep, t->weight_now, NULL, t->mixture));
        if (done % t->stride == 0 || done == steps)
            store_row(s, t, done, timestep);
        for (uint32_t i = 0; i < (uint32_t)t->n && done < steps; i++)
            dd_reverse_step(schedule, place, s->stored->header.seed, i, s->dimensions, t->mixture + dimensions * i,
                            t->now + dimensions * i);
        dd_pool_tell(dd_backend_pool(s->stored->backend), done + 1, steps + 1);
    }
    return DD_OK;
}

dd_status dd_analyse_trajectory(dd_scene *s)
{
    trajectory t = {.n = s->samples.samples < MOST_SAMPLES ? (int)s->samples.samples : MOST_SAMPLES,
                    .kept = s->dimensions < 2 ? s->dimensions : 2,
                    .stride = (s->stored->schedule.steps + MOST_ROWS - 1) / MOST_ROWS};
    dd_arena arena = {0};
    DD_TRY(make_arrays(s, &t));
    take_points(s, &t, &arena);
    if (!dd_arena_allocate(&arena))
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d trajectories", t.n);
    take_points(s, &t, &arena);
    dd_status status = follow(s, &t);
    for (int i = 0; i < s->dimensions * t.n; i++)
        *t.difference = fmaxf(*t.difference, fabsf(t.now[i] - s->samples.x[i]));
    free(arena.memory);
    return status;
}
