/* dualdiff compare: a table of finished runs, and files for tools that read the reference's results. */
#define _GNU_SOURCE /* asprintf */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/directories.h"
#include "cli/commands.h"
#include "cli/mixed_results.h"
#include "cli/python_tool.h"
#include "cli/with_results.h"
#include "compare/final_info.h"
#include "compare/table.h"
#include "store/overwrite.h"
#include "store/store.h"

static const dd_option options[] = {
    {"format", "FORMAT", false,
     "text (default), markdown, or csv: one line per run, dataset and metric with mean, standard deviation and number "
     "of seeds"},
    {"metric", "NAME...", true,
     "metrics to show, in this order, or all. Default: kl_divergence, modes_captured, off_support, the losses and "
     "times; csv: all"},
    {"output", "FILE", false, "write the table to FILE, not to the terminal"},
    DD_OVERWRITE_OPTION,
    {"reference", "DIR", false,
     "also write DIR/<run>/final_info.json and DIR/<run>/all_results.pkl in the reference's format, for tools that "
     "read them. The pickle contains the lowest seed of each dataset: train_losses, images, and gating_weights for "
     "runs with "
     "a gate. Needs Python 3 with numpy and h5py (see `dualdiff plot --help`)"},
    {0}};

const dd_command dd_command_compare = {
    .name = "compare",
    .summary = "a table of finished runs",
    .synopsis =
        "DIR... [--format text|markdown|csv] [--metric NAME...] [--output FILE] [--reference DIR] [--overwrite]",
    .description =
        "Reads every finished run under the DIRs (as given to train --out, or one configuration's or dataset's folder "
        "in it) and prints, for each metric, a table with a row per run and a column per dataset: mean and standard "
        "deviation (over n - 1) over seeds. If folders in several DIRs have the same name, the names of rows include "
        "as much of the path as distinguishes them.\n\n"
        "kl_divergence: k-nearest-neighbour estimate of KL(real || generated) in bits; lower is better, and it can be "
        "a little negative.\n"
        "modes_captured: how many of the dataset's modes the samples found.\n"
        "off_support: share of samples at places where the dataset has no points, for instance on bridges between "
        "modes.\n"
        "eval_loss, heldout_loss: mean squared error of the predicted noise on the training set and on held-out "
        "points.\n"
        "training_time, inference_time: wall time in seconds; for an ensemble, its time divided by its replicas. Runs "
        "that were trained together share this time, so it has no deviation.\n"
        "kl_zero_distances: real points left out of kl_divergence because a distance was 0; shown where there are "
        "any.\n"
        "docs/metrics.md defines these and the others: excess_loss, denoiser_error, heldout_kl, copy_share, "
        "high_quality, total_variation, density, coverage, "
        "sliced_wasserstein, mmd_squared, mean_distance.",
    .least_words = 1,
    .most_words = -1,
    .words_name = "DIR",
    .options = options,
    .examples = "    dualdiff compare runs\n"
                "    dualdiff compare runs --metric kl_divergence total_variation coverage\n"
                "    dualdiff compare runs long_runs --format markdown --output table.md\n",
    .run = dd_cmd_compare,
};

static dd_status parse_format(const char *name, dd_table_format *format)
{
    static const char *const names[] = {"text", "markdown", "csv"};
    for (int i = 0; i < 3; i++) {
        if (!strcmp(name, names[i])) {
            *format = (dd_table_format)i;
            return DD_OK;
        }
    }
    char near[DD_SUGGESTION];
    return dd_fail(DD_ERR_USAGE, "compare: unknown format '%s'; formats are text, markdown and csv%s", name,
                   dd_suggest(name, names, 3, near));
}

