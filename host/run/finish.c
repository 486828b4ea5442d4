/* After training: evaluate, sample, measure, and write the result of each run. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/pool.h"
#include "base/signals.h"
#include "base/statistics.h"
#include "metrics/measure.h"
#include "model/start_points.h"
#include "run/excess.h"
#include "run/plan.h"

/* What an ensemble's measurement fills, [count][...]. */
typedef struct measurement {
    int count;
    size_t dimensions; /* of the points, D */
    const dd_points **training;
    const dd_points **heldout; /* points that were not trained on; n = 0: a file of which all rows were */
    const dd_points **fresh;   /* the same, but in place of n = 0 the training points */
    dd_points *more;           /* one set per generator that is used */
    double *eval_loss, *heldout_loss;
    dd_excess *excess;
    uint64_t *seed;
    dd_samples samples;
    float *start;        /* [count][n][D] the same as samples.start; NULL: from noise */
    float *final_gate;   /* [count][n][gates]; NULL without a gate */
    float *online, *ema; /* [parameters] of one replica */
    double inference_time;
    dd_metrics *metrics;
    void *memory; /* of all arrays */
} measurement;

static void measurement_free(measurement *m)
{
    for (int i = 0; i < m->count && m->more; i++)
        dd_points_free(&m->more[i]);
    free(m->memory);
}

static void take_arrays(const dd_plan *plan, const dd_model *model, measurement *m, dd_arena *arena)
{
    const dd_config *c = plan->job->config;
    size_t runs = (size_t)m->count, points = runs * (size_t)c->evaluation.samples, gates = (size_t)model->gates;
    DD_TAKE(arena, m->training, runs);
    DD_TAKE(arena, m->heldout, runs);
    DD_TAKE(arena, m->fresh, runs);
    DD_TAKE(arena, m->more, runs);
    DD_TAKE(arena, m->eval_loss, runs);
    DD_TAKE(arena, m->heldout_loss, runs);
    DD_TAKE(arena, m->excess, runs);
    DD_TAKE(arena, m->seed, runs);
    DD_TAKE(arena, m->samples.x, m->dimensions * points);
    DD_TAKE(arena, m->samples.initial_noise, m->dimensions * points);
    if (c->sampling.start == DD_START_DATA)
        m->samples.start = DD_TAKE(arena, m->start, m->dimensions * points);
    if (gates) {
        DD_TAKE(arena, m->samples.gate, points * (size_t)plan->schedule.steps * gates);
        DD_TAKE(arena, m->final_gate, points * gates);
    }
    DD_TAKE(arena, m->online, model->parameters);
    DD_TAKE(arena, m->ema, model->parameters);
    DD_TAKE(arena, m->metrics, runs);
}

/* Replicas of the same training set share its held-out points. */
static dd_status open_heldout(const dd_plan *plan, const dd_work *work, int i, measurement *m)
{
    const dd_config *c = plan->job->config;
    m->heldout[i] = work->heldout;
    if (!work->points->generated)
        return DD_OK;
    for (int j = 0; j < i; j++)
        if (m->training[j] == m->training[i]) {
            m->heldout[i] = m->heldout[j];
            return DD_OK;
        }
    m->heldout[i] = &m->more[i];
    return dd_points_more(work->points, (uint32_t)c->evaluation.heldout, c->data.seed, DD_STREAM_HELDOUT, &m->more[i]);
}

