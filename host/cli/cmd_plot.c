/* dualdiff plot: pictures of finished runs, drawn by python/plot.py. */
#define _GNU_SOURCE /* asprintf */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/mixed_results.h"
#include "cli/python_tool.h"
#include "cli/with_results.h"

static const dd_option options[] = {
    {"out", "DIR", false, "folder for the pictures; made if it does not exist. Default: plots in the first DIR"},
    {"dataset", "NAME", false, "draw only pictures of this dataset"},
    {0}};

const dd_command dd_command_plot = {
    .name = "plot",
    .summary = "pictures of finished runs",
    .synopsis = "DIR... [--out DIR] [--dataset NAME]",
    .description =
        "Draws every finished run under the DIRs (as given to train --out, or one configuration's or dataset's folder "
        "in it). As PNG and SVG:\n\n"
        "kl_divergence_comparison: KL divergence of all runs and datasets, mean over seeds with standard deviation "
        "and the seeds themselves.\n"
        "<dataset>_generated_samples: the points each run generates, coloured by the weight its gate gives expert 1 "
        "at timestep 0 (lowest seed), next to the data and what `dualdiff floor --out` and `dualdiff oracle --out` "
        "made.\n"
        "<dataset>_<run>_corner: only for points of one coordinate or more than two: each pair of coordinates and each "
        "coordinate alone, data next to samples. More than six coordinates are replaced by their first six principal "
        "components.\n"
        "<dataset>_train_loss: smoothed training loss of all runs over the steps, mean over seeds.\n"
        "<dataset>_gating_weights_histogram: how those weights are distributed (lowest seed).\n"
        "<dataset>_gate_information: whether the gates follow the mode or the timestep.\n\n"
        "If `dualdiff analyze` has analysed runs, <dataset>_reverse_process.gif shows all of them on the way from "
        "noise "
        "to "
        "samples, next to the data; and of each (lowest seed) there are <dataset>_<run>_gate_map, _gate_over_time, "
        "_gate_by_region and _gate_by_coordinate as PNG (_gate_map only for points of two coordinates).\n\n"
        "Of more than 24 runs of a dataset, pictures that compare them show the 24 with the lowest KL divergence. A "
        "result "
        "that is damaged is named and left out: the pictures of the others are drawn, and the exit status is 5. "
        "Settings "
        "of your own for matplotlib do not change the pictures.\n\n"
        "Needs Python 3 with numpy, h5py and matplotlib. The program uses the Python named in the environment variable "
        "DUALDIFF_PYTHON, else .venv/bin/python3 of the source folder, else python3.",
    .least_words = 1,
    .most_words = -1,
    .words_name = "DIR",
    .options = options,
    .examples = "    dualdiff plot runs\n"
                "    dualdiff plot runs long_runs --dataset dino --out pictures\n",
    .run = dd_cmd_plot,
};

/* Move the dataset's entries to the front; *count becomes their number. DD_ERR_USAGE if there are none. */
static dd_status keep_dataset(dd_entries *entries, const char *dataset, int *count)
{
    const char **names = calloc((size_t)entries->count, sizeof *names);
    int kept = 0;
    if (!names)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    for (int i = 0; i < entries->count; i++) {
        names[i] = entries->entry[i].dataset;
        kept += !strcmp(names[i], dataset);
    }
    char near[DD_SUGGESTION];
    dd_suggest(dataset, names, entries->count, near);
    dd_status status = kept ? DD_OK
                            : dd_fail(DD_ERR_USAGE, "plot: no finished run of dataset '%s'%s", dataset,
                                      *near ? near : "; `dualdiff compare` lists what there is");
    free(names);
    for (int i = 0, front = 0; i < entries->count && !status; i++) {
        if (!strcmp(entries->entry[i].dataset, dataset)) {
            dd_entry swapped = entries->entry[front];
            entries->entry[front++] = entries->entry[i];
            entries->entry[i] = swapped;
        }
    }
    *count = kept;
    return status;
}

static dd_status plot(const dd_args *args, dd_entries *entries)
{
    const char *dataset = dd_args_value(args, "dataset", NULL);
    char *default_out = NULL;
    DD_TRY(dd_scan_words(args, entries));
    int count = entries->count;
    if (dataset)
        DD_TRY(keep_dataset(entries, dataset, &count));
    DD_TRY(dd_warn_of_mixtures(entries, count));
    if (asprintf(&default_out, "%s/plots", args->word[0]) < 0)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    const char *out[] = {"--out", dd_args_value(args, "out", default_out), NULL};
    dd_status status = dd_tool_run("plot.py", out, entries, count);
    free(default_out);
    return status ? status : dd_entries_complete(entries);
}

dd_status dd_cmd_plot(int argc, char **argv)
{
    return dd_with_results(&dd_command_plot, argc, argv, plot);
}
