#include "cli/draws.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directories.h"
#include "base/lock.h"
#include "base/names.h"
#include "base/statistics.h"
#include "cli/config_option.h"
#include "data/dataset.h"
#include "data/generators.h"
#include "metrics/measure.h"
#include "store/overwrite.h"
#include "store/paths.h"
#include "store/store.h"

dd_status dd_draws_open(const dd_args *args, dd_progress_view *view, dd_draws *d)
{
    long long draws;
    int threads;
    const char **datasets;
    int count;
    dd_progress_start(view, dd_args_has(args, "quiet"));
    *d = (dd_draws){.view = view,
                    .dataset = dd_args_value(args, "dataset", NULL),
                    .out = dd_args_value(args, "out", NULL),
                    .overwrite = dd_args_has(args, "overwrite")};
    if (!d->dataset)
        return dd_fail(DD_ERR_USAGE, "%s: --dataset NAME is missing, for instance --dataset dino", args->command->name);
    DD_TRY(dd_args_values(args, "dataset", &datasets, &count));
    free(datasets);
    if (count > 1)
        return dd_fail(DD_ERR_USAGE, "%s: one --dataset at a time", args->command->name);
    DD_TRY(dd_args_integer(args, "draws", 1, 10000, 5, &draws));
    DD_TRY(dd_args_threads(args, &threads));
    d->draws = (int)draws;
    DD_TRY(dd_read_config(args, &d->config));
    DD_TRY(dd_config_name(args->word[0], d->config_name));
    const dd_data_config *data = &d->config.data;
    dd_status status = dd_truth_create(d->dataset, data, &d->truth);
    if (!status)
        status = dd_points_request(&(dd_request){.name = d->dataset,
                                                 .data = data,
                                                 .n = (uint32_t)data->points,
                                                 .seed = data->seed,
                                                 .stream = DD_STREAM_TRAIN},
                                   &d->points, NULL);
    if (!status)
        d->config.data = d->points.data;
    if (!status)
        status = dd_points_more(&d->points, (uint32_t)d->config.evaluation.heldout, data->seed, DD_STREAM_HELDOUT,
                                &d->heldout);
    if (!status)
        status = dd_backend_open("cpu", threads, &d->backend);
    if (!status)
        dd_progress_watch(view, dd_backend_pool(d->backend));
    return status;
}

void dd_draws_close(dd_draws *d)
{
    dd_backend_close(d->backend);
    dd_points_free(&d->points);
    dd_points_free(&d->heldout);
    dd_truth_free(&d->truth);
}

/* ---- storing ---- */

/* Check that a stored result of this name was made from the same data and, if it matters, with the same schedule. */
static dd_status check_configuration(const dd_draws *d, const dd_draw_source *source, const char *path)
{
    static const char *const sections[] = {"data", "evaluation", "diffusion", "sampling", NULL};
    static const char *const data[] = {"data", "evaluation", NULL};
    dd_header header;
    DD_TRY(dd_header_read(path, &header));
    char *difference = dd_config_difference(&d->config, &header.config, source->diffuses ? sections : data);
    if (!difference)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status = DD_OK;
    if (*difference)
        status = dd_fail(DD_ERR_CONFLICT,
                         "%s was made with another configuration; choose another --out, or replace it with "
                         "--overwrite:\n%s",
                         path, difference);
    free(difference);
    return status;
}

static dd_status check_stored(const dd_draws *d, const dd_draw_source *source, const char *path)
{
    DD_TRY(dd_overwrite_check_draw(path, source->points, d->overwrite));
    return d->overwrite || access(path, F_OK) ? DD_OK : check_configuration(d, source, path);
}

static dd_status store(const dd_draws *d, const dd_draw_source *source, uint64_t seed, const dd_result *result)
{
    dd_run run = dd_run_of(&d->config, source->run, &d->points, seed, d->backend);
    char *path = dd_run_path(d->out, source->run, d->points.name, seed, ".h5");
    if (!path)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_lock *lock = NULL;
    dd_status status = dd_make_directories(path, "--out");
    if (!status)
        status = dd_lock_acquire(path, &lock); /* a run of this name may be training */
    if (!status)
        status = check_stored(d, source, path);
    if (!status)
        status = dd_result_write_samples(path, &run, result, source->points);
    dd_lock_release(lock);
    free(path);
    return status;
}

