#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/directories.h"
#include "base/lock.h"
#include "base/pool.h"
#include "cli/commands.h"
#include "cli/config_option.h"
#include "cli/progress.h"
#include "data/generators.h"
#include "metrics/kl.h"
#include "metrics/measure.h"
#include "run/excess.h"
#include "run/loaded_run.h"
#include "store/overwrite.h"
#include "store/paths.h"

static const dd_option options[] = {
    {"dataset", "NAME|FILE", false,
     "points to compare the samples with; a FILE in the units of the run's data, whose columns are found by their "
     "names. Default: those the run was trained on; a FILE is read again from its old place."},
    {"config", "CONFIG", false,
     "sample and measure with this configuration's [sampling] and [evaluation]; its other sections must equal the "
     "run's. Default: the run's own."},
    {"set", "KEY=VALUE", true, "override a value of [sampling] or [evaluation], for instance sampling.steps=20."},
    {"out", "DIR", false,
     "store samples and metrics as DIR/<config>/<dataset>/seed_<n>.h5, which `dualdiff compare DIR` shows together "
     "with the runs."},
    DD_OVERWRITE_OPTION,
    {"complete", NULL, false,
     "measure the stored samples, and add the metrics that are missing in RUN.h5. The only other options allowed are "
     "--dataset (if the run needs it), --threads, --backend and --quiet."},
    DD_READING_OPTIONS,
    DD_BACKEND_OPTION,
    {"threads", "N", false,
     "threads of the CPU backend, and of the metrics with any backend. Default: 0, one for each core that this process "
     "may use."},
    DD_OPTION_QUIET,
    {0}};

const dd_command dd_command_evaluate = {
    .name = "evaluate",
    .summary = "recompute the metrics of a stored run",
    .synopsis = "RUN.h5 [--dataset NAME|FILE] " DD_READING_SYNOPSIS
                "[--config CONFIG] [--set KEY=VALUE ...] [--out DIR] [--overwrite] [--complete] "
                "[--backend " DD_BACKENDS "] [--threads N] [--quiet]",
    .description = "Computes the metrics of a finished run (all except training_time) from its stored parameters, and "
                   "prints them next to the stored ones; docs/metrics.md defines them. With the points it was trained "
                   "on, and on the machine that measured it, the differences are 0 (except for the time). The file is "
                   "changed only with --complete: this adds metrics that are missing because memory was short when the "
                   "run was measured, or because an older program did not know them.\n\n"
                   "With --config or --set it shows the metrics of another sampler with the same network.",
    .least_words = 1,
    .most_words = 1,
    .words_name = "RUN.h5",
    .options = options,
    .examples = "    dualdiff evaluate runs/run_1/dino/seed_0.h5\n"
                "    dualdiff evaluate runs/run_1/dino/seed_0.h5 --dataset mine.csv\n"
                "    dualdiff evaluate runs/run_1/dino/seed_0.h5 --set sampling.steps=20 --set sampling.eta=0\n",
    .run = dd_cmd_evaluate};

/* The loss on held-out points, and what it exceeds that of the exact denoiser by. NaN if there are none (n = 0). */
static dd_status measure_heldout(const dd_loaded *s, const dd_points *heldout, double *loss, dd_excess *excess)
{
    const dd_points *const of[] = {heldout};
    uint32_t batch = (uint32_t)s->header.config.training.batch;
    dd_heldout_pass pass = {&s->schedule, 1, batch, &s->header.seed, of, loss};
    dd_pool *pool = dd_backend_pool(s->backend);
    *loss = NAN;
    *excess = dd_excess_unknown;
    if (!heldout->n)
        return DD_OK;
    dd_pool_phase(pool, "evaluating the held-out loss");
    DD_TRY(dd_ensemble_evaluate(s->ensemble, DD_STATE_ONLINE, DD_DRAW_HELDOUT, of, loss, NULL));
    return dd_excess_measure(s->ensemble, &pass, pool, excess);
}

/* Measure against `points`, which may be the training points, and `heldout`, which may be none (n = 0). samples
 * receives the measured x and initial_noise (evaluation.samples, D). */
