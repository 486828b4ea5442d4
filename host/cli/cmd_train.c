#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/names.h"
#include "base/signals.h"
#include "cli/commands.h"
#include "cli/config_option.h"
#include "cli/progress.h"
#include "data/generators.h"
#include "run/trainer.h"

static const dd_option options[] = {
    {"dataset", "NAME|FILE", true,
     "what to train on: a generated set (`dualdiff datasets` lists them), or a file of points, a column for each "
     "coordinate (.csv, .tsv, .txt, also with .gz, .npy, .npz, FILE.h5:/path, or - for text on standard input). "
     "Columns of a file may have any units: networks see them standardised, and a tenth of the rows is held out. Each "
     "of several gives its own run. "
     "Default: the experiment's four: circle, dino, line and moons."},
    DD_READING_OPTIONS,
    {"seeds", "LIST", false,
     "seeds to train, for instance 0-4 or 1,5,7. Each seed gives its own run; they are trained together. Default: 0."},
    {"set", "KEY=VALUE", true,
     "override a value of CONFIG, for instance training.steps=2000. May be given many times."},
    DD_BACKEND_OPTION,
    {"threads", "N", false,
     "threads of the CPU backend, and of the metrics with any backend. Default: 0, one for each core that this process "
     "may use. Results do not depend "
     "on it."},
    {"out", "DIR", false, "folder for results: DIR/<config>/<dataset>/seed_<n>.h5. Default: runs."},
    {"name", "NAME", false,
     "store the results under NAME, not under the configuration's name: DIR/NAME/<dataset>/seed_<n>.h5. Use it when "
     "--set changes a configuration whose results are already stored."},
    {"quiet", NULL, false, "print nothing but errors."},
    {0}};

const dd_command dd_command_train = {
    .name = "train",
    .summary = "train a configuration on datasets, measure and store the result",
    .synopsis = "CONFIG [--dataset NAME|FILE ...] " DD_READING_SYNOPSIS "[--seeds LIST] [--set KEY=VALUE ...] "
                "[--backend " DD_BACKENDS "] "
                "[--threads N] [--out DIR] [--name NAME] [--quiet]",
    .description =
        "Trains the network that CONFIG describes (a TOML file, or a name from `dualdiff configs`), once for every "
        "dataset and seed, all "
        "together. While training, seed_<n>.h5 is a log that h5py can watch (swmr=True) and seed_<n>.checkpoint the "
        "newest checkpoint; at the end seed_<n>.h5 is the result (parameters, losses, gating weights, samples and "
        "metrics), and the checkpoint is removed. "
        "DIR/<config>/final_info.json sums up.\n\n"
        "The same command resumes an interrupted training (Ctrl-C, a signal, a crash, a power failure) and gives the "
        "same bits, or it says that everything is done. It refuses to resume with another [model], [diffusion], "
        "[training] or data; "
        "backend, threads, checkpoint_every, keep_checkpoint and [evaluation] may change.\n\n"
        "Signals: INT (Ctrl-C), TERM, HUP (the terminal was closed) and XCPU (a limit on CPU time) finish the block of "
        "steps that is being computed, write a checkpoint and end the program; a second INT or TERM ends it "
        "immediately. "
        "USR1 and USR2 write a checkpoint, and training "
        "continues: a batch system can send one before its time limit. Under nohup, HUP is ignored.",
    .least_words = 1,
    .most_words = 1,
    .words_name = "CONFIG",
    .options = options,
    .examples = "    dualdiff train run_1 --dataset dino --seeds 0-4\n"
                "    dualdiff train table --dataset points.csv --set training.steps=2000 --name table_short\n",
    .run = dd_cmd_train};

static volatile sig_atomic_t stop_requested, checkpoint_requested;

/* Why "auto" took the CPU although there is a GPU; "" if there is no GPU. `dualdiff --version` prints the reason on any
 * machine. */
static const char *unused_gpu(const dd_backend *backend)
{
    return strcmp(dd_backend_name(backend), "cpu") || access("/dev/nvidiactl", F_OK) ? "" : dd_backend_reason(backend);
}

static dd_status run_job(const dd_args *args, dd_job *job)
{
    int threads;
    dd_backend *backend;
    dd_progress_view view;
    DD_TRY(dd_args_threads(args, &threads));
    DD_TRY(dd_backend_open(dd_args_value(args, "backend", "auto"), threads, &backend));
    dd_progress_start(&view, dd_args_has(args, "quiet"));
    dd_progress_watch(&view, dd_backend_pool(backend));
    job->progress = dd_progress_show;
    job->message = dd_progress_message;
    job->acknowledge = !dd_args_has(args, "quiet");
    job->user = &view;
    char line[700];
    const char *reason = unused_gpu(backend);
    snprintf(line, sizeof line, "%s: backend %s (%s), %d thread%s%s%s", job->config_name, dd_backend_name(backend),
             dd_backend_device(backend), dd_backend_threads(backend), dd_plural(dd_backend_threads(backend)),
             *reason ? "; the GPU here is not used: " : "", reason);
    dd_progress_message(&view, line);
    signal(SIGPIPE, SIG_IGN); /* the reader of the progress may exit; training continues */
    dd_signals_catch(&stop_requested, &checkpoint_requested);
    dd_status status = dd_train(backend, job);
    dd_progress_clear(&view);
    dd_backend_close(backend);
    return status;
}

/* The name under which the results are stored. */
static dd_status name_of(const dd_args *args, char name[DD_NAME])
{
    const char *given = dd_args_value(args, "name", NULL);
    if (!given)
        return dd_config_name(args->word[0], name);
    DD_TRY(dd_name_check(given, DD_ERR_USAGE, "--name", "choose another one"));
    snprintf(name, DD_NAME, "%s", given);
    return DD_OK;
}

dd_status dd_cmd_train(int argc, char **argv)
{
    static const uint64_t first_seed[] = {0};
    dd_args args;
    dd_config config;
    dd_reading reading = {.header = DD_HEADER_ROW_AUTO};
    char name[64];
    const char **datasets = NULL, *experiment[DD_MOST_GENERATORS];
    uint64_t *seeds = NULL;
    int dataset_count = 0, seed_count = 0;
    dd_status status = dd_args_parse(&dd_command_train, argc, argv, &args);
    if (status || args.help)
        goto done;
    DD_CHECK(dd_read_config(&args, &config));
    DD_CHECK(dd_args_values(&args, "dataset", &datasets, &dataset_count));
    DD_CHECK(dd_reading_option(&args, &reading));
    DD_CHECK(dd_args_seeds(&args, "seeds", &seeds, &seed_count));
    int all = dd_generator_names(DD_KIND_EXPERIMENT, experiment);
    DD_CHECK(name_of(&args, name));
    dd_job job = {.config = &config,
                  .config_name = name,
                  .dataset = dataset_count ? datasets : experiment,
                  .datasets = dataset_count ? dataset_count : all,
                  .reading = reading,
                  .seed = seed_count ? seeds : first_seed,
                  .seeds = seed_count ? seed_count : 1,
                  .out = dd_args_value(&args, "out", "runs"),
                  .stop = &stop_requested,
                  .checkpoint = &checkpoint_requested};
    status = run_job(&args, &job);
done:
    free(datasets);
    free(seeds);
    dd_args_free(&args);
    return status;
}
