/* Checks arguments for all backends, then calls the backend that made the ensemble. */
#include <stdbool.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "backend/backend_ops.h"

static dd_ensemble_head *head_of(dd_ensemble *ensemble)
{
    return (dd_ensemble_head *)ensemble;
}

static dd_status check_points(const dd_model *model, const dd_points *points)
{
    if (points->columns.count != model->dimensions)
        return dd_fail(DD_ERR_INTERNAL, "points of %d dimensions for a network of %d", points->columns.count,
                       model->dimensions);
    return DD_OK;
}

dd_status dd_ensemble_create(dd_backend *backend, const dd_ensemble_spec *spec, dd_ensemble **ensemble)
{
    *ensemble = NULL;
    if (spec->replicas < 1)
        return dd_fail(DD_ERR_INTERNAL, "an ensemble of %d replicas", spec->replicas);
    for (int r = 0; r < spec->replicas; r++)
        if (spec->replica[r].data)
            DD_TRY(check_points(spec->model, spec->replica[r].data));
    DD_TRY(backend->ops->create(backend->context, spec, ensemble));
    dd_ensemble_head *head = head_of(*ensemble);
    head->ops = backend->ops;
    head->model = spec->model;
    head->training = spec->training;
    head->replicas = spec->replicas;
    return DD_OK;
}

void dd_ensemble_destroy(dd_ensemble *ensemble)
{
    if (ensemble)
        head_of(ensemble)->ops->destroy(ensemble);
}

static dd_status check_replica(dd_ensemble *ensemble, int replica)
{
    if (replica < 0 || replica >= head_of(ensemble)->replicas)
        return dd_fail(DD_ERR_INTERNAL, "replica %d of %d", replica, head_of(ensemble)->replicas);
    return DD_OK;
}

dd_status dd_ensemble_get(dd_ensemble *ensemble, int replica, dd_state_part part, float *values)
{
    DD_TRY(check_replica(ensemble, replica));
    return head_of(ensemble)->ops->get(ensemble, replica, part, values);
}

dd_status dd_ensemble_set(dd_ensemble *ensemble, int replica, dd_state_part part, const float *values)
{
    DD_TRY(check_replica(ensemble, replica));
    return head_of(ensemble)->ops->set(ensemble, replica, part, values);
}

void dd_train_log_destroy(dd_ensemble *ensemble, dd_train_log *log)
{
    if (!log)
        return;
    const dd_backend_ops *ops = head_of(ensemble)->ops;
    if (log->loss)
        ops->log_free(ensemble, log->loss);
    if (log->mse)
        ops->log_free(ensemble, log->mse);
    if (log->diversity)
        ops->log_free(ensemble, log->diversity);
    if (log->grad_norm)
        ops->log_free(ensemble, log->grad_norm);
    if (log->gate)
        ops->log_free(ensemble, log->gate);
    if (log->timestep)
        ops->log_free(ensemble, log->timestep);
    free(log);
}

dd_status dd_train_log_create(dd_ensemble *ensemble, int capacity, dd_train_log **out)
{
    const dd_ensemble_head *head = head_of(ensemble);
    dd_train_log *log = calloc(1, sizeof *log);
    *out = NULL;
    if (!log)
        return dd_fail(DD_ERR_MEMORY, "out of memory for a log");
    log->replicas = head->replicas;
    log->capacity = capacity;
    log->batch = head->training->batch;
    log->gates = head->model->gates;
    size_t rows = (size_t)head->replicas * (size_t)capacity, points = rows * (size_t)log->batch;
    log->loss = head->ops->log_alloc(ensemble, rows * sizeof *log->loss);
    log->mse = head->ops->log_alloc(ensemble, rows * sizeof *log->mse);
    log->diversity = head->ops->log_alloc(ensemble, rows * sizeof *log->diversity);
    log->grad_norm = head->ops->log_alloc(ensemble, rows * sizeof *log->grad_norm);
    bool complete = log->loss && log->mse && log->diversity && log->grad_norm;
    if (head->model->gates) {
        log->gate = head->ops->log_alloc(ensemble, points * (size_t)log->gates * sizeof *log->gate);
        log->timestep = head->ops->log_alloc(ensemble, points * sizeof *log->timestep);
        complete = complete && log->gate && log->timestep;
    }
    if (!complete) {
        dd_train_log_destroy(ensemble, log);
        return dd_fail(DD_ERR_MEMORY, "out of memory for the log of %d replicas", head->replicas);
    }
    *out = log;
    return DD_OK;
}

dd_status dd_ensemble_train(dd_ensemble *ensemble, int first_step, int steps, dd_train_log *log)
{
    if (steps < 1 || steps > log->capacity)
        return dd_fail(DD_ERR_INTERNAL, "%d steps into a log of %d rows", steps, log->capacity);
    log->first_step = first_step;
    log->steps = steps;
    return head_of(ensemble)->ops->train(ensemble, first_step, steps, log);
}

dd_status dd_ensemble_wait(dd_ensemble *ensemble)
{
    return head_of(ensemble)->ops->wait(ensemble);
}

bool dd_ensemble_is_synchronous(const dd_ensemble *ensemble)
{
    return ((const dd_ensemble_head *)ensemble)->ops->synchronous;
}

dd_status dd_ensemble_gradient(dd_ensemble *ensemble, int step, float *gradient)
{
    return head_of(ensemble)->ops->gradient(ensemble, step, gradient);
}

dd_status dd_ensemble_evaluate(dd_ensemble *ensemble, dd_state_part part, dd_purpose purpose,
                               const dd_points *const *points, double *loss, float *const *square)
{
    const dd_ensemble_head *head = head_of(ensemble);
    for (int r = 0; r < head->replicas; r++)
        DD_TRY(check_points(head->model, points[r]));
    return head->ops->evaluate(ensemble, part, purpose, points, loss, square);
}

dd_status dd_ensemble_sample(dd_ensemble *ensemble, dd_state_part part, const uint64_t *seed, uint32_t n,
                             dd_samples *samples)
{
    if (samples->gate && !head_of(ensemble)->model->gates)
        return dd_fail(DD_ERR_INTERNAL, "gating weights of a network without a gate");
    return head_of(ensemble)->ops->sample(ensemble, part, seed, n, samples);
}

dd_status dd_ensemble_predict(dd_ensemble *ensemble, dd_state_part part, const float *x, uint32_t n, int t,
                              dd_prediction *prediction)
{
    if (prediction->gate && !head_of(ensemble)->model->gates)
        return dd_fail(DD_ERR_INTERNAL, "gating weights of a network without a gate");
    return head_of(ensemble)->ops->predict(ensemble, part, x, n, t, prediction);
}

dd_replica dd_replica_of(const dd_training_config *training, uint64_t seed, const dd_points *data)
{
    return (dd_replica){.seed = seed,
                        .data = data,
                        .learning_rate = training->learning_rate,
                        .weight_decay = training->weight_decay,
                        .clip_norm = training->clip_norm,
                        .diversity_weight = training->diversity_weight};
}
