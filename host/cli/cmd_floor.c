#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/draws.h"

static const dd_option options[] = {DD_DRAWS_OPTIONS};

const dd_command dd_command_floor = {
    .name = "floor",
    .summary = "measure fresh true points: the metrics of perfect samples",
    .synopsis =
        "CONFIG --dataset NAME [--out DIR] [--overwrite] [--draws N] [--set KEY=VALUE ...] [--threads N] [--quiet]",
    .description =
        "Draws fresh points of the dataset's distribution, which no training set contains (as many as CONFIG's "
        "evaluation.samples), and measures them like the samples of a network. Prints mean, standard deviation and the "
        "middle 95 % over the draws for every metric, and at the end `kl_divergence <mean>`. With --out, each draw is "
        "written to a result file, DIR/floor/<dataset>/seed_<n>.h5.",
    .least_words = 1,
    .most_words = 1,
    .words_name = "CONFIG",
    .options = options,
    .examples = "    dualdiff floor run_1 --dataset dino --draws 40\n",
    .run = dd_cmd_floor};

static dd_status draw(const dd_draws *d, const void *user, uint64_t seed, uint32_t n, float *x, float *initial_noise)
{
    dd_points fresh;
    (void)user;
    (void)initial_noise;
    DD_TRY(dd_points_more(&d->points, n, seed, DD_STREAM_FLOOR, &fresh));
    memcpy(x, fresh.x, (size_t)fresh.columns.count * n * sizeof *x);
    dd_points_free(&fresh);
    return DD_OK;
}

dd_status dd_cmd_floor(int argc, char **argv)
{
    dd_args args;
    dd_draws d = {0};
    dd_progress_view view;
    dd_status status = dd_args_parse(&dd_command_floor, argc, argv, &args);
    if (status || args.help)
        goto done;
    DD_CHECK(dd_draws_open(&args, &view, &d));
    status = dd_draws_run(&d, &(dd_draw_source){.run = "floor", .points = "fresh points", .draw = draw});
done:
    dd_draws_close(&d);
    dd_args_free(&args);
    return status;
}
