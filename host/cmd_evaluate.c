#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "commands.h"
#include "stored.h"

static const dd_option options[] = {{"dataset", "NAME|FILE", 0,
                                     "points to measure against. Default: those the run was trained on, which a run "
                                     "that was trained on a FILE needs to be told again."},
                                    {"backend", "auto|cpu|cuda", 0, "where to compute. Default: auto."},
                                    {"threads", "N", 0, "threads of the CPU backend. Default: 0, one per core."},
                                    {0}};

const dd_command dd_command_evaluate = {
    .name = "evaluate",
    .summary = "recompute the metrics of a stored run",
    .synopsis = "RUN.h5 [--dataset NAME|FILE] [--backend auto|cpu|cuda] [--threads N]",
    .description =
        "Computes the metrics of a finished run (all but training_time) from its stored parameters, and prints them "
        "beside the stored ones; docs/metrics.md says what they are. On the points it was trained on, and the machine "
        "that measured it, the differences are 0 (but for the time). The file is not changed.",
    .least_words = 1,
    .most_words = 1,
    .words_name = "RUN.h5",
    .options = options,
    .examples = "    dualdiff evaluate runs/run_1/dino/seed_0.h5\n"
                "    dualdiff evaluate runs/run_1/dino/seed_0.h5 --dataset mine.csv\n",
    .run = dd_cmd_evaluate};

static int measure(const dd_stored *s, const dd_points *points, const char *dataset, dd_metrics *m)
{
    const dd_config *c = &s->header.config;
    uint32_t n = (uint32_t)c->evaluation.samples;
    uint64_t seed = s->header.seed;
    dd_points fresh = {0};
    double eval_loss, heldout_loss = NAN;
    float *x = malloc(2 * (size_t)n * sizeof *x);
    int status = x ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory for %u points", n);
    if (status)
        goto done;
    DD_CHECK(dd_ensemble_evaluate(s->ensemble, DD_STATE_ONLINE, DD_DRAW_EVALUATE, (const dd_points *const[]){points},
                                  &eval_loss));
    if (points->generated) {
        DD_CHECK(dd_points_open(dataset, (uint32_t)c->evaluation.heldout, c->data.seed, DD_STREAM_HELDOUT, &fresh));
        DD_CHECK(dd_ensemble_evaluate(s->ensemble, DD_STATE_ONLINE, DD_DRAW_HELDOUT, (const dd_points *const[]){&fresh},
                                      &heldout_loss));
    }
    double began = dd_now();
    DD_CHECK(dd_ensemble_sample(s->ensemble, DD_STATE_EMA, &seed, n, &(dd_samples){.x = x}));
    double inference_time = dd_now() - began;
    status = dd_metrics_on_points(s->backend, points, x, n, &c->evaluation, m);
    if (status) {
        dd_fail_context("%s", dataset);
        goto done;
    }
    m->eval_loss = eval_loss;
    m->heldout_loss = heldout_loss;
    m->inference_time = inference_time;
done:
    dd_points_free(&fresh);
    free(x);
    return status;
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

static int evaluate(const char *path, const dd_stored *s, const char *asked)
{
    const char *dataset = asked ? asked : s->header.dataset;
    dd_points points;
    dd_metrics computed, stored;
    int same;
    DD_TRY(dd_stored_points(path, s, asked, &points, &same));
    int status = dd_result_read_metrics(path, &stored);
    if (!status)
        status = measure(s, &points, dataset, &computed);
    if (!status) {
        printf("%s on %s%s\n\n", path, points.name, same ? "" : " (not the points it was trained on)");
        print_metrics(&computed, &stored);
    }
    dd_points_free(&points);
    return status;
}

int dd_cmd_evaluate(int argc, char **argv)
{
    dd_args args;
    dd_stored stored;
    long long threads;
    int status = dd_args_parse(&dd_command_evaluate, argc, argv, &args);
    if (status || args.help)
        goto done;
    DD_CHECK(dd_args_integer(&args, "threads", 0, 4096, 0, &threads));
    DD_CHECK(dd_stored_open(args.word[0], dd_args_value(&args, "backend", "auto"), (int)threads, &stored));
    status = evaluate(args.word[0], &stored, dd_args_value(&args, "dataset", NULL));
    dd_stored_close(&stored);
done:
    dd_args_free(&args);
    return status;
}
