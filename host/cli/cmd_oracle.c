#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/draws.h"
#include "model/start_points.h"
#include "oracle/oracle.h"

static const dd_option options[] = {DD_DRAWS_OPTIONS};

const dd_command dd_command_oracle = {
    .name = "oracle",
    .summary = "sample with the exact denoiser: the best that a network can reach",
    .synopsis =
        "CONFIG --dataset NAME [--out DIR] [--overwrite] [--draws N] [--set KEY=VALUE ...] [--threads N] [--quiet]",
    .description =
        "Samples like a trained network with CONFIG's [diffusion], [sampling] and [evaluation], but predicts the noise "
        "exactly from the dataset's known distribution. If the oracle is worse than the floor (`dualdiff floor`, fresh "
        "true points), the sampling protocol (schedule, T, start) is the cause. If a network is worse than the oracle, "
        "the network is the cause. Draw i starts from the same noise as a network of seed i. A network can be a little "
        "better than the oracle by chance if sampling does not start from the true distribution of x_T.\n\n"
        "Prints mean, standard deviation and the middle 95 % over the draws for every metric, and at the end "
        "`kl_divergence <mean>`. With --out, each draw is written to a result file, "
        "DIR/oracle_<config>/<dataset>/seed_<n>.h5.",
    .least_words = 1,
    .most_words = 1,
    .words_name = "CONFIG",
    .options = options,
    .examples = "    dualdiff oracle run_1 --dataset dino\n"
                "    dualdiff oracle run_1 --dataset moons --set diffusion.schedule=cosine\n",
    .run = dd_cmd_oracle};

typedef struct denoiser {
    dd_schedule schedule;
    dd_oracle *oracle;
} denoiser;

static dd_status draw(const dd_draws *d, const void *user, uint64_t seed, uint32_t n, float *x, float *initial_noise)
{
    const denoiser *own = user;
    float *start = NULL;
    if (d->config.sampling.start == DD_START_DATA)
        DD_TRY(dd_start_create(&own->schedule, &d->points, seed, n, &start));
    dd_status status = dd_oracle_sample(own->oracle, seed, start, n, dd_backend_pool(d->backend), x, initial_noise);
    free(start);
    return status;
}

dd_status dd_cmd_oracle(int argc, char **argv)
{
    dd_args args;
    dd_draws d = {0};
    dd_progress_view view;
    denoiser own = {0};
    dd_status status = dd_args_parse(&dd_command_oracle, argc, argv, &args);
    if (status || args.help)
        goto done;
    DD_CHECK(dd_draws_open(&args, &view, &d));
    DD_CHECK(dd_schedule_create(&d.config, &own.schedule));
    DD_CHECK(dd_oracle_create(&d.truth, &own.schedule, &own.oracle));
    dd_draw_source source = {
        .points = "points generated with the exact denoiser", .diffuses = true, .user = &own, .draw = draw};
    snprintf(source.run, sizeof source.run, "oracle_%s", d.config_name);
    status = dd_draws_run(&d, &source);
done:
    dd_oracle_destroy(own.oracle);
    dd_schedule_free(&own.schedule);
    dd_draws_close(&d);
    dd_args_free(&args);
    return status;
}