static dd_status parse_metrics(const dd_args *args, dd_table_options *options)
{
    const char **name, *names[DD_METRICS + 1] = {"all"};
    int count, status = DD_OK;
    DD_TRY(dd_args_values(args, "metric", &name, &count));
    for (int i = 0; i < DD_METRICS; i++)
        names[i + 1] = dd_metric_table[i].name;
    for (int i = 0; i < count && !status; i++) {
        int all = !strcmp(name[i], "all"), number = dd_metric_number(name[i]);
        char near[DD_SUGGESTION];
        dd_suggest(name[i], names, DD_METRICS + 1, near);
        if (!all && number < 0)
            status = dd_fail(DD_ERR_USAGE, "compare: there is no metric '%s'%s docs/metrics.md names them", name[i],
                             *near ? near : ";");
        for (int j = all ? 0 : number; j < (all ? DD_METRICS : number + 1) && !status; j++) {
            int known = 0;
            while (known < options->metrics && options->metric[known] != j)
                known++;
            if (known == options->metrics)
                options->metric[options->metrics++] = j;
        }
    }
    free(name);
    return status;
}

/* Called before the first file is written. A pickle cannot be recognised, but a pickle of this program has its
 * final_info.json next to it. */
static dd_status check_reference(const char *dir, const dd_entries *entries, bool overwrite)
{
    for (int first = 0, size; first < entries->count; first += size) {
        char *info, *pickle;
        size = dd_entries_group(entries, first, 0);
        if (asprintf(&info, "%s/%s/final_info.json", dir, entries->entry[first].run) < 0)
            return dd_fail(DD_ERR_MEMORY, "out of memory");
        dd_status status = dd_overwrite_check(info, DD_WRITES_SUMMARY, overwrite);
        if (!status && access(info, F_OK)) {
            if (asprintf(&pickle, "%s/%s/all_results.pkl", dir, entries->entry[first].run) < 0)
                pickle = NULL;
            status = pickle ? dd_overwrite_check(pickle, DD_WRITES_UNKNOWN, overwrite)
                            : dd_fail(DD_ERR_MEMORY, "out of memory");
            free(pickle);
        }
        free(info);
        DD_TRY(status);
    }
    return DD_OK;
}

static dd_status write_reference(const char *dir, dd_entries *entries)
{
    for (int first = 0, size; first < entries->count; first += size) {
        char *file;
        size = dd_entries_group(entries, first, 0);
        if (asprintf(&file, "%s/%s/final_info.json", dir, entries->entry[first].run) < 0)
            return dd_fail(DD_ERR_MEMORY, "out of memory");
        dd_status status = dd_make_directories(file, "--reference");
        *strrchr(file, '/') = '\0';
        if (!status)
            status = dd_final_info_write_entries(file, entries->entry + first, size);
        free(file);
        DD_TRY(status);
    }
    const char *const arguments[] = {"--out", dir, NULL};
    return dd_tool_run("reference_files.py", arguments, entries, entries->count);
}

static dd_status compare(const dd_args *args, dd_entries *entries)
{
    dd_table_options options = {.format = DD_TABLE_TEXT};
    const char *output = dd_args_value(args, "output", NULL), *reference = dd_args_value(args, "reference", NULL);
    DD_TRY(parse_format(dd_args_value(args, "format", "text"), &options.format));
    DD_TRY(parse_metrics(args, &options));
    bool overwrite = dd_args_has(args, "overwrite");
    if (output)
        DD_TRY(dd_overwrite_check(output, DD_WRITES_TABLE, overwrite));
    DD_TRY(dd_scan_words(args, entries));
    DD_TRY(dd_warn_of_mixtures(entries, entries->count));
    if (reference)
        DD_TRY(check_reference(reference, entries, overwrite));
    if (output)
        DD_TRY(dd_prepare_path(output, "--output"));
    DD_TRY(output ? dd_table_write(output, entries, &options) : dd_table_print(stdout, entries, &options));
    if (output)
        fprintf(stderr, "wrote %s\n", output);
    if (reference) {
        DD_TRY(write_reference(reference, entries));
        fprintf(stderr, "wrote %s/<run>/final_info.json and all_results.pkl\n", reference);
    }
    return dd_entries_complete(entries);
}

dd_status dd_cmd_compare(int argc, char **argv)
{
    return dd_with_results(&dd_command_compare, argc, argv, compare);
}
