/* The gate and each expert on a grid over the plane, at chosen timesteps. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "analysis/parts.h"
#include "base/pool.h"

enum { SIDE = 128 };

/* The data's bounding box with a margin of a quarter of its extent. */
static dd_status grid_axis(dd_scene *s, int c, const char *name, const dd_axis **axis)
{
    const dd_regions *r = &s->regions;
    DD_TRY(dd_scene_axis(s, name, SIDE, false, "1", c ? "second coordinate" : "first coordinate", axis));
    for (int i = 0; i < SIDE; i++)
        (*axis)->value[i] = r->low[c] + r->extent[c] * (1.5 * i / (SIDE - 1) - .25);
    return DD_OK;
}

/* Replace the experts' predictions by the noise that they imply: x = signal x_0 + noise eps and prediction = point x_0
 * + share eps, solved for eps. x [n][2], expert [n][experts][2]. */
static void imply_noise(const dd_scene *s, int t, const float *x, size_t n, float *expert)
{
    const dd_schedule *schedule = &s->stored->schedule;
    double signal = schedule->signal[t], noise = schedule->noise[t];
    double point = schedule->target_point[t], share = schedule->target_noise[t],
           determinant = point * noise - signal * share;
    size_t row = 2 * (size_t)s->experts;
    for (size_t i = 0; i < n * row; i++)
        expert[i] = (float)((point * x[i / row * 2 + i % 2] - signal * expert[i]) / determinant);
}

dd_status dd_analyse_map(dd_scene *s)
{
    const dd_axis *t = s->chosen, *x1, *x2;
    float *weight, *expert, *disagreement;
    size_t n = (size_t)SIDE * SIDE, experts = (size_t)s->experts;
    DD_TRY(grid_axis(s, 0, "x1", &x1));
    DD_TRY(grid_axis(s, 1, "x2", &x2));
    DD_TRY(dd_scene_array(s, "map/weight", 4, (const dd_axis *[]){t, x2, x1, s->expert}, "1", "weight of each expert",
                          &weight));
    DD_TRY(dd_scene_array(s, "map/noise", 5, (const dd_axis *[]){t, x2, x1, s->expert, s->coordinate}, "1",
                          "noise that each expert's prediction implies", &expert));
    DD_TRY(dd_scene_array(s, "map/disagreement", 3, (const dd_axis *[]){t, x2, x1}, "1",
                          "distance between the noises that two experts' predictions imply, mean over pairs",
                          &disagreement));
    float *x = malloc(2 * n * sizeof *x);
    if (!x)
        return dd_fail(DD_ERR_MEMORY, "out of memory for a map");
    for (size_t i = 0; i < n; i++) {
        x[2 * i] = (float)x1->value[i % SIDE];
        x[2 * i + 1] = (float)x2->value[i / SIDE];
    }
    dd_status status = DD_OK;
    for (int k = 0; k < t->size && !status; k++) {
        size_t first = (size_t)k * n;
        int time = (int)t->value[k];
        status =
            dd_scene_predict(s, x, (uint32_t)n, time, weight + first * experts, expert + 2 * first * experts, NULL);
        if (status)
            break;
        for (size_t i = first; i < first + n; i++)
            disagreement[i] = (float)dd_disagreement(s, time, expert + 2 * i * experts);
        imply_noise(s, time, x, n, expert + 2 * first * experts);
        dd_pool_tell(dd_backend_pool(s->stored->backend), k + 1, t->size);
    }
    free(x);
    return status;
}