static dd_status measure(const char *path, const dd_loaded *s, const dd_points *points, const dd_points *heldout,
                         bool training, const char *dataset, dd_samples *samples, dd_metrics *m)
{
    const dd_config *c = &s->header.config;
    uint32_t n = (uint32_t)c->evaluation.samples;
    double eval_loss, heldout_loss;
    dd_excess excess;
    int measured;
    dd_pool *pool = dd_backend_pool(s->backend);
    dd_pool_phase(pool, "evaluating the loss");
    DD_TRY(dd_ensemble_evaluate(s->ensemble, DD_STATE_ONLINE, DD_DRAW_EVALUATE, (const dd_points *const[]){points},
                                &eval_loss, NULL));
    DD_TRY(measure_heldout(s, heldout, &heldout_loss, &excess));
    double began = dd_now();
    DD_TRY(dd_loaded_sample(path, s, training ? points : NULL, s->header.seed, n, samples));
    double inference_time = dd_now() - began;
    dd_status status =
        dd_metrics_of_samples(pool, 1, (const dd_points *const[]){points}, (const dd_points *const[]){heldout},
                              samples->x, n, &c->evaluation, m, &measured);
    if (status)
        return dd_fail_context("%s", dataset);
    m->eval_loss = eval_loss;
    m->heldout_loss = heldout_loss;
    dd_excess_metrics(&excess, m);
    m->inference_time = inference_time;
    return DD_OK;
}

static void print_metrics(const dd_metrics *computed, const dd_metrics *stored)
{
    dd_metrics now = *computed, then = *stored;
    printf("%-18s %-5s %14s %14s %14s\n", "metric", "unit", "computed", "stored", "difference");
    for (int i = 0; i < DD_METRICS; i++) {
        double a = *dd_metric(&now, i), b = *dd_metric(&then, i);
        if (isnan(a))
            continue;
        printf("%-18s %-5s %14.9g", dd_metric_table[i].name, dd_metric_table[i].unit, a);
        if (isnan(b))
            printf(" %14s %14s\n", "-", "-");
        else
            printf(" %14.9g %14.3g\n", b, a - b);
    }
}

typedef struct output {
    const char *dir;         /* NULL: nothing is stored */
    const char *config_name; /* "": the run's own */
    bool overwrite;
} output;

static const char again[] = "generated points, from the averaged parameters of a run that was stored before";

static char *target_of(const dd_loaded *s, const output *o)
{
    return dd_run_path(o->dir, *o->config_name ? o->config_name : s->header.config_name, s->header.dataset,
                       s->header.seed, ".h5");
}

static dd_status check_target(const char *path, bool overwrite)
{
    if (!path)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    if (!overwrite && !access(path, F_OK))
        return dd_fail(DD_ERR_CONFLICT, "%s exists; use another --out, or replace it with --overwrite", path);
    return dd_overwrite_check_draw(path, again, overwrite);
}

/* Store the samples as a result without a network. gate (evaluation.samples, gates): memory for the weights of the
 * samples. */
static dd_status store(const dd_loaded *s, const output *o, const dd_points *training, const dd_samples *samples,
                       float *gate, const dd_metrics *computed, dd_progress_view *view)
{
    uint32_t n = (uint32_t)s->header.config.evaluation.samples;
    if (s->model.gates)
        DD_TRY(dd_ensemble_predict(s->ensemble, DD_STATE_EMA, samples->x, n, 0, &(dd_prediction){.gate = gate}));
    dd_run run = dd_loaded_run(s);
    if (*o->config_name)
        run.config_name = o->config_name;
    char *path = target_of(s, o);
    if (!path)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_result result = {.metrics = *computed,
                        .samples = n,
                        .x = samples->x,
                        .initial_noise = samples->initial_noise,
                        .gate = s->model.gates ? gate : NULL,
                        .gates = s->model.gates,
                        .training = training};
    dd_lock *lock = NULL;
    dd_status status = dd_make_directories(path, "--out");
    if (!status)
        status = dd_lock_acquire(path, &lock); /* a run of this name may be training */
    if (!status)
        status = check_target(path, o->overwrite);
    if (!status)
        status = dd_result_write_samples(path, &run, &result, again);
    dd_lock_release(lock);
    if (!status)
        dd_progress_wrote(view, "wrote %s", path);
    free(path);
    return status;
}

/* Whether these points can be measured, and the metrics be stored. same: they are the training points. */
static dd_status check_points(const char *path, const dd_loaded *s, const dd_points *points, bool same,
                              const char *dataset, const output *out)
{
    const dd_config *c = &s->header.config;
    dd_status status = dd_check_measurable(points->x, points->n, points->columns.count, c->evaluation.k);
    if (status)
        return dd_fail_context("%s", dataset);
    if (!same && c->sampling.start == DD_START_DATA && !*s->header.dataset_path &&
        !dd_generator_find(dd_header_set(&s->header)))
        return dd_fail(DD_ERR_USAGE,
                       "evaluate: %s starts sampling from the file that it was trained on, so %s is not enough to "
                       "measure it; give that file as --dataset, or --set sampling.start=normal",
                       path, dataset);
    if (out->dir && !same)
        return dd_fail(DD_ERR_USAGE,
                       "evaluate: --out stores metrics to compare with the run's, but %s is not what %s was trained "
                       "on; leave out --out or --dataset",
                       dataset, path);
    return DD_OK;
}

