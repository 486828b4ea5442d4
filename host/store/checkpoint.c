/* Checkpoints: one replica's four vectors at a step.
 *
 * path.next is written, flushed and only then renamed to path, so there is always a good one. Its last attribute,
 * `complete`, is written after everything else was flushed. A file without it, or one that cannot be read completely,
 * was left by a killed writer.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/run_file.h"

typedef struct part_place {
    const char *parent, *group, *path;
} part_place;

static const part_place places[DD_STATE_PARTS] = {
    [DD_STATE_ONLINE] = {"/parameters", "online", "/parameters/online"},
    [DD_STATE_EMA] = {"/parameters", "ema", "/parameters/ema"},
    [DD_STATE_MOMENT1] = {"/optimizer", "exp_avg", "/optimizer/exp_avg"},
    [DD_STATE_MOMENT2] = {"/optimizer", "exp_avg_sq", "/optimizer/exp_avg_sq"},
};

dd_status dd_checkpoint_write(const char *path, const dd_run *run, const dd_model *model, int step,
                              double training_time, const float *const state[DD_STATE_PARTS])
{
    char *next = dd_path_with(path, ".next");
    if (!next)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_h5_file f;
    dd_h5_create(&f, next);
    dd_write_header(&f, run, DD_FILE_CHECKPOINT);
    dd_h5_integer_attribute(&f, "/", "step", (unsigned long long)step);
    dd_h5_dataset(&f,
                  &(dd_h5_spec){.name = "/training_time",
                                .type = H5T_NATIVE_DOUBLE,
                                .units = "s",
                                .long_name = "wall time of the steps so far, divided by the replicas"},
                  &training_time);
    dd_h5_group(&f, "/parameters");
    dd_h5_group(&f, "/optimizer");
    for (int part = 0; part < DD_STATE_PARTS; part++)
        dd_write_parameters(&f, model, places[part].parent, places[part].group, state[part]);
    dd_h5_flush(&f);
    dd_h5_integer_attribute(&f, "/", "complete", 1);
    dd_status status = dd_h5_close(&f);
    if (!status)
        status = dd_sync_file(next);
    if (status)
        unlink(next);
    free(next);
    return status;
}

dd_status dd_checkpoint_commit(const char *path)
{
    char *next = dd_path_with(path, ".next");
    if (!next)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status = dd_rename(next, path);
    free(next);
    return status;
}

static dd_status remove_if_there(const char *path)
{
    if (unlink(path) && errno != ENOENT)
        return dd_fail(DD_ERR_IO, "%s: cannot be removed: %s", path, strerror(errno));
    return DD_OK;
}

dd_status dd_checkpoint_remove(const char *path)
{
    char *next = dd_path_with(path, ".next");
    if (!next)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status = remove_if_there(path);
    if (!status)
        status = remove_if_there(next);
    free(next);
    return status;
}

/* Read everything in a checkpoint file, which also verifies the fletcher32 sums. */
static dd_status read_state(const char *path, const dd_model *model, double *training_time,
                            float *const state[DD_STATE_PARTS])
{
    hid_t file;
    unsigned long long complete;
    DD_TRY(dd_h5_open(path, &file));
    dd_status status = dd_h5_read_integer_attribute(file, path, "complete", &complete);
    if (!status)
        status = dd_h5_read_double(file, path, "/training_time", training_time);
    for (int part = 0; part < DD_STATE_PARTS && !status; part++)
        status = dd_read_parameters(file, path, model, places[part].path, state[part]);
    H5Fclose(file);
    return status;
}

/* If another program has the file open, its message already says so. */
static dd_status cannot_be_used(dd_status status)
{
    return status == DD_ERR_CONFLICT ? status
                                     : dd_fail_context("the checkpoint cannot be used; restore it from a copy, or move "
                                                       "it to another folder to train the run from the beginning");
}

/* *step becomes the step of a good checkpoint file of this run; -1 if `path` is missing, or if it is not good and may
 * be a `leftover`. */
static dd_status step_of(const char *path, const dd_run *run, bool leftover, int *step)
{
    dd_header header;
    *step = -1;
    if (access(path, F_OK))
        return errno == ENOENT ? DD_OK : dd_fail(DD_ERR_IO, "%s: %s", path, strerror(errno));
    dd_status status = dd_header_read(path, &header);
    if (!status && header.kind != DD_FILE_CHECKPOINT)
        status = dd_fail(DD_ERR_IO, "%s: not a checkpoint", path);
    if (status)
        return leftover ? DD_OK : cannot_be_used(status);
    DD_TRY(dd_header_matches(&header, run, path));

    dd_model model;
    double training_time;
    DD_TRY(dd_model_create(&header.config.model, header.columns.count, &model));
    float *memory = malloc(DD_STATE_PARTS * model.parameters * sizeof *memory);
    if (!memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    float *state[DD_STATE_PARTS];
    for (int part = 0; part < DD_STATE_PARTS; part++)
        state[part] = memory + (size_t)part * model.parameters;
    status = read_state(path, &model, &training_time, state);
    free(memory);
    if (!status)
        *step = header.step;
    else if (!leftover)
        return cannot_be_used(status);
    return DD_OK;
}

dd_status dd_checkpoint_steps(const char *path, const dd_run *run, int steps[2])
{
    char *next = dd_path_with(path, ".next");
    if (!next)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status = step_of(path, run, false, &steps[0]);
    if (!status)
        status = step_of(next, run, true, &steps[1]);
    free(next);
    return status;
}

dd_status dd_checkpoint_read(const char *path, const dd_model *model, int step, double *training_time,
                             float *const state[DD_STATE_PARTS])
{
    dd_header header;
    char *next = dd_path_with(path, ".next");
    if (!next)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status;
    if (access(path, F_OK) == 0 && !dd_header_read(path, &header) && header.step == step)
        status = read_state(path, model, training_time, state);
    else if (access(next, F_OK) == 0 && !dd_header_read(next, &header) && header.step == step)
        status = read_state(next, model, training_time, state);
    else
        status = dd_fail(DD_ERR_IO, "%s: no checkpoint of step %d", path, step);
    free(next);
    return status;
}
