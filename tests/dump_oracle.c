/* dump_oracle NAME CONFIG t [KEY=VALUE ...]: for points on standard input (float64, n x D) the exact E[eps | x_t] of a
 * generator's distribution at timestep t of a configuration's schedule, as float64 on standard output; behind it, where
 * DUALDIFF_LOG_DENSITY is set, the logarithms of the densities (n). Or, t = -1, the schedule's alpha_bar. The message
 * on standard error and the status as exit code where it fails. */
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "config/config.h"
#include "data/generators.h"
#include "oracle/oracle.h"

enum { MOST = 1 << 21 }; /* numbers */

static dd_status read_config(int argc, char **argv, dd_config *config)
{
    DD_TRY(dd_config_read(argv[2], config));
    for (int i = 4; i < argc; i++)
        DD_TRY(dd_config_set(config, argv[i]));
    return DD_OK;
}

int main(int argc, char **argv)
{
    dd_truth truth = {.dimensions = 0};
    dd_config config;
    dd_schedule schedule = {.timesteps = 0};
    dd_oracle *oracle = NULL;
    double *x = malloc(MOST * sizeof *x), *noise = malloc(MOST * sizeof *noise),
           *log_density = malloc(MOST * sizeof *x);
    if (argc < 4 || !x || !noise || !log_density)
        return DD_ERR_USAGE;
    int t = atoi(argv[3]), status = read_config(argc, argv, &config);
    if (!status)
        status = dd_truth_create(argv[1], &config.data, &truth);
    if (!status)
        status = dd_schedule_create(&config, &schedule);
    if (!status)
        status = dd_oracle_create(&truth, &schedule, &oracle);
    size_t n = 0, dimensions = (size_t)truth.dimensions;
    if (!status && t < 0) {
        fwrite(schedule.alpha_bar, sizeof *x, (size_t)schedule.timesteps, stdout);
    } else if (!status) {
        n = fread(x, dimensions * sizeof *x, MOST / dimensions, stdin);
        status = dd_oracle_predict(oracle, NULL, t, x, (uint32_t)n, noise, log_density);
    }
    if (status) {
        fprintf(stderr, "%s\n", dd_error_message());
        return status;
    }
    fwrite(noise, dimensions * sizeof *noise, n, stdout);
    if (getenv("DUALDIFF_LOG_DENSITY"))
        fwrite(log_density, sizeof *log_density, n, stdout);
    dd_oracle_destroy(oracle);
    dd_schedule_free(&schedule);
    dd_truth_free(&truth);
    free(x);
    free(noise);
    free(log_density);
    return DD_OK;
}
