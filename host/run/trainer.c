#include "run/trainer.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/signals.h"
#include "compare/final_info.h"
#include "hdf5/h5.h"
#include "run/plan.h"

/* The ensemble that is training. */
typedef struct session {
    const dd_plan *plan;
    dd_ensemble *ensemble;
    dd_work *work; /* [count] */
    int count;
    int number; /* of the plan's ensembles, from 0 */
    dd_train_log *log[2];
    int step;            /* steps done */
    int first_step;      /* the step at which this process began */
    int checkpoint_step; /* step of the newest checkpoint, or first_step */
    double began;        /* when training began, dd_now */
    double since;        /* start of the time that is not in training_time yet */
    float *memory;       /* four vectors */
    float *state[DD_STATE_PARTS];
} session;

/* ---- set-up ---- */

static dd_status create_ensemble(session *s)
{
    const dd_plan *plan = s->plan;
    const dd_training_config *t = &plan->job->config->training;
    dd_replica *replica = calloc((size_t)s->count, sizeof *replica);
    size_t parameters = s->work->model->parameters;
    s->memory = malloc(DD_STATE_PARTS * parameters * sizeof *s->memory);
    if (!replica || !s->memory) {
        free(replica);
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d replicas", s->count);
    }
    for (int part = 0; part < DD_STATE_PARTS; part++)
        s->state[part] = s->memory + (size_t)part * parameters;
    for (int i = 0; i < s->count; i++)
        replica[i] = dd_replica_of(t, s->work[i].run.seed, s->work[i].points);
    dd_ensemble_spec spec = {
        .model = s->work->model, .schedule = &plan->schedule, .training = t, .replicas = s->count, .replica = replica};
    dd_status status = dd_ensemble_create(plan->backend, &spec, &s->ensemble);
    free(replica);
    return status;
}

/* Keep only the chosen checkpoint. A newer one that was never renamed must be removed before the log is cut back to
 * this step: otherwise a later run could resume from it without the log rows that belong to it. */
static dd_status settle_checkpoint(const session *s, const dd_work *w)
{
    dd_header header;
    if (s->step && (dd_header_read(w->checkpoint, &header) || header.step != s->step))
        return dd_checkpoint_commit(w->checkpoint);
    char *next = dd_path_with(w->checkpoint, ".next");
    if (!next)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status = unlink(next) ? DD_OK : dd_sync_directory_of(next);
    free(next);
    return status;
}

/* Training depends only on the checkpoint. Values of a damaged log are missing, so warn its readers. */
static void tell_lost(const dd_job *job, const dd_work *w, int step)
{
    dd_log_loss lost = dd_log_lost(w->log);
    if (lost.rows)
        dd_tell(
            job,
            "warning: %s is damaged: of the log before step %d, %d rows of %d columns (first of %s) cannot be read and "
            "are NaN now; the damaged file was kept as %s.damaged. Training resumes from the checkpoint and is not "
            "affected",
            w->result, step, lost.rows, lost.columns, lost.first, w->result);
}

/* Load the checkpoints, and write the logs again up to their step. */
static dd_status restore(session *s)
{
    for (int i = 0; i < s->count; i++) {
        dd_work *w = &s->work[i];
        w->run.replicas = s->count;
        if (s->step) {
            DD_TRY(dd_checkpoint_read(w->checkpoint, w->model, s->step, &w->training_time, s->state));
            for (int part = 0; part < DD_STATE_PARTS; part++)
                DD_TRY(dd_ensemble_set(s->ensemble, i, (dd_state_part)part, s->state[part]));
        }
        DD_TRY(settle_checkpoint(s, w));
        DD_TRY(dd_log_create(w->result, &w->run, w->model, s->step, &w->log));
        tell_lost(s->plan->job, w, s->step);
    }
    return DD_OK;
}

static dd_status set_up(session *s)
{
    DD_TRY(create_ensemble(s));
    DD_TRY(restore(s));
    for (int i = 0; i < 2; i++)
        DD_TRY(dd_train_log_create(s->ensemble, dd_log_chunk(&s->plan->job->config->training), &s->log[i]));
    return DD_OK;
}