static dd_status prepare_target(const dd_loaded *s, const output *out)
{
    char *target = target_of(s, out);
    dd_status status = check_target(target, out->overwrite);
    if (!status)
        status = dd_prepare_path(target, "--out");
    free(target);
    return status;
}

static void take_samples(const dd_loaded *s, dd_samples *samples, float **gate, dd_arena *arena)
{
    size_t n = (size_t)s->header.config.evaluation.samples, dimensions = (size_t)s->model.dimensions;
    DD_TAKE(arena, samples->x, dimensions * n);
    DD_TAKE(arena, samples->initial_noise, dimensions * n);
    DD_TAKE(arena, *gate, (size_t)s->model.gates * n);
}

static dd_status evaluate_points(const char *path, const dd_loaded *s, const dd_points *points,
                                 const dd_points *heldout, bool same, const char *dataset, const output *out,
                                 dd_progress_view *view)
{
    dd_metrics computed, stored;
    dd_samples samples = {0};
    float *gate;
    dd_arena arena = {0};
    take_samples(s, &samples, &gate, &arena);
    if (!dd_arena_allocate(&arena))
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d points", s->header.config.evaluation.samples);
    take_samples(s, &samples, &gate, &arena);
    dd_status status = dd_result_read_metrics(path, &stored);
    if (!status)
        status = measure(path, s, points, heldout, same, dataset, &samples, &computed);
    if (!status && out->dir)
        status = store(s, out, points, &samples, gate, &computed, view);
    dd_progress_clear(view);
    if (!status) {
        printf("%s on %s%s\n\n", path, points->name, same ? "" : " (not the points it was trained on)");
        print_metrics(&computed, &stored);
    }
    free(arena.memory);
    return status;
}

/* What was left out of a file, and how its columns were matched. */
static void tell_note(dd_progress_view *view, const char *dataset, const char *note)
{
    char line[DD_POINTS_NOTE + 300];
    snprintf(line, sizeof line, "%.256s: %s", dataset, note);
    dd_progress_message(view, line);
}

static dd_status evaluate(const char *path, const dd_loaded *s, const char *asked, const output *out,
                          dd_progress_view *view)
{
    const char *dataset = asked ? asked : s->header.dataset;
    dd_points points, heldout;
    bool same;
    DD_TRY(dd_loaded_points(path, s, asked, &points, &heldout, &same));
    if (*points.note && !same)
        tell_note(view, dataset, points.note);
    dd_status status = check_points(path, s, &points, same, dataset, out); /* check before the work */
    if (!status && out->dir)
        status = prepare_target(s, out);
    if (!status)
        status = evaluate_points(path, s, &points, &heldout, same, dataset, out, view);
    dd_points_free(&points);
    dd_points_free(&heldout);
    return status;
}

/* Keep only the metrics of `computed` that are missing in the file; returns how many. */
static int missing(const dd_metrics *stored, const dd_metrics *computed, dd_metrics *added)
{
    dd_metrics then = *stored, now = *computed;
    int count = 0;
    for (int i = 0; i < DD_METRICS; i++) {
        bool missing = isnan(*dd_metric(&then, i)) && !isnan(*dd_metric(&now, i));
        *dd_metric(added, i) = missing ? *dd_metric(&now, i) : NAN;
        count += missing;
    }
    return count;
}

static dd_status add_missing(const char *path, const dd_metrics *stored, const dd_metrics *computed)
{
    dd_metrics added;
    if (!missing(stored, computed, &added)) {
        printf("%s already has all metrics that can be computed\n", path);
        return DD_OK;
    }
    DD_TRY(dd_result_add_metrics(path, &added));
    for (int i = 0; i < DD_METRICS; i++)
        if (!isnan(*dd_metric(&added, i)))
            printf("%s: added %s %.9g\n", path, dd_metric_table[i].name, *dd_metric(&added, i));
    return DD_OK;
}

/* Measure the stored samples, not new ones, so that the added metrics belong to the same samples as the stored
 * metrics. Those of held-out points need no samples. */
