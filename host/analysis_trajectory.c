/* The way of the first stored samples from noise to data. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis_run.h"

enum { MOST_SAMPLES = 2000, MOST_ROWS = 100 };

static void normals(const dd_scene *s, int t, uint32_t sample, float normal[2])
{
    uint32_t word[4];
    dd_philox(s->stored->header.seed, DD_DRAW_SAMPLE, (uint32_t)t, sample, word);
    dd_normal2(word[0], word[1], normal);
}

/* x [n][2] at timestep t becomes that at t - 1. */
static void reverse_step(const dd_scene *s, int t, uint32_t n, const float *noise, float *x)
{
    const dd_schedule *schedule = &s->stored->schedule;
    for (uint32_t i = 0; i < n; i++) {
        float z[2] = {0.f, 0.f};
        if (t)
            normals(s, t, i, z);
        for (size_t c = 0; c < 2; c++) {
            size_t at = 2 * (size_t)i + c;
            x[at] = schedule->keep[t] * x[at] - schedule->remove[t] * noise[at] + schedule->sigma[t] * z[c];
        }
    }
}

int dd_analyse_trajectory(dd_scene *s)
{
    int T = s->timesteps, stride = (T + MOST_ROWS - 1) / MOST_ROWS, rows = (T + stride - 1) / stride + 1;
    int n = s->samples.samples < MOST_SAMPLES ? (int)s->samples.samples : MOST_SAMPLES;
    size_t row_x = 2 * (size_t)n, row_weight = (size_t)n * (size_t)s->experts;
    const dd_axis *step, *sample;
    float *x, *weight, *difference;
    DD_TRY(dd_scene_axis(s, "step", rows, 1, "1", "reverse steps done", &step));
    DD_TRY(dd_scene_axis(s, "sample", n, 1, "1", "generated point", &sample));
    DD_TRY(dd_scene_array(s, "trajectory/x", 3, (const dd_axis *[]){step, sample, s->coordinate}, "1",
                          "points on their way: x_T first, the sample last", &x));
    DD_TRY(dd_scene_array(s, "trajectory/weight", 3, (const dd_axis *[]){step, sample, s->expert}, "1",
                          "weight of each expert there at the next timestep; of the samples at timestep 0", &weight));
    DD_TRY(dd_scene_array(s, "trajectory/difference", 0, NULL, "1",
                          "largest difference between a coordinate here at the end and in /samples/x", &difference));
    float *now = malloc((2 * row_x + row_weight) * sizeof *now);
    if (!now)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d trajectories", n);
    float *noise = now + row_x, *weight_now = noise + row_x;
    int status = DD_OK, row = 0;
    for (uint32_t i = 0; i < (uint32_t)n; i++)
        normals(s, T, i, now + 2 * (size_t)i);
    for (int done = 0; done <= T && !status; done++) {
        int t = done < T ? T - 1 - done : 0;
        status = dd_scene_predict(s, now, (uint32_t)n, t, weight_now, NULL, noise);
        if (status)
            break;
        if (done % stride == 0 || done == T) {
            step->value[row] = done;
            memcpy(x + (size_t)row * row_x, now, row_x * sizeof *x);
            memcpy(weight + (size_t)row * row_weight, weight_now, row_weight * sizeof *weight);
            row++;
        }
        if (done < T)
            reverse_step(s, t, (uint32_t)n, noise, now);
    }
    for (size_t i = 0; i < row_x; i++)
        *difference = fmaxf(*difference, fabsf(now[i] - s->samples.x[i]));
    free(now);
    return status;
}