static dd_status close_logs(session *s)
{
    dd_status status = DD_OK;
    for (int i = 0; i < s->count; i++) {
        dd_status closed = dd_log_close(s->work[i].log);
        s->work[i].log = NULL;
        status = status ? status : closed;
    }
    return status;
}

static void tear_down(session *s)
{
    close_logs(s);
    for (int i = 0; i < 2; i++)
        dd_train_log_destroy(s->ensemble, s->log[i]);
    dd_ensemble_destroy(s->ensemble);
    free(s->memory);
}

/* ---- training ---- */

enum { DATASETS = 200 }; /* length of a list of names */

/* The sign of a NaN has no meaning, but it would be printed. */
static double unsigned_nan(float x)
{
    return isnan(x) ? NAN : (double)x;
}

/* The first step of a block at which the replica's loss or gradient is NaN or infinite, from 0; -1: none. */
static int first_bad_step(const dd_train_log *block, int replica)
{
    size_t place = (size_t)replica * (size_t)block->capacity;
    for (int i = 0; i < block->steps; i++)
        if (!isfinite(block->loss[place + (size_t)i]) || !isfinite(block->grad_norm[place + (size_t)i]))
            return i;
    return -1;
}

static dd_status fail_at_step(const session *s, const dd_train_log *block, int replica, int bad)
{
    const dd_work *w = &s->work[replica];
    size_t place = (size_t)replica * (size_t)block->capacity + (size_t)bad;
    char kept[600] = "no checkpoint was written yet";
    if (s->checkpoint_step)
        snprintf(kept, sizeof kept, "the checkpoint of step %d was kept (%s)", s->checkpoint_step, w->checkpoint);
    return dd_fail(DD_ERR_NUMERIC,
                   "%s, seed %llu: step %d: loss %g, gradient norm %g; its training stopped and %s. Lower "
                   "training.learning_rate (now %g) or look for extreme points in the data",
                   w->run.dataset, (unsigned long long)w->run.seed, block->first_step + bad,
                   unsigned_nan(block->loss[place]), unsigned_nan(block->grad_norm[place]), kept,
                   s->plan->job->config->training.learning_rate);
}

/* From this block on, exclude each run whose numbers are no longer finite. It is reported, its log and its checkpoint
 * are not changed any more, and the other runs continue. */
static dd_status leave_out_failed(session *s, const dd_train_log *block)
{
    for (int r = 0; r < s->count; r++) {
        dd_work *w = &s->work[r];
        int bad = w->failed ? -1 : first_bad_step(block, r);
        if (bad < 0)
            continue;
        dd_note_failure(s->plan, fail_at_step(s, block, r, bad));
        w->failed = true;
        DD_TRY(dd_log_close(w->log));
        w->log = NULL;
    }
    return DD_OK;
}

static int living(const session *s)
{
    int n = 0;
    for (int i = 0; i < s->count; i++)
        n += !s->work[i].failed;
    return n;
}

static dd_status append_block(session *s, const dd_train_log *block)
{
    DD_TRY(leave_out_failed(s, block));
    for (int i = 0; i < s->count; i++)
        if (!s->work[i].failed)
            DD_TRY(dd_log_append(s->work[i].log, block, i, s->plan->job->config->training.learning_rate));
    return DD_OK;
}

/* Checkpoint all replicas, except failed ones, at this step: first flush the logs, then write all checkpoints under
 * temporary names, then rename them. */
static dd_status checkpoint(session *s)
{
    double time = dd_now();
    for (int i = 0; i < s->count; i++) {
        dd_work *w = &s->work[i];
        if (w->failed)
            continue;
        w->training_time += (time - s->since) / s->count;
        DD_TRY(dd_lock_check(w->lock));
        DD_TRY(dd_log_sync(w->log));
        for (int part = 0; part < DD_STATE_PARTS; part++)
            DD_TRY(dd_ensemble_get(s->ensemble, i, (dd_state_part)part, s->state[part]));
        DD_TRY(dd_checkpoint_write(w->checkpoint, &w->run, w->model, s->step, w->training_time,
                                   (const float *const *)s->state));
    }
    s->since = time;
    for (int i = 0; i < s->count; i++)
        if (!s->work[i].failed)
            DD_TRY(dd_checkpoint_commit(s->work[i].checkpoint));
    s->checkpoint_step = s->step;
    return DD_OK;
}

