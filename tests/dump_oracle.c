/* dump_oracle NAME CONFIG t: for points on standard input (float64, n x 2) the exact E[eps | x_t] of a generator's
 * distribution at timestep t of a configuration's schedule, as float64 on standard output; or, t = -1, the schedule's
 * alpha_bar. The message on standard error and the status as exit code where it fails. */
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "config/config.h"
#include "data/generators.h"
#include "oracle/oracle.h"

enum { MOST = 1 << 20 };

int main(int argc, char **argv)
{
    dd_truth truth;
    dd_config config;
    dd_schedule schedule;
    dd_oracle *oracle;
    double *x = malloc(2 * MOST * sizeof *x), *noise = malloc(2 * MOST * sizeof *noise);
    if (argc < 4 || !x || !noise)
        return DD_ERR_USAGE;
    int t = atoi(argv[3]), status = dd_truth_create(argv[1], NULL, &truth);
    if (!status)
        status = dd_config_read(argv[2], &config);
    for (int i = 4; i < argc && !status; i++)
        status = dd_config_set(&config, argv[i]);
    if (!status)
        status = dd_schedule_create(&config, &schedule);
    if (!status)
        status = dd_oracle_create(&truth, &schedule, &oracle);
    size_t n = 0;
    if (!status && t < 0) {
        fwrite(schedule.alpha_bar, sizeof *x, (size_t)schedule.timesteps, stdout);
    } else if (!status) {
        n = fread(x, 2 * sizeof *x, MOST, stdin);
        status = dd_oracle_predict(oracle, t, x, (uint32_t)n, noise);
    }
    if (status) {
        fprintf(stderr, "%s\n", dd_error_message());
        return status;
    }
    dd_oracle_destroy(oracle);
    dd_schedule_free(&schedule);
    dd_truth_free(&truth);
    fwrite(noise, 2 * sizeof *noise, n, stdout);
    free(x);
    free(noise);
    return DD_OK;
}
