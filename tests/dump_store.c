/* Files of a small run with known contents (stored_run.h), for the Python tests of what readers see.
 *
 *   dump_store files DIR CONFIG [KEY=VALUE ...]    log.h5, result.h5, x.ckpt.h5, samples.{h5,csv,npy}
 *   dump_store watch LOG MILLISECONDS FROM [KEY=VALUE ...]  write a log step by step, with pauses; FROM > 0: resume
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stored_run.h"

static dd_status files(stored_run *r, const char *directory)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/log.h5", directory);
    DD_TRY(stored_run_log(r, path, r->config.training.steps));
    snprintf(path, sizeof path, "%s/result.h5", directory);
    DD_TRY(stored_run_log(r, path, r->config.training.steps));
    DD_TRY(stored_run_result(r, path));
    snprintf(path, sizeof path, "%s/x.ckpt.h5", directory);
    DD_TRY(stored_run_checkpoint(r, path, 15));
    DD_TRY(dd_checkpoint_commit(path));
    static const char *const endings[] = {"h5", "csv", "npy"};
    static const float x[6] = {1, 2, 3, 4, 5, 1.f / 3};
    int gates = r->model.gates;
    float gate[3 * DD_MAX_EXPERTS]; /* (i, k): .1 i + k */
    for (int i = 0; i < 3 * gates; i++)
        gate[i] = .1f * (float)(i / gates) + (float)(i % gates);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/samples.%s", directory, endings[i]);
        DD_TRY(dd_samples_write(path, &r->run, x, gates ? gate : NULL, gates, 3));
    }
    return DD_OK;
}

static dd_status watch(stored_run *r, const char *path, long milliseconds, int from)
{
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    dd_log *log;
    DD_TRY(dd_log_create(path, &r->run, &r->model, from, &log));
    dd_status status = DD_OK;
    for (int s = from; s < r->config.training.steps && !status; s += r->block.steps) {
        status = stored_run_append(r, log, s, s + 1);
        nanosleep(&pause, NULL);
    }
    dd_status closed = dd_log_close(log);
    return status ? status : closed;
}

int main(int argc, char **argv)
{
    stored_run r;
    int watching = argc > 4 && !strcmp(argv[1], "watch"), fixed = watching ? 5 : 4;
    if (argc < 4) {
        fprintf(stderr, "usage: see the top of dump_store.c\n");
        return DD_ERR_USAGE;
    }
    int status = stored_run_create(&r, watching ? NULL : argv[3], argc - fixed, argv + fixed);
    if (!status)
        status = watching ? watch(&r, argv[2], atol(argv[3]), atoi(argv[4])) : files(&r, argv[2]);
    if (status)
        fprintf(stderr, "%s\n", dd_error_message());
    stored_run_free(&r);
    return status;
}