/* ready: time (dd_now) at which the block's numbers were available. */
static void report_progress(const session *s, const dd_train_log *block, double ready)
{
    const dd_job *job = s->plan->job;
    int count = living(s);
    if (!job->progress || !count)
        return;
    double loss = 0;
    for (int r = 0; r < s->count; r++)
        for (int i = 0; i < block->steps && !s->work[r].failed; i++)
            loss += block->loss[(size_t)r * (size_t)block->capacity + (size_t)i];
    int steps = job->config->training.steps, done = block->first_step + block->steps;
    dd_progress p = {.step = done,
                     .steps = steps,
                     .replicas = s->count,
                     .ensemble = s->number,
                     .ensembles = s->plan->ensembles,
                     .loss = loss / (count * block->steps),
                     .steps_per_second = (done - s->first_step) / (ready - s->began)};
    p.seconds_left = (steps - done) / p.steps_per_second;
    job->progress(job->user, &p);
}

/* Write a block to the logs as soon as its numbers are available. */
static dd_status write_block(session *s, const dd_train_log *block)
{
    double ready = dd_now();
    DD_TRY(append_block(s, block));
    report_progress(s, block, ready);
    return DD_OK;
}

static int flag(const volatile sig_atomic_t *signal)
{
    return signal ? *signal : 0;
}

static bool is_checkpoint_due(const session *s)
{
    const dd_training_config *t = &s->plan->job->config->training;
    return s->step >= t->steps || s->step - s->checkpoint_step >= t->checkpoint_every;
}

/* Train a block. With a synchronous backend, the block is then written at once. Any other backend computes it while the
 * host writes the previous block, *computed. */
static dd_status advance(session *s, dd_train_log *log, dd_train_log **computed)
{
    int count = dd_log_block(&s->plan->job->config->training, s->step);
    DD_TRY(dd_ensemble_train(s->ensemble, s->step, count, log));
    if (*computed)
        DD_TRY(write_block(s, *computed));
    *computed = log;
    s->step += count;
    if (!dd_ensemble_is_synchronous(s->ensemble))
        return DD_OK;
    *computed = NULL;
    return write_block(s, log);
}

/* The datasets of the ensemble, as "dino, moons". Works of one dataset follow each other. */
static const char *datasets_of(const session *s, char text[DATASETS])
{
    size_t at = 0;
    for (int i = 0; i < s->count; i++) {
        const char *name = s->work[i].run.dataset;
        if (i && !strcmp(name, s->work[i - 1].run.dataset))
            continue;
        if (at + strlen(name) + sizeof ", ..." > DATASETS) {
            snprintf(text + at, DATASETS - at, "...");
            break;
        }
        at += (size_t)snprintf(text + at, DATASETS - at, "%s%s", at ? ", " : "", name);
    }
    return text;
}

/* A wish to stop is checked between blocks. The first block is always trained, so that there is something to keep. */
static dd_status train(session *s)
{
    const dd_job *job = s->plan->job;
    int steps = job->config->training.steps;
    char names[DATASETS];
    dd_train_log *computed = NULL;
    s->checkpoint_step = s->first_step = s->step;
    s->began = s->since = dd_now();
    for (int turn = 0; s->step < steps && living(s); turn = !turn) {
        DD_TRY(advance(s, s->log[turn], &computed));
        int stopping = flag(job->stop), asked = flag(job->checkpoint);
        if (!stopping && !asked && !is_checkpoint_due(s))
            continue;
        DD_TRY(dd_ensemble_wait(s->ensemble));
        if (computed)
            DD_TRY(write_block(s, computed));
        computed = NULL;
        if (!living(s))
            break;
        if (asked)
            *job->checkpoint = 0;
        DD_TRY(checkpoint(s));
        if (stopping)
            return dd_fail(DD_STOPPED,
                           "stopped by %s at step %d of %d (%s) after writing a checkpoint; run the same command to "
                           "resume",
                           dd_signal_name(stopping), s->step, steps, datasets_of(s, names));
        if (asked)
            dd_tell(job, "checkpoint of step %d written because of %s; %s", s->step, dd_signal_name(asked),
                    s->step < steps ? "training continues" : "it was the last step");
    }
    return DD_OK;
}

