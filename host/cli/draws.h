/* What the commands `oracle` and `floor` share: points of a known distribution are drawn several times, and each draw
 * is measured and stored as a run's samples are. */
#ifndef DD_DRAWS_H
#define DD_DRAWS_H

#include <stdbool.h>

#include "backend/backend.h"
#include "cli/args.h"
#include "cli/progress.h"
#include "data/truth.h"
#include "metrics/metrics.h"
#include "store/overwrite.h"

/* The options of both, for their tables. */
#define DD_DRAWS_OPTIONS                                                                                               \
    {"dataset", "NAME", false,                                                                                         \
     "a generated set, because its distribution is known (`dualdiff datasets` lists them); required."},                \
        {"out", "DIR", false,                                                                                          \
         "write each draw as a result file, which `dualdiff compare DIR` shows together with the runs."},              \
        DD_OVERWRITE_OPTION, {"draws", "N", false, "number of draws; draw i has seed i, starting at 0. Default: 5."},  \
        {"set", "KEY=VALUE", true, "override a value of CONFIG, for instance diffusion.timesteps=250."},               \
        {"threads", "N", false,                                                                                        \
         "number of threads. Default: 0, one for each core that this process may use. Results do not depend on it."},  \
        DD_OPTION_QUIET,                                                                                               \
    {                                                                                                                  \
        0                                                                                                              \
    }

typedef struct dd_draws {
    dd_config config;
    char config_name[64];
    const char *dataset, *out; /* out NULL: nothing is stored */
    bool overwrite;            /* also replace draws of another configuration */
    int draws;
    dd_backend *backend;
    dd_truth truth;
    dd_points points; /* the training set, with which the draws are compared */
    dd_points heldout;
    dd_progress_view *view;
} dd_draws;

/* Fill d from the parsed command line. The view must exist as long as d is open. */
DD_CHECKED dd_status dd_draws_open(const dd_args *args, dd_progress_view *view, dd_draws *d);
void dd_draws_close(dd_draws *d);

typedef struct dd_draw_source {
    char run[96];       /* name of the run under which results are stored */
    const char *points; /* text for the file: what the points are */
    bool diffuses;      /* they are sampled from initial noise by [diffusion] and [sampling] */
    const void *user;
    /* Make draw number `seed`: x (n, D), and initial_noise (n, D) if diffuses. */
    dd_status (*draw)(const dd_draws *d, const void *user, uint64_t seed, uint32_t n, float *x, float *initial_noise);
} dd_draw_source;

/* Draw, measure, store and print: one line for each metric with mean, standard deviation and the middle 95 % over the
 * draws; the last line is only "kl_divergence <mean>". */
DD_CHECKED dd_status dd_draws_run(const dd_draws *d, const dd_draw_source *source);

#endif