/* Check this before the work. */
static dd_status check_all_stored(const dd_draws *d, const dd_draw_source *source)
{
    dd_status status = DD_OK;
    for (int i = 0; i < d->draws && d->out && !status; i++) {
        char *path = dd_run_path(d->out, source->run, d->points.name, (uint64_t)i, ".h5");
        status = path ? check_stored(d, source, path) : dd_fail(DD_ERR_MEMORY, "out of memory");
        if (!status)
            status = dd_prepare_path(path, "--out");
        free(path);
    }
    return status;
}

/* ---- printing ---- */

static dd_status print_metrics(const dd_draws *d, const dd_draw_source *source, dd_metrics *metrics)
{
    size_t count = (size_t)d->draws;
    double *value = malloc(count * sizeof *value), kl = NAN;
    if (!value)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d draws", d->draws);
    printf("%s on %s: %d draw%s of %d points\n\n", source->run, d->points.name, d->draws, dd_plural(d->draws),
           d->config.evaluation.samples);
    printf("%-20s %12s %12s %12s %12s  unit\n", "metric", "mean", "sd", "2.5 %", "97.5 %");
    for (int i = 0; i < DD_METRICS; i++) {
        for (size_t j = 0; j < count; j++)
            value[j] = *dd_metric(&metrics[j], i);
        dd_summary s = dd_summarise(value, d->draws, sizeof *value);
        if (s.n < d->draws)
            continue;
        double end[2];
        dd_quantiles(value, count, (const double[]){.025, .975}, 2, end);
        char sd[32] = "-";
        if (s.n > 1)
            snprintf(sd, sizeof sd, "%.6g", s.sd);
        printf("%-20s %12.6g %12s %12.6g %12.6g  %s\n", dd_metric_table[i].name, s.mean, sd, end[0], end[1],
               dd_metric_table[i].unit);
        if (!strcmp(dd_metric_table[i].name, "kl_divergence"))
            kl = s.mean;
    }
    printf("\nkl_divergence %.6g\n", kl);
    free(value);
    return DD_OK;
}

/* ---- all of it ---- */

static dd_status one_draw(const dd_draws *d, const dd_draw_source *source, uint64_t seed, float *x, dd_metrics *metrics)
{
    uint32_t n = (uint32_t)d->config.evaluation.samples;
    float *noise = x + (size_t)d->points.columns.count * n;
    double began = dd_now();
    DD_TRY(source->draw(d, source->user, seed, n, x, noise));
    double seconds = dd_now() - began;
    int measured;
    DD_TRY(dd_metrics_of_samples(dd_backend_pool(d->backend), 1, (const dd_points *const[]){&d->points},
                                 (const dd_points *const[]){&d->heldout}, x, n, &d->config.evaluation, metrics,
                                 &measured));
    if (source->diffuses)
        metrics->inference_time = seconds;
    if (!d->out)
        return DD_OK;
    dd_result result = {.metrics = *metrics,
                        .samples = n,
                        .x = x,
                        .initial_noise = source->diffuses ? noise : NULL,
                        .training = &d->points};
    return store(d, source, seed, &result);
}

dd_status dd_draws_run(const dd_draws *d, const dd_draw_source *source)
{
    size_t n = (size_t)d->config.evaluation.samples;
    DD_TRY(check_all_stored(d, source));
    dd_metrics *metrics = malloc((size_t)d->draws * sizeof *metrics);
    float *x = malloc(2 * (size_t)d->points.columns.count * n * sizeof *x);
    dd_status status = metrics && x ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory for %d draws", d->draws);
    for (int i = 0; i < d->draws && !status; i++) {
        dd_progress_part(d->view, i, d->draws);
        status = one_draw(d, source, (uint64_t)i, x, &metrics[i]);
    }
    dd_progress_clear(d->view);
    if (!status)
        status = print_metrics(d, source, metrics);
    if (!status && d->out)
        dd_progress_wrote(d->view, "wrote %s/%s/%s: %d draw%s in %.1f s", d->out, source->run, d->points.name, d->draws,
                          dd_plural(d->draws), dd_progress_seconds(d->view));
    free(metrics);
    free(x);
    return status;
}
