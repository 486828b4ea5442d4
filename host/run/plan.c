/* Plans the rest of a job: which runs are finished, which resume from a checkpoint, and which train together. */
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clean_text.h"
#include "base/directories.h"
#include "base/files.h"
#include "base/names.h"
#include "metrics/kl.h"
#include "run/plan.h"
#include "store/paths.h"

void dd_tell(const dd_job *job, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    dd_clean_text(line);
    if (job->message)
        job->message(job->user, line);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static char *old_checkpoint(const dd_job *job, const dd_work *w)
{
    return dd_run_path(job->out, job->config_name, w->run.dataset, w->run.seed, ".ckpt.h5");
}

void dd_remove_checkpoints(const dd_job *job, const dd_work *w)
{
    char *old = old_checkpoint(job, w);
    dd_status status = old ? dd_checkpoint_remove(old) : dd_fail(DD_ERR_MEMORY, "out of memory");
    if (!status)
        status = dd_checkpoint_remove(w->checkpoint);
    if (status)
        dd_tell(job, "warning: %s; the run is finished and does not need this file", dd_error_message());
    free(old);
}

/* The path of an unfinished run's checkpoint. Older programs gave it another name. */
static dd_status find_checkpoint(const dd_job *job, dd_work *w)
{
    char *old = old_checkpoint(job, w);
    char *old_next = old ? dd_path_with(old, ".next") : NULL, *next = dd_path_with(w->checkpoint, ".next");
    dd_status status = old_next && next ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory");
    if (!status && !exists(w->checkpoint) && !exists(next) && (exists(old) || exists(old_next))) {
        free(w->checkpoint);
        w->checkpoint = old;
        old = NULL;
    }
    free(old);
    free(old_next);
    free(next);
    return status;
}

/* Training is done, but some metrics are missing. */
static dd_status tell_unmeasured(const dd_job *job, const dd_work *w)
{
    dd_metrics metrics;
    DD_TRY(dd_result_read_metrics(w->result, &metrics));
    if (isnan(metrics.kl_divergence) || isnan(metrics.sliced_wasserstein))
        dd_tell(job, "%s: some metrics are missing; `dualdiff evaluate %s --complete` adds them", w->result, w->result);
    return DD_OK;
}

/* The log of another run was refused with `status`. Without a checkpoint it is useless; the message says so. */
static dd_status explain_log(const dd_job *job, dd_work *w, dd_status status)
{
    DD_TRY(find_checkpoint(job, w));
    char *next = dd_path_with(w->checkpoint, ".next");
    int resumes = !next || exists(w->checkpoint) || exists(next);
    free(next);
    return resumes
               ? status
               : dd_fail_context("the run of this log ended before its first checkpoint (its loss became NaN, or it "
                                 "was killed) and cannot be resumed; to use its name again, delete the log");
}

/* Read the header of the file that has the run's name. It must be the log or the result of this very run. */
static dd_status read_existing(const dd_job *job, dd_work *w, dd_header *header)
{
    dd_status status = dd_header_read(w->result, header);
    if (!status && header->kind != DD_FILE_LOG && header->kind != DD_FILE_RESULT)
        status = dd_fail(DD_ERR_CONFLICT, "%s: is neither a log nor a result", w->result);
    if (status == DD_ERR_CONFLICT)
        return status;
    if (status)
        return dd_fail_context(
            "the run needs the name of this file; use another --out, or move the file to another folder");
    status = dd_header_matches(header, &w->run, w->result);
    if (status)
        return header->kind == DD_FILE_LOG ? explain_log(job, w, status) : status;
    w->finished = header->kind == DD_FILE_RESULT;
    return DD_OK;
}

static dd_status tell_measured_otherwise(const dd_job *job, const dd_work *w, const dd_header *header)
{
    static const char *const measured[] = {"sampling", "evaluation", NULL};
    char *difference = dd_config_difference(job->config, &header->config, measured);
    if (!difference)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    if (*difference)
        dd_tell(job,
                "%s was measured with another [sampling] or [evaluation] and is not changed; `dualdiff evaluate %s "
                "--set KEY=VALUE` measures it with other values:\n%s",
                w->result, w->result, difference);
    free(difference);
    return DD_OK;
}

static dd_status inspect_finished(const dd_job *job, dd_work *w, const dd_header *header)
{
    char points[256];
    bool network;
    DD_TRY(dd_result_points(w->result, points, sizeof points, &network));
    if (!network)
        return dd_fail(DD_ERR_CONFLICT, "%s is not a trained run; it contains something else (%s); use another --out",
                       w->result, points);
    DD_TRY(tell_unmeasured(job, w));
    if (!header->config.training.keep_checkpoint) /* a killed process left it */
        dd_remove_checkpoints(job, w);
    return tell_measured_otherwise(job, w, header);
}

/* Find what exists on disk for this work. */
static dd_status inspect(const dd_job *job, dd_work *w)
{
    dd_header header;
    int steps[2];
    w->step[0] = 0;
    w->step[1] = -1;
    if (exists(w->result))
        DD_TRY(read_existing(job, w, &header));
    if (w->finished)
        return inspect_finished(job, w, &header);
    DD_TRY(find_checkpoint(job, w));
    DD_TRY(dd_checkpoint_steps(w->checkpoint, &w->run, steps));
    int newest = steps[1] > steps[0];
    if (steps[newest] >= 0) {
        w->step[0] = steps[newest];
        w->step[1] = steps[!newest];
    }
    return DD_OK;
}

static dd_status set_up_work(dd_plan *plan, int dataset, uint64_t seed, dd_work *w)
{
    const dd_job *job = plan->job;
    const dd_points *points = &plan->points[dataset];
    *w = (dd_work){
        .run = dd_run_of(&plan->config[dataset], job->config_name, points, seed, plan->backend),
        .source = job->dataset[dataset],
        .points = points,
        .heldout = &plan->heldout[dataset],
        .model = &plan->model[dataset],
        .result = dd_run_path(job->out, job->config_name, points->name, seed, ".h5"),
        .checkpoint = dd_run_path(job->out, job->config_name, points->name, seed, ".checkpoint"),
    };
    w->run.reading = job->reading;
    if (!w->result || !w->checkpoint)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    DD_TRY(dd_make_directories(w->result, "--out"));
    dd_status status = dd_lock_acquire(w->result, &w->lock);
    if (status == DD_ERR_IO)
        dd_fail_context("choose a writable folder with --out");
    DD_TRY(status);
    return inspect(job, w);
}

/* Two sets of points must not have the same name. */
static dd_status check_names(const dd_job *job, char (*name)[DD_NAME])
{
    for (int d = 0; d < job->datasets; d++) {
        if (dd_name_check(name[d], DD_ERR_USAGE, "the name of its points", "rename the file"))
            return dd_fail_context("--dataset %s", job->dataset[d]);
        for (int other = 0; other < d; other++) {
            if (!strcmp(job->dataset[other], job->dataset[d]))
                return dd_fail(DD_ERR_USAGE, "--dataset %s is given twice; leave one out", job->dataset[d]);
            if (!strcmp(name[d], name[other]))
                return dd_fail(DD_ERR_USAGE,
                               "--dataset %s and %s would both be stored as '%s'; rename one file, or leave one out",
                               job->dataset[other], job->dataset[d], name[d]);
        }
    }
    return DD_OK;
}

/* The name of each set of points: that of its file, or FILE_DATASET if several sets of one file are trained. */
static dd_status name_datasets(const dd_job *job, char (*name)[DD_NAME])
{
    char one[DD_NAME], other[DD_NAME];
    for (int d = 0; d < job->datasets; d++) {
        dd_points_name(job->dataset[d], &job->config->data, one);
        memcpy(name[d], one, DD_NAME);
        for (int o = 0; o < job->datasets; o++) {
            dd_points_name(job->dataset[o], &job->config->data, other);
            if (o != d && !strcmp(one, other))
                dd_points_long_name(job->dataset[d], &job->config->data, name[d]);
        }
    }
    return check_names(job, name);
}

/* Sampling starts from N(0, I). Where the schedule leaves much of the points at its last timestep, x_T is another
 * distribution, and even a perfect network gets spreads and correlations wrong. The experiment did so on purpose;
 * whoever brings a table wants its numbers back. A tenth of the amplitude is 1 % of the variance. */
static void warn_of_schedule(const dd_plan *plan, const char *name)
{
    const double most = .1;
    const dd_schedule *s = &plan->schedule;
    double kept = sqrt(s->alpha_bar[s->timesteps - 1]);
    if (plan->job->config->sampling.start == DD_START_NORMAL && kept > most)
        dd_tell(
            plan->job,
            "%s: this schedule leaves %.0f %% of the points' amplitude at its last timestep, but sampling starts from "
            "pure noise, so spreads and correlations of the samples will be too small; `dualdiff train table` has a "
            "schedule that leaves none, or --set diffusion.schedule=cosine --set diffusion.prediction=v",
            name, 100 * kept);
}

/* Of a file: what is used of it, and for what. */
static void tell_rows(const dd_job *job, const char *name, const dd_points *points, const dd_points *heldout)
{
    char list[300];
    int count = points->columns.count;
    if (points->generated)
        return;
    dd_tell(job, "%s: %s%s%u rows to train, %u held out; %d column%s (%s), %s", name, points->note,
            *points->note ? "; " : "", points->n, heldout->n, count, dd_plural(count),
            dd_columns_list(points->columns.column, count, list, sizeof list),
            points->columns.scaled ? "each standardised" : "not scaled");
}

static dd_status open_named(dd_plan *plan, char (*name)[DD_NAME])
{
    const dd_job *job = plan->job;
    const dd_config *c = job->config;
    for (int d = 0; d < job->datasets; d++) {
        dd_points *points = &plan->points[d];
        DD_TRY(dd_points_request(&(dd_request){.name = job->dataset[d],
                                               .reading = &job->reading,
                                               .data = &c->data,
                                               .n = (uint32_t)c->data.points,
                                               .seed = c->data.seed,
                                               .stream = DD_STREAM_TRAIN},
                                 points, &plan->heldout[d]));
        memcpy(points->name, name[d], DD_NAME);
        plan->config[d] = *c;
        plan->config[d].data = points->data;
        tell_rows(job, job->dataset[d], points, &plan->heldout[d]);
        if (!points->generated)
            warn_of_schedule(plan, job->dataset[d]);
        dd_status measurable = dd_check_measurable(points->x, points->n, points->columns.count, c->evaluation.k);
        if (measurable) {
            dd_fail_context("%s", job->dataset[d]);
            return measurable;
        }
    }
    return DD_OK;
}

static dd_status open_datasets(dd_plan *plan)
{
    char(*name)[DD_NAME] = calloc((size_t)plan->job->datasets, sizeof *name);
    if (!name)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status = name_datasets(plan->job, name);
    if (!status)
        status = open_named(plan, name);
    free(name);
    return status;
}

static bool holds(const dd_work *w, int step)
{
    return w->step[0] == step || w->step[1] == step;
}

/* The newest step from which all works[0..count) can resume, or -1. */
static int common_step(const dd_work *work, int count)
{
    int best = -1;
    for (int which = 0; which < 2; which++) {
        int step = work->step[which], all = step > best;
        for (int i = 0; i < count; i++)
            all = all && holds(&work[i], step);
        if (all)
            best = step;
    }
    return best;
}

static int dimensions_of(const dd_work *w)
{
    return w->points->columns.count;
}

/* The networks of an ensemble have one shape, so points of different dimensions train apart. */
static int by_start(const void *a, const void *b)
{
    const dd_work *p = a, *q = b;
    if (p->finished != q->finished)
        return q->finished - p->finished;
    if (dimensions_of(p) != dimensions_of(q))
        return dimensions_of(p) - dimensions_of(q);
    if (p->start != q->start)
        return p->start < q->start ? -1 : 1;
    int names = strcmp(p->run.dataset, q->run.dataset);
    return names ? names : (p->run.seed > q->run.seed) - (p->run.seed < q->run.seed);
}

/* Ensembles of the works from `first` on, up to the end of those of equal dimensions; returns that end. */
static int group_equal(dd_plan *plan, int first)
{
    int end = first;
    while (end < plan->works && dimensions_of(&plan->work[end]) == dimensions_of(&plan->work[first]))
        end++;
    int common = common_step(plan->work + first, end - first);
    for (int i = first; i < end; i++) {
        if (common >= 0)
            plan->work[i].start = common;
        if (i + 1 == end || (common < 0 && plan->work[i].start != plan->work[i + 1].start))
            plan->ensemble_end[plan->ensembles++] = i + 1;
    }
    return end;
}

static dd_status group(dd_plan *plan)
{
    for (int i = 0; i < plan->works; i++)
        plan->work[i].start = plan->work[i].finished ? 0 : plan->work[i].step[0];
    qsort(plan->work, (size_t)plan->works, sizeof *plan->work, by_start);
    while (plan->unfinished < plan->works && plan->work[plan->unfinished].finished)
        plan->unfinished++;
    plan->ensemble_end = malloc((size_t)plan->works * sizeof *plan->ensemble_end);
    if (!plan->ensemble_end)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    for (int first = plan->unfinished; first < plan->works;)
        first = group_equal(plan, first);
    return DD_OK;
}

/* Each run keeps a lock, a folder and a log open. */
static dd_status allow_files(int works)
{
    struct rlimit limit;
    rlim_t need = 3 * (rlim_t)works + 64;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= need)
        return DD_OK;
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_max < need || setrlimit(RLIMIT_NOFILE, &limit))
        return dd_fail(DD_ERR_USAGE,
                       "%d runs together need %llu open files, and only %llu are allowed; train fewer seeds or "
                       "datasets together, or raise `ulimit -n`",
                       works, (unsigned long long)need, (unsigned long long)limit.rlim_max);
    return DD_OK;
}

