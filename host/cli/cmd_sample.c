#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/directories.h"
#include "base/names.h"
#include "cli/commands.h"
#include "cli/config_option.h"
#include "cli/progress.h"
#include "run/loaded_run.h"
#include "store/overwrite.h"

static const dd_option options[] = {
    {"n", "N", false, "how many points. Default: 10000."},
    {"seed", "S", false,
     "seed of the noise. Default: the run's own, which generates the stored points again (the first N of "
     "them)."},
    {"out", "FILE", false,
     "file to write, in the units of the data: .csv (the data's columns and, if there is a gate, its weights at "
     "timestep "
     "0, which --dataset ignores), .npy (a row for each point) or .h5 (laid out like a result). An existing .csv may "
     "contain "
     "your own points and is replaced only with "
     "--overwrite. Default: CSV on standard output."},
    DD_OVERWRITE_OPTION,
    {"dataset", "FILE", false,
     "the points that the run was trained on; needed if sampling starts from them (sampling.start) and they are a file "
     "that was moved."},
    DD_READING_OPTIONS,
    DD_BACKEND_OPTION,
    {"threads", "N", false, "threads of the CPU backend. Default: 0, one for each core that this process may use."},
    DD_OPTION_QUIET,
    {0}};

const dd_command dd_command_sample = {
    .name = "sample",
    .summary = "generate points from a stored run",
    .synopsis =
        "RUN.h5 [--n N] [--seed S] [--out FILE.h5|.csv|.npy] [--overwrite] [--dataset FILE] " DD_READING_SYNOPSIS
        "[--backend " DD_BACKENDS "] "
        "[--threads N] [--quiet]",
    .description = "Generates points with the averaged parameters of a finished run, as its [sampling] "
                   "says. Point i depends on the seed and i alone, so a larger N begins with the same points.",
    .least_words = 1,
    .most_words = 1,
    .words_name = "RUN.h5",
    .options = options,
    .examples = "    dualdiff sample runs/run_1/dino/seed_0.h5 --n 100000 --seed 7 --out samples.npy\n",
    .run = dd_cmd_sample};

static dd_status sample(const char *path, const dd_loaded *s, const dd_points *training, uint64_t seed, uint32_t n,
                        const char *out, dd_progress_view *view)
{
    size_t dimensions = (size_t)s->header.columns.count;
    float *x = malloc((dimensions + (size_t)s->model.gates) * (size_t)n * sizeof *x);
    if (!x)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %u points", n);
    float *gate = s->model.gates ? x + dimensions * (size_t)n : NULL;
    dd_status status = dd_loaded_sample(path, s, training, seed, n, &(dd_samples){.x = x});
    if (!status && gate)
        status = dd_ensemble_predict(s->ensemble, DD_STATE_EMA, x, n, 0, &(dd_prediction){.gate = gate});
    dd_progress_clear(view); /* standard output may be the same terminal */
    if (!status && out) {
        dd_run run = dd_loaded_run(s);
        run.seed = seed;
        status = dd_samples_write(out, &run, x, gate, s->model.gates, n);
    } else if (!status) {
        status = dd_samples_print(stdout, &s->header.columns, x, gate, s->model.gates, n)
                     ? DD_OK
                     : dd_fail(DD_ERR_IO, "standard output cannot be written");
    }
    free(x);
    return status;
}

/* Check this before the work. */
static dd_status check_ending(const char *out)
{
    static const char *const endings[] = {".h5", ".hdf5", ".csv", ".npy"};
    const char *ending = out ? strrchr(out, '.') : ".csv";
    for (int i = 0; i < 4; i++)
        if (ending && !strcmp(ending, endings[i]))
            return DD_OK;
    return dd_fail(DD_ERR_USAGE, "sample: --out %s: the name must end in .h5, .csv or .npy", out);
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return !stat(a, &of_a) && !stat(b, &of_b) && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

/* Whether `out` is the file that FILE or FILE:inner names. The name of FILE may contain colons. */
static bool is_dataset_file(const char *dataset, const char *out)
{
    char name[DD_DATASET_PATH];
    if (snprintf(name, sizeof name, "%s", dataset) >= (int)sizeof name)
        return false;
    bool same = is_same_file(name, out);
    for (char *colon = strrchr(name, ':'); colon && !same; colon = strrchr(name, ':')) {
        *colon = '\0';
        same = is_same_file(name, out);
    }
    return same;
}

/* The run itself and its data are never replaced, even with --overwrite. `asked`: the value of --dataset, or NULL. */
static dd_status check_target(const char *run, const dd_header *header, const char *asked, const char *out,
                              bool overwrite)
{
    if (!out)
        return DD_OK;
    if (is_same_file(run, out))
        return dd_fail(DD_ERR_CONFLICT, "sample: --out %s is the run itself; choose another name", out);
    if (is_dataset_file(header->dataset_path, out) || (asked && is_dataset_file(asked, out)))
        return dd_fail(DD_ERR_CONFLICT, "sample: --out %s is the file that %s was trained on; choose another name", out,
                       run);
    DD_TRY(dd_overwrite_check(out, DD_WRITES_POINTS, overwrite));
    return dd_prepare_path(out, "--out");
}

dd_status dd_cmd_sample(int argc, char **argv)
{
    dd_args args;
    dd_loaded stored;
    dd_progress_view view;
    int threads;
    long long n, seed;
    dd_status status = dd_args_parse(&dd_command_sample, argc, argv, &args);
    if (status || args.help)
        goto done;
    DD_CHECK(dd_args_integer(&args, "n", 1, 1000000000, 10000, &n));
    DD_CHECK(dd_args_integer(&args, "seed", 0, INT64_MAX, -1, &seed));
    DD_CHECK(dd_args_threads(&args, &threads));
    DD_CHECK(check_ending(dd_args_value(&args, "out", NULL)));
    dd_header header;
    const char *asked = dd_args_value(&args, "dataset", NULL), *out = dd_args_value(&args, "out", NULL);
    DD_CHECK(dd_header_read(args.word[0], &header));
    DD_CHECK(check_target(args.word[0], &header, asked, out, dd_args_has(&args, "overwrite")));
    dd_progress_start(&view, dd_args_has(&args, "quiet"));
    DD_CHECK(dd_loaded_open(args.word[0], NULL, dd_args_value(&args, "backend", "auto"), threads, &stored));
    dd_progress_watch(&view, dd_backend_pool(stored.backend));
    dd_points training = {0};
    status = dd_reading_option(&args, &stored.reading);
    if (!status && asked)
        status = dd_loaded_own_points("sample", args.word[0], &stored, asked, &training, NULL);
    if (!status)
        status = sample(args.word[0], &stored, asked ? &training : NULL, seed < 0 ? stored.header.seed : (uint64_t)seed,
                        (uint32_t)n, out, &view);
    dd_progress_clear(&view);
    if (!status && out)
        dd_progress_wrote(&view, "wrote %s: %lld point%s in %.1f s", out, n, dd_plural(n), dd_progress_seconds(&view));
    dd_points_free(&training);
    dd_loaded_close(&stored);
done:
    dd_args_free(&args);
    return status;
}