static dd_status complete(const char *path, const dd_loaded *s, const char *asked)
{
    dd_points points = {0}, heldout = {0};
    dd_metrics stored, computed;
    double heldout_loss;
    dd_excess excess;
    float *x = NULL;
    uint32_t n;
    int measured;
    dd_status status;
    dd_lock *lock;
    DD_TRY(dd_lock_acquire(path, &lock));
    DD_CHECK(dd_loaded_own_points("evaluate", path, s, asked, &points, &heldout));
    DD_CHECK(dd_result_read_metrics(path, &stored));
    DD_CHECK(dd_result_read_samples(path, &x, &n));
    DD_CHECK(dd_metrics_of_samples(dd_backend_pool(s->backend), 1, (const dd_points *const[]){&points},
                                   (const dd_points *const[]){&heldout}, x, n, &s->header.config.evaluation, &computed,
                                   &measured));
    DD_CHECK(measure_heldout(s, &heldout, &heldout_loss, &excess));
    computed.heldout_loss = heldout_loss;
    dd_excess_metrics(&excess, &computed);
    status = add_missing(path, &stored, &computed);
done:
    dd_lock_release(lock);
    dd_points_free(&points);
    dd_points_free(&heldout);
    free(x);
    return status;
}

/* --complete does not change the run's settings, so it excludes other options. */
static dd_status check_complete(const dd_args *args)
{
    static const char *const others[] = {"config", "set", "out"};
    for (int i = 0; i < 3 && dd_args_has(args, "complete"); i++)
        if (dd_args_has(args, others[i]))
            return dd_fail(DD_ERR_USAGE,
                           "evaluate: --complete only adds metrics that are missing in RUN.h5; leave out --%s",
                           others[i]);
    return DD_OK;
}

/* A configuration file does not say how the points of this run were made in the end: what it leaves open, and what
 * concerns a file of points, is what the run did. */
static void settle_data(dd_data_config *data, const dd_data_config *stored)
{
    data->dimensions = data->dimensions ? data->dimensions : stored->dimensions;
    data->modes = data->modes ? data->modes : stored->modes;
    data->rank = data->rank ? data->rank : stored->rank;
    data->scale = stored->scale;
    data->heldout_share = stored->heldout_share;
}

/* The stored configuration, with --config's and --set's [sampling] and [evaluation]. */
static dd_status configure(const dd_args *args, const char *path, dd_config *config)
{
    static const char *const fixed[] = {"model", "diffusion", "training", "data", NULL};
    const char *file = dd_args_value(args, "config", NULL);
    dd_header header;
    DD_TRY(dd_header_read(path, &header));
    *config = header.config;
    if (file)
        DD_TRY(dd_config_open(file, config));
    settle_data(&config->data, &header.config.data);
    DD_TRY(dd_override_config(args, config));
    char *difference = dd_config_difference(config, &header.config, fixed);
    if (!difference)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status =
        *difference ? dd_fail(DD_ERR_USAGE,
                              "%s was trained with other settings; only [sampling] and [evaluation] can change now. If "
                              "you only need the sampler of --config, set its values with --set. What differs:\n%s",
                              path, difference)
                    : DD_OK;
    free(difference);
    return status;
}

dd_status dd_cmd_evaluate(int argc, char **argv)
{
    dd_args args;
    dd_loaded stored;
    dd_config config;
    char name[64] = "";
    dd_progress_view view;
    int threads;
    dd_status status = dd_args_parse(&dd_command_evaluate, argc, argv, &args);
    if (status || args.help)
        goto done;
    DD_CHECK(dd_args_threads(&args, &threads));
    DD_CHECK(check_complete(&args));
    dd_progress_start(&view, dd_args_has(&args, "quiet"));
    DD_CHECK(configure(&args, args.word[0], &config));
    if (dd_args_value(&args, "config", NULL))
        DD_CHECK(dd_config_name(dd_args_value(&args, "config", NULL), name));
    DD_CHECK(dd_loaded_open(args.word[0], &config, dd_args_value(&args, "backend", "auto"), threads, &stored));
    dd_progress_watch(&view, dd_backend_pool(stored.backend));
    status = dd_reading_option(&args, &stored.reading);
    if (!status && dd_args_has(&args, "complete"))
        status = complete(args.word[0], &stored, dd_args_value(&args, "dataset", NULL));
    else if (!status)
        status = evaluate(args.word[0], &stored, dd_args_value(&args, "dataset", NULL),
                          &(output){dd_args_value(&args, "out", NULL), name, dd_args_has(&args, "overwrite")}, &view);
    dd_loaded_close(&stored);
done:
    dd_args_free(&args);
    return status;
}