dd_status dd_plan_create(dd_backend *backend, const dd_job *job, dd_plan *plan)
{
    *plan = (dd_plan){.job = job, .backend = backend};
    DD_TRY(allow_files(job->datasets * job->seeds));
    DD_TRY(dd_schedule_create(job->config, &plan->schedule));
    plan->points = calloc((size_t)job->datasets, sizeof *plan->points);
    plan->heldout = calloc((size_t)job->datasets, sizeof *plan->heldout);
    plan->config = calloc((size_t)job->datasets, sizeof *plan->config);
    plan->work = calloc((size_t)job->datasets * (size_t)job->seeds, sizeof *plan->work);
    plan->model = calloc((size_t)job->datasets, sizeof *plan->model);
    if (!plan->points || !plan->heldout || !plan->config || !plan->work || !plan->model)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    DD_TRY(open_datasets(plan));
    for (int d = 0; d < job->datasets; d++)
        DD_TRY(dd_model_create(&job->config->model, plan->points[d].columns.count, &plan->model[d]));
    for (int d = 0; d < job->datasets; d++)
        for (int s = 0; s < job->seeds; s++)
            DD_TRY(set_up_work(plan, d, job->seed[s], &plan->work[plan->works++]));
    return group(plan);
}

void dd_plan_free(dd_plan *plan)
{
    for (int i = 0; i < plan->works && plan->work; i++) {
        dd_lock_release(plan->work[i].lock);
        free(plan->work[i].result);
        free(plan->work[i].checkpoint);
    }
    for (int d = 0; d < plan->job->datasets && plan->points; d++)
        dd_points_free(&plan->points[d]);
    for (int d = 0; d < plan->job->datasets && plan->heldout; d++)
        dd_points_free(&plan->heldout[d]);
    free(plan->points);
    free(plan->heldout);
    free(plan->config);
    free(plan->model);
    free(plan->work);
    free(plan->ensemble_end);
    dd_schedule_free(&plan->schedule);
}
