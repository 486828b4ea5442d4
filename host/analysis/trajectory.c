/* The trajectories of the first stored samples from noise to data. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/parts.h"
#include "base/pool.h"
#include "model/reverse_step.h"

enum { MOST_SAMPLES = 2000, MOST_ROWS = 100 };

dd_status dd_analyse_trajectory(dd_scene *s)
{
    const dd_schedule *schedule = &s->stored->schedule;
    int steps = schedule->steps, stride = (steps + MOST_ROWS - 1) / MOST_ROWS, rows = (steps + stride - 1) / stride + 1;
    int n = s->samples.samples < MOST_SAMPLES ? (int)s->samples.samples : MOST_SAMPLES;
    size_t row_x = 2 * (size_t)n, row_weight = (size_t)n * (size_t)s->experts;
    const dd_axis *step, *sample;
    float *x, *weight, *timestep, *difference;
    DD_TRY(dd_scene_axis(s, "step", rows, true, "1", "reverse steps done", &step));
    DD_TRY(dd_scene_axis(s, "sample", n, true, "1", "generated point", &sample));
    DD_TRY(dd_scene_array(s, "trajectory/x", 3, (const dd_axis *[]){step, sample, s->coordinate}, "1",
                          "points along the trajectory: x_T first, the sample last", &x));
    DD_TRY(dd_scene_array(s, "trajectory/weight", 3, (const dd_axis *[]){step, sample, s->expert}, "1",
                          "weight of each expert at these points and the next timestep; for the samples at timestep 0",
                          &weight));
    DD_TRY(dd_scene_array(s, "trajectory/timestep", 1, &step, "1", "that timestep", &timestep));
    DD_TRY(dd_scene_array(s, "trajectory/difference", 0, NULL, "1",
                          "largest difference between a coordinate here at the end and in /samples/x", &difference));
    float *now = malloc((2 * row_x + row_weight) * sizeof *now);
    if (!now)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d trajectories", n);
    float *mixture = now + row_x, *weight_now = mixture + row_x;
    dd_status status = DD_OK;
    int row = 0;
    uint64_t seed = s->stored->header.seed;
    memcpy(now, s->samples.start, row_x * sizeof *now);
    for (int done = 0; done <= steps && !status; done++) {
        int place = done < steps ? steps - 1 - done : 0, t = done < steps ? schedule->timestep[place] : 0;
        status = dd_scene_predict(s, now, (uint32_t)n, t, weight_now, NULL, mixture);
        if (status)
            break;
        if (done % stride == 0 || done == steps) {
            step->value[row] = done;
            timestep[row] = (float)t;
            memcpy(x + (size_t)row * row_x, now, row_x * sizeof *x);
            memcpy(weight + (size_t)row * row_weight, weight_now, row_weight * sizeof *weight);
            row++;
        }
        for (uint32_t i = 0; i < (uint32_t)n && done < steps; i++)
            dd_reverse_step(schedule, place, seed, i, mixture + 2 * (size_t)i, now + 2 * (size_t)i);
        dd_pool_tell(dd_backend_pool(s->stored->backend), done + 1, steps + 1);
    }
    for (size_t i = 0; i < row_x; i++)
        *difference = fmaxf(*difference, fabsf(now[i] - s->samples.x[i]));
    free(now);
    return status;
}