static dd_status run_ensemble(const dd_plan *plan, int number, int first, int end)
{
    session s = {.plan = plan, .work = plan->work + first, .count = end - first, .number = number};
    s.step = s.work[0].start;
    if (s.step)
        dd_tell(plan->job, "resuming from step %d", s.step);
    dd_signals_acknowledge(plan->job->acknowledge);
    dd_status status = set_up(&s);
    if (!status && ((status = train(&s)) || !living(&s)))
        dd_ignore(dd_ensemble_wait(s.ensemble)); /* a block may still be running; its results are not needed */
    dd_signals_acknowledge(false);
    dd_status closed = close_logs(&s);
    if (!status)
        status = closed;
    if (!status)
        status = living(&s) ? dd_finish(plan, s.ensemble, s.work, s.count) : DD_OK;
    tear_down(&s);
    return status;
}

/* Another process that trains other seeds may be writing final_info.json: wait a moment for it. */
static dd_status lock_info(const char *path, int most_tries, dd_lock **lock)
{
    static const struct timespec moment = {.tv_nsec = 50000000};
    dd_status status = dd_lock_acquire(path, lock);
    for (int tries = 0; status == DD_ERR_CONFLICT && tries < most_tries; tries++) {
        nanosleep(&moment, NULL);
        status = dd_lock_acquire(path, lock);
    }
    return status;
}

static void tell_left_out(const void *job, const char *message)
{
    dd_tell(job, "warning: a result is missing in final_info.json: %s", message);
}

/* Write final_info.json of all existing results, next to the configuration's datasets. */
static dd_status write_info(const dd_job *job, int most_tries)
{
    char *folder = dd_path_with(job->out, "/");
    char *run = folder ? dd_path_with(folder, job->config_name) : NULL;
    char *info = run ? dd_path_with(run, "/final_info.json") : NULL;
    dd_lock *lock = NULL;
    dd_status status = info ? lock_info(info, most_tries, &lock) : dd_fail(DD_ERR_MEMORY, "out of memory");
    if (!status)
        status = dd_final_info_write(run, tell_left_out, job);
    dd_lock_release(lock);
    free(folder);
    free(run);
    free(info);
    return status;
}

/* Called after all ensembles, because its failure does not concern a run. A job that ends early keeps its own
 * message. */
static dd_status end_job(const dd_plan *plan, dd_status status)
{
    const dd_outcome *o = plan->outcome;
    char message[2048];
    if (!status && (o->written || plan->unfinished))
        status = write_info(plan->job, 200);
    if (!status && o->failures > 1)
        return dd_fail((dd_status)o->status, "%s (and %d more: see above)", o->message, o->failures - 1);
    if (!status && o->failures)
        return dd_fail((dd_status)o->status, "%s", o->message);
    if (!status)
        return DD_OK;
    snprintf(message, sizeof message, "%s", dd_error_message());
    if (o->written && write_info(plan->job, 0))
        dd_tell(plan->job, "warning: %s", dd_error_message());
    return dd_fail((dd_status)status, "%s", message);
}

dd_status dd_train(dd_backend *backend, const dd_job *job)
{
    dd_plan plan;
    dd_outcome outcome = {0};
    dd_status status = dd_plan_create(backend, job, &plan);
    plan.outcome = &outcome;
    if (!status && plan.works == 1 && plan.unfinished)
        dd_tell(job, "%s is finished already; nothing is left to do", plan.work[0].result);
    else if (!status && plan.unfinished)
        dd_tell(job, "%d of %d runs were finished before%s", plan.unfinished, plan.works,
                plan.ensembles ? "" : "; nothing is left to do");
    for (int e = 0, first = plan.unfinished; e < plan.ensembles && !status; first = plan.ensemble_end[e++])
        status = run_ensemble(&plan, e, first, plan.ensemble_end[e]);
    status = end_job(&plan, status);
    dd_plan_free(&plan);
    return status;
}
