/* The gates that training logged: means and quantiles by timestep over the phases of training, and their entropy. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "analysis/parts.h"

enum { PHASES = 10, WINDOWS = 100 };

/* An axis over parts of the log; its values are the first steps of the parts. */
static dd_status part_axis(dd_scene *s, const dd_logged_gates *g, int parts, const char *name, const char *long_name,
                           const dd_axis **axis)
{
    DD_TRY(dd_scene_axis(s, name, parts < g->rows ? parts : g->rows, true, "1", long_name, axis));
    for (int i = 0; i < (*axis)->size; i++)
        (*axis)->value[i] = g->step[(long)i * g->rows / (*axis)->size];
    return DD_OK;
}

/* The rows of part i of an axis of parts: [first, last). */
static void part_rows(const dd_logged_gates *g, const dd_axis *axis, int i, int *first, int *last)
{
    *first = (int)((long)i * g->rows / axis->size);
    *last = (int)((long)(i + 1) * g->rows / axis->size);
}

/* Sort rows [first, last) by timestep: start[timesteps + 1] and, from start[t] on, the indices in the log of the points
 * with timestep t. */
static void by_timestep(const dd_logged_gates *g, int timesteps, int first, int last, size_t *start, size_t *place)
{
    for (int t = 0; t <= timesteps; t++)
        start[t] = 0;
    size_t from = (size_t)first * (size_t)g->batch, to = (size_t)last * (size_t)g->batch;
    for (size_t i = from; i < to; i++)
        if (g->timestep[i] >= 0.f)
            start[(int)g->timestep[i] + 1]++;
    for (int t = 0; t < timesteps; t++)
        start[t + 1] += start[t];
    for (size_t i = from; i < to; i++)
        if (g->timestep[i] >= 0.f)
            place[start[(int)g->timestep[i]]++] = i;
    for (int t = timesteps; t > 0; t--) /* the loop has moved each start to the next one */
        start[t] = start[t - 1];
    start[0] = 0;
}

static dd_status fill_phases(dd_scene *s, const dd_logged_gates *g)
{
    const dd_axis *phase;
    float *out, *mean;
    DD_TRY(part_axis(s, g, PHASES, "phase", "first step of a tenth of training", &phase));
    const dd_axis *const axis[] = {phase, s->timestep, s->expert, s->quantile};
    DD_TRY(dd_scene_array(s, "training/weight_quantile", 4, axis, "1",
                          "quantiles of each expert's weight on the training points of a phase", &out));
    DD_TRY(dd_scene_array(s, "training/weight_mean", 3, axis, "1",
                          "mean weight of each expert on the training points of a phase", &mean));
    size_t most = ((size_t)g->rows / (size_t)phase->size + 1) * (size_t)g->batch, experts = (size_t)s->experts;
    size_t *place = malloc(most * sizeof *place), *start = malloc(((size_t)s->timesteps + 1) * sizeof *start);
    double *values = malloc(most * sizeof *values);
    dd_status status = place && start && values ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory for logged gates");
    for (int p = 0; p < phase->size && !status; p++) {
        int first, last;
        part_rows(g, phase, p, &first, &last);
        by_timestep(g, s->timesteps, first, last, start, place);
        for (int t = 0; t < s->timesteps; t++)
            for (size_t e = 0; e < experts; e++) {
                size_t n = start[t + 1] - start[t];
                double sum = 0.;
                for (size_t i = 0; i < n; i++) {
                    values[i] = g->weight[place[start[t] + i] * experts + e];
                    sum += values[i];
                }
                size_t at = ((size_t)p * (size_t)s->timesteps + (size_t)t) * experts + e;
                mean[at] = (float)(sum / (double)n);
                dd_scene_quantiles(s, values, n, out + at * (size_t)s->quantile->size);
            }
    }
    free(place);
    free(start);
    free(values);
    return status;
}

static double entropy_term(double w)
{
    return w > 0. ? -w * log2(w) : 0.;
}

static dd_status fill_entropy(dd_scene *s, const dd_logged_gates *g)
{
    const dd_axis *window;
    float *each, *mean;
    DD_TRY(part_axis(s, g, WINDOWS, "step", "first step of a window", &window));
    DD_TRY(dd_scene_array(s, "training/entropy", 1, &window, "bit",
                          "entropy of the weights at a training point, mean over points", &each));
    DD_TRY(dd_scene_array(s, "training/entropy_of_mean", 1, &window, "bit", "entropy of the mean weights", &mean));
    for (int w = 0; w < window->size; w++) {
        double sum[DD_MAX_EXPERTS] = {0}, entropy = 0., n = 0.;
        int first, last;
        part_rows(g, window, w, &first, &last);
        for (size_t i = (size_t)first * (size_t)g->batch; i < (size_t)last * (size_t)g->batch; i++) {
            if (g->timestep[i] < 0.f)
                continue;
            n += 1.;
            for (int e = 0; e < s->experts; e++) {
                double weight = g->weight[i * (size_t)s->experts + (size_t)e];
                sum[e] += weight;
                entropy += entropy_term(weight);
            }
        }
        double of_mean = 0.;
        for (int e = 0; e < s->experts; e++)
            of_mean += entropy_term(sum[e] / n);
        each[w] = (float)(entropy / n);
        mean[w] = (float)of_mean;
    }
    return DD_OK;
}

dd_status dd_analyse_training(dd_scene *s)
{
    dd_logged_gates g;
    DD_TRY(dd_logged_gates_read(s->path, &s->stored->model, &s->stored->header.config, &g));
    dd_status status = fill_phases(s, &g);
    if (!status)
        status = fill_entropy(s, &g);
    dd_logged_gates_free(&g);
    return status;
}