static dd_status measurement_create(const dd_plan *plan, const dd_work *work, int count, measurement *m)
{
    uint32_t n = (uint32_t)plan->job->config->evaluation.samples;
    dd_arena arena = {0};
    *m = (measurement){.count = count, .dimensions = (size_t)work->points->columns.count};
    take_arrays(plan, work->model, m, &arena);
    m->memory = dd_arena_allocate(&arena);
    if (!m->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the samples of %d replicas; lower evaluation.samples", count);
    take_arrays(plan, work->model, m, &arena);
    for (int i = 0; i < count; i++) {
        m->seed[i] = work[i].run.seed;
        m->training[i] = work[i].points;
        if (m->start)
            dd_draw_start(&plan->schedule, m->training[i], m->seed[i], n, m->start + m->dimensions * n * (size_t)i);
        DD_TRY(open_heldout(plan, &work[i], i, m));
        m->fresh[i] = m->heldout[i]->n ? m->heldout[i] : m->training[i];
    }
    return DD_OK;
}

static dd_status measure_excess(const dd_plan *plan, dd_ensemble *e, measurement *m)
{
    dd_heldout_pass pass = {.schedule = &plan->schedule,
                            .replicas = m->count,
                            .batch = (uint32_t)plan->job->config->training.batch,
                            .seed = m->seed,
                            .points = m->fresh,
                            .loss = m->heldout_loss};
    return dd_excess_measure(e, &pass, dd_backend_pool(plan->backend), m->excess);
}

static dd_status measure_ensemble(const dd_plan *plan, dd_ensemble *e, measurement *m)
{
    uint32_t n = (uint32_t)plan->job->config->evaluation.samples;
    dd_pool *pool = dd_backend_pool(plan->backend);
    dd_pool_phase(pool, "evaluating the loss");
    DD_TRY(dd_ensemble_evaluate(e, DD_STATE_ONLINE, DD_DRAW_EVALUATE, m->training, m->eval_loss, NULL));
    dd_pool_phase(pool, "evaluating the held-out loss");
    DD_TRY(dd_ensemble_evaluate(e, DD_STATE_ONLINE, DD_DRAW_HELDOUT, m->fresh, m->heldout_loss, NULL));
    DD_TRY(measure_excess(plan, e, m));
    dd_pool_phase(pool, "sampling");
    double began = dd_now();
    DD_TRY(dd_ensemble_sample(e, DD_STATE_EMA, m->seed, n, &m->samples));
    m->inference_time = (dd_now() - began) / m->count;
    if (!m->final_gate)
        return DD_OK;
    return dd_ensemble_predict(e, DD_STATE_EMA, m->samples.x, n, 0, &(dd_prediction){.gate = m->final_gate});
}

/* The last step's update may have made the parameters NaN, and no loss shows that. */
static bool all_finite(const measurement *m, int i, size_t n)
{
    return isfinite(m->eval_loss[i]) && isfinite(m->heldout_loss[i]) &&
           dd_all_finite(m->samples.x + m->dimensions * n * (size_t)i, m->dimensions * n);
}

void dd_note_failure(const dd_plan *plan, dd_status status)
{
    dd_outcome *o = plan->outcome;
    dd_tell(plan->job, "warning: %s", dd_error_message());
    if (o->failures++)
        return;
    o->status = status;
    snprintf(o->message, sizeof o->message, "%s", dd_error_message());
}

static dd_status fail_not_finite(const dd_work *w)
{
    return dd_fail(DD_ERR_NUMERIC,
                   "%s, seed %llu: training has finished, but the network's losses or samples are NaN or infinite; no "
                   "result was written. Lower training.learning_rate (now %g) or look for "
                   "extreme points in the data",
                   w->run.dataset, (unsigned long long)w->run.seed, w->run.config->training.learning_rate);
}

static void tell_result(const dd_plan *plan, const measurement *m, const dd_work *w, int i)
{
    const dd_metrics *metrics = &m->metrics[i];
    const char *each = m->count > 1 ? " each" : ""; /* of an ensemble's time */
    char modes[64] = "", kl[32] = "not measured";
    if (!isnan(metrics->modes))
        snprintf(modes, sizeof modes, ", %g of %g modes", metrics->modes_captured, metrics->modes);
    if (!isnan(metrics->kl_divergence))
        snprintf(kl, sizeof kl, "%.4f bit", metrics->kl_divergence);
    dd_tell(plan->job, "%s: kl_divergence %s%s, eval_loss %.4f, trained in %.1f s%s, sampled in %.2f s%s%s", w->result,
            kl, modes, m->eval_loss[i], w->training_time, each, m->inference_time, each,
            metrics->kl_zero_distances > 0. ? " (some distances were 0; see kl_zero_distances)" : "");
}

/* The result of run number i; online and ema are memory that the next run uses again. */
static dd_status make_result(const dd_plan *plan, dd_ensemble *e, const measurement *m, const dd_work *w, int i,
                             dd_result *result)
{
    size_t n = (size_t)plan->job->config->evaluation.samples, at = (size_t)i * n, gates = (size_t)w->model->gates;
    *result = (dd_result){
        .metrics = m->metrics[i],
        .samples = (uint32_t)n,
        .x = m->samples.x + m->dimensions * at,
        .initial_noise = m->samples.initial_noise + m->dimensions * at,
        .sampling = &plan->schedule,
        .gate = m->final_gate ? m->final_gate + at * gates : NULL,
        .sample_gate = m->samples.gate ? m->samples.gate + at * gates * (size_t)plan->schedule.steps : NULL,
        .online = m->online,
        .ema = m->ema,
        .training = w->points,
    };
    result->metrics.training_time = w->training_time;
    result->metrics.eval_loss = m->eval_loss[i];
    result->metrics.heldout_loss = m->heldout[i]->n ? m->heldout_loss[i] : NAN;
    dd_excess_metrics(&m->excess[i], &result->metrics);
    result->metrics.inference_time = m->inference_time;
    DD_TRY(dd_ensemble_get(e, i, DD_STATE_ONLINE, m->online));
    return dd_ensemble_get(e, i, DD_STATE_EMA, m->ema);
}

static dd_status write_run(const dd_plan *plan, dd_ensemble *e, const measurement *m, const dd_work *w, int i)
{
    dd_result result;
    DD_TRY(make_result(plan, e, m, w, i, &result));
    DD_TRY(dd_lock_check(w->lock)); /* measuring may have taken a long time */
    DD_TRY(dd_result_write(w->result, &w->run, w->model, &result));
    plan->outcome->written++;
    if (!plan->job->config->training.keep_checkpoint)
        dd_remove_checkpoints(plan->job, w);
    tell_result(plan, m, w, i);
    return DD_OK;
}

static dd_status fail_incomplete(const dd_work *w, dd_status status)
{
    char reason[1024];
    snprintf(reason, sizeof reason, "%s", dd_error_message());
    return dd_fail(status,
                   "%s was stored, but some metrics are missing: %s. `dualdiff evaluate %s --complete` adds them",
                   w->result, reason, w->result);
}

/* Measure and write the next runs from *first on, as many as there are threads. It stops after the first run that
 * cannot be measured completely: that run is written with the metrics that exist, or not at all if its network is
 * damaged. Moves *first past the runs that are done. */
static dd_status finish_some(const dd_plan *plan, dd_ensemble *e, measurement *m, const dd_work *work, int *first)
{
    const dd_evaluation_config *evaluation = &plan->job->config->evaluation;
    size_t n = (size_t)evaluation->samples;
    dd_pool *pool = dd_backend_pool(plan->backend);
    int begin = *first, good = 0, measured;
    while (good < dd_pool_threads(pool) && begin + good < m->count && !work[begin + good].failed &&
           all_finite(m, begin + good, n))
        good++;
    if (!good) {
        if (!work[begin].failed) /* else it was reported when it happened */
            dd_note_failure(plan, fail_not_finite(&work[begin]));
        ++*first;
        return DD_OK;
    }
    const float *x = m->samples.x + m->dimensions * n * (size_t)begin;
    dd_status status = dd_metrics_of_samples(pool, good, m->training + begin, m->heldout + begin, x, (uint32_t)n,
                                             evaluation, m->metrics + begin, &measured);
    if (status == DD_STOPPED)
        return status;
    if (status)
        fail_incomplete(&work[begin + measured], status);
    char reason[2048];
    snprintf(reason, sizeof reason, "%s", dd_error_message());
    for (int end = begin + measured + (status != DD_OK); *first < end; ++*first) {
        DD_TRY(dd_check_cancelled());
        DD_TRY(write_run(plan, e, m, &work[*first], *first));
    }
    if (status)
        dd_note_failure(plan, dd_fail((dd_status)status, "%s", reason));
    return DD_OK;
}

dd_status dd_finish(const dd_plan *plan, dd_ensemble *e, dd_work *work, int count)
{
    const dd_job *job = plan->job;
    measurement m;
    dd_tell(job, "trained; evaluating and sampling");
    dd_cancel_watch(job->stop);
    dd_status status = measurement_create(plan, work, count, &m);
    if (!status)
        status = measure_ensemble(plan, e, &m);
    for (int done = 0; done < count && !status;)
        status = finish_some(plan, e, &m, work, &done);
    if (status == DD_STOPPED)
        dd_fail(DD_STOPPED,
                "stopped by %s after training, before all results were written; the checkpoint of the last step was "
                "kept, and the same command will write the results",
                dd_signal_name(*job->stop));
    dd_cancel_watch(NULL);
    measurement_free(&m);
    return status;
}
