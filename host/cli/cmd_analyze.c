/* dualdiff analyze: measure what the gate and the experts of a stored run do, and store it in the run's file. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/analysis.h"
#include "analysis/analysis_file.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/names.h"
#include "cli/commands.h"
#include "cli/config_option.h"
#include "cli/progress.h"

static const dd_option options[] = {
    {"dataset", "NAME|FILE", false, "the points the run was trained on; needed if they were a FILE that was moved."},
    DD_READING_OPTIONS,
    DD_BACKEND_OPTION,
    {"threads", "N", false, "threads of the CPU backend. Default: 0, one for each core that this process may use."},
    DD_OPTION_QUIET,
    {0}};

const dd_command dd_command_analyze = {
    .name = "analyze",
    .summary = "measure what the gate and the experts of a stored run do",
    .synopsis =
        "RUN.h5... [--dataset NAME|FILE] " DD_READING_SYNOPSIS "[--backend " DD_BACKENDS "] [--threads N] [--quiet]",
    .description =
        "For finished runs with several experts, computes the following with the averaged parameters and stores it in "
        "the run's file (group /analysis; an old one is replaced, and the rest of the file is not changed):\n\n"
        "map: weights, the noise each expert predicts and their disagreement on a grid over the plane at six "
        "timesteps (only for points of two coordinates).\n"
        "by_timestep, by_region: weights while sampling, loss of the run's own mixture, of an equal one and of each "
        "expert alone, by timestep and by mode of the data (or cell of a grid where there are no modes).\n"
        "by_coordinate: weights against each coordinate of the data.\n"
        "information: mutual information of the weights with the mode, with the timestep and with each coordinate.\n"
        "training: quantiles and entropy of the logged weights over training.\n"
        "trajectory: 2000 samples on their way from noise.\n"
        "principal: principal components of the data (more than two coordinates).\n\n"
        "With a fixed gate (model.gate = \"fixed\"), everything that needs logged weights is left out.\n"
        "`dualdiff plot` and `dualdiff report` draw it.",
    .least_words = 1,
    .most_words = -1,
    .words_name = "RUN.h5",
    .options = options,
    .examples = "    dualdiff analyze runs/run_1/dino/seed_0.h5\n"
                "    dualdiff analyze runs/run_[1-5]/*/seed_0.h5\n",
    .run = dd_cmd_analyze};

static double mean(const float *value, int n)
{
    double sum = 0.;
    for (int i = 0; i < n; i++)
        sum += value[i];
    return sum / n;
}

/* Mean over the experts. */
static double mean_of(const dd_array *array)
{
    return mean(array->value, array->axis[0]->size);
}

/* The coordinate of which the gate tells most. */
static void print_coordinate(const dd_analysis *a, const dd_columns *columns)
{
    const dd_array *information = dd_analysis_find(a, "information/data_coordinate");
    int experts = information->axis[1]->size, most = 0;
    for (int c = 1; c < columns->count; c++)
        if (mean(information->value + c * experts, experts) > mean(information->value + most * experts, experts))
            most = c;
    printf("    %-12s of the coordinates, the weight tells most about %s: %.3f bit\n",
           "on data:", columns->column[most].name, mean(information->value + most * experts, experts));
}

static void print_summary(const char *path, const dd_analysis *a, const dd_columns *columns, double seconds)
{
    printf("%s: analysed in %.1f s\n", path, seconds);
    if (!a->gated)
        printf("    the gate is fixed: the experts alone are analysed\n");
    for (int source = 0; source < 2 && a->gated; source++) {
        static const char *const names[2][3] = {
            {"information/data_region", "information/data_timestep", "information/data_entropy"},
            {"information/sampling_region", "information/sampling_timestep", "information/sampling_entropy"}};
        double bits[3];
        for (int i = 0; i < 3; i++)
            bits[i] = mean_of(dd_analysis_find(a, names[source][i]));
        printf("    %-12s an expert's weight tells %.3f bit of the %s, %.3f bit of the timestep; its entropy is %.3f "
               "bit\n",
               source ? "sampling:" : "on data:", bits[0], a->region, bits[1], bits[2]);
    }
    if (a->gated)
        print_coordinate(a, columns);
    printf("    trajectories end within %.2g of the stored samples\n",
           (double)dd_analysis_find(a, "trajectory/difference")->value[0]);
}

static dd_status analyze(const char *path, const dd_args *args, int threads, dd_progress_view *view)
{
    dd_loaded stored;
    dd_points points = {0};
    dd_analysis analysis = {0};
    dd_lock *lock;
    dd_status status;
    double began = dd_now();
    DD_TRY(dd_loaded_open(path, NULL, dd_args_value(args, "backend", "auto"), threads, &stored));
    dd_progress_watch(view, dd_backend_pool(stored.backend));
    status = dd_lock_acquire(path, &lock);
    if (status) {
        dd_loaded_close(&stored);
        return status;
    }
    /* Regions and losses of other points must not be stored as those of the run. */
    status = dd_reading_option(args, &stored.reading);
    if (!status)
        status = dd_loaded_own_points("analyze", path, &stored, dd_args_value(args, "dataset", NULL), &points, NULL);
    if (!status)
        status = dd_analysis_create(&stored, path, &points, &analysis);
    if (!status)
        status = dd_analysis_write(path, &stored, &analysis);
    dd_lock_release(lock);
    dd_progress_clear(view);
    if (!status)
        print_summary(path, &analysis, &points.columns, dd_now() - began);
    dd_analysis_free(&analysis);
    dd_points_free(&points);
    dd_loaded_close(&stored);
    return status;
}

dd_status dd_cmd_analyze(int argc, char **argv)
{
    dd_args args;
    int threads;
    dd_status status = dd_args_parse(&dd_command_analyze, argc, argv, &args);
    if (status || args.help)
        goto done;
    DD_CHECK(dd_args_threads(&args, &threads));
    dd_progress_view view;
    dd_progress_start(&view, dd_args_has(&args, "quiet"));
    int failed = 0;
    for (int i = 0; i < args.words; i++) {
        dd_progress_part(&view, i, args.words);
        dd_status one = analyze(args.word[i], &args, threads, &view);
        if (!one)
            continue;
        status = failed++ ? status : one;
        if (args.words > 1) /* a shell pattern may also match runs that have nothing to analyse */
            fprintf(stderr, "dualdiff: left out: %s\n", dd_error_message());
    }
    if (failed && args.words > 1)
        dd_fail((dd_status)status, "analyze: %d of %d file%s left out, for the reason%s above", failed, args.words,
                args.words == 1 ? " was" : "s were", dd_plural(failed));
done:
    dd_args_free(&args);
    return status;
}
