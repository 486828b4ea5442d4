/* Dispatch to the backend that was opened, and the checks that all backends share. */
#include "backend.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend_ops.h"
#include "pool.h"

struct dd_backend {
    const dd_backend_ops *ops;
    void *context;
    void *library; /* of a backend that was loaded */
    dd_pool *pool;
    int threads;
    char device[128], reason[256];
};

static const char *const backend_names[] = {"auto", "cpu", "cuda"};

/* libdualdiff_cuda.so from beside the program, from where a build has it, from ../lib, or wherever the loader looks; or
 * the file that DUALDIFF_CUDA_LIBRARY names. */
static void *open_cuda_library(char *why, size_t size)
{
    const char *named = getenv("DUALDIFF_CUDA_LIBRARY");
    if (named && *named) {
        void *chosen = dlopen(named, RTLD_NOW | RTLD_LOCAL);
        if (!chosen)
            snprintf(why, size, "DUALDIFF_CUDA_LIBRARY: %s", dlerror());
        return chosen;
    }
    char program[PATH_MAX], path[PATH_MAX + 64];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    void *library = NULL;
    static const char *const places[] = {"/libdualdiff_cuda.so", "/cuda/libdualdiff_cuda.so",
                                         "/../cuda/libdualdiff_cuda.so", "/../lib/libdualdiff_cuda.so"};
    if (length > 0) {
        program[length] = '\0';
        char *slash = strrchr(program, '/');
        if (slash)
            *slash = '\0';
        for (size_t i = 0; i < sizeof places / sizeof *places && !library; i++) {
            snprintf(path, sizeof path, "%s%s", program, places[i]);
            if (access(path, R_OK) == 0) {
                library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
                if (!library) {
                    snprintf(why, size, "%s", dlerror());
                    return NULL;
                }
            }
        }
    }
    if (!library)
        library = dlopen("libdualdiff_cuda.so", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        snprintf(why, size, "this build has no CUDA backend");
    return library;
}

static int open_ops(dd_backend *b, const dd_backend_ops *ops)
{
    DD_TRY(ops->open(b->pool, &b->context, &b->threads, b->device));
    b->ops = ops;
    return DD_OK;
}

static int open_cuda(dd_backend *b)
{
    char why[256] = "";
    b->library = open_cuda_library(why, sizeof why);
    if (!b->library)
        return dd_fail(DD_ERR_BACKEND, "backend cuda: %s; use --backend cpu, or build where nvcc is found", why);
    const dd_backend_ops *ops = dlsym(b->library, "dd_cuda_ops");
    int status =
        ops && ops->size == sizeof *ops
            ? open_ops(b, ops)
            : dd_fail(DD_ERR_BACKEND, "backend cuda: libdualdiff_cuda.so is another version's; build it again");
    if (status) {
        dlclose(b->library);
        b->library = NULL;
    }
    return status;
}

static int open_named(dd_backend *b, const char *name)
{
    if (!strcmp(name, "cpu"))
        return open_ops(b, &dd_cpu_ops);
    if (!strcmp(name, "cuda"))
        return open_cuda(b);
    if (strcmp(name, "auto")) {
        const char *closest = strcmp(name, "gpu") ? dd_closest(name, backend_names, 3) : "cuda";
        return dd_fail(DD_ERR_USAGE, "unknown backend '%s'; backends are auto, cpu and cuda%s%s%s", name,
                       closest ? " (did you mean '" : "", closest ? closest : "", closest ? "'?)" : "");
    }
    if (open_cuda(b)) {
        snprintf(b->reason, sizeof b->reason, "%.250s", dd_error_message());
        return open_ops(b, &dd_cpu_ops);
    }
    snprintf(b->reason, sizeof b->reason, "a CUDA device answers");
    return DD_OK;
}

int dd_backend_open(const char *name, int threads, dd_backend **backend)
{
    *backend = NULL;
    dd_backend *b = calloc(1, sizeof *b);
    if (!b)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    int status = dd_pool_create(threads > 0 ? threads : dd_cores(), &b->pool);
    if (!status)
        status = open_named(b, name);
    if (!status) {
        *backend = b;
        return DD_OK;
    }
    if (b->pool)
        dd_pool_destroy(b->pool);
    free(b);
    return status;
}

void dd_backend_close(dd_backend *backend)
{
    if (!backend)
        return;
    backend->ops->close(backend->context);
    if (backend->library)
        dlclose(backend->library);
    dd_pool_destroy(backend->pool);
    free(backend);
}

const char *dd_backend_name(const dd_backend *backend)
{
    return backend->ops->name;
}
const char *dd_backend_device(const dd_backend *backend)
{
    return backend->device;
}
const char *dd_backend_reason(const dd_backend *backend)
{
    return backend->reason;
}
int dd_backend_threads(const dd_backend *backend)
{
    return backend->threads;
}
dd_pool *dd_backend_pool(const dd_backend *backend)
{
    return backend->pool;
}

/* ---- ensembles ---- */

static dd_ensemble_head *head_of(dd_ensemble *ensemble)
{
    return (dd_ensemble_head *)ensemble;
}

int dd_ensemble_create(dd_backend *backend, const dd_ensemble_spec *spec, dd_ensemble **ensemble)
{
    *ensemble = NULL;
    if (spec->replicas < 1)
        return dd_fail(DD_ERR_INTERNAL, "an ensemble of %d replicas", spec->replicas);
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

static int check_replica(dd_ensemble *ensemble, int replica)
{
    if (replica < 0 || replica >= head_of(ensemble)->replicas)
        return dd_fail(DD_ERR_INTERNAL, "replica %d of %d", replica, head_of(ensemble)->replicas);
    return DD_OK;
}

int dd_ensemble_get(dd_ensemble *ensemble, int replica, dd_state_part part, float *values)
{
    DD_TRY(check_replica(ensemble, replica));
    return head_of(ensemble)->ops->get(ensemble, replica, part, values);
}

int dd_ensemble_set(dd_ensemble *ensemble, int replica, dd_state_part part, const float *values)
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

int dd_train_log_create(dd_ensemble *ensemble, int capacity, dd_train_log **out)
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
    int complete = log->loss && log->mse && log->diversity && log->grad_norm;
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

int dd_ensemble_train(dd_ensemble *ensemble, int first_step, int steps, dd_train_log *log)
{
    if (steps < 1 || steps > log->capacity)
        return dd_fail(DD_ERR_INTERNAL, "%d steps into a log of %d rows", steps, log->capacity);
    log->first_step = first_step;
    log->steps = steps;
    return head_of(ensemble)->ops->train(ensemble, first_step, steps, log);
}

int dd_ensemble_wait(dd_ensemble *ensemble)
{
    return head_of(ensemble)->ops->wait(ensemble);
}

int dd_ensemble_is_synchronous(const dd_ensemble *ensemble)
{
    return ((const dd_ensemble_head *)ensemble)->ops->synchronous;
}

int dd_ensemble_gradient(dd_ensemble *ensemble, int step, float *gradient)
{
    return head_of(ensemble)->ops->gradient(ensemble, step, gradient);
}

int dd_ensemble_evaluate(dd_ensemble *ensemble, dd_state_part part, dd_purpose purpose, const dd_points *const *points,
                         double *loss)
{
    return head_of(ensemble)->ops->evaluate(ensemble, part, purpose, points, loss);
}

int dd_ensemble_sample(dd_ensemble *ensemble, dd_state_part part, const uint64_t *seed, uint32_t n, dd_samples *samples)
{
    if (samples->gate && !head_of(ensemble)->model->gates)
        return dd_fail(DD_ERR_INTERNAL, "gating weights of a network without a gate");
    return head_of(ensemble)->ops->sample(ensemble, part, seed, n, samples);
}

int dd_ensemble_predict(dd_ensemble *ensemble, dd_state_part part, const float *x, uint32_t n, int t,
                        dd_prediction *prediction)
{
    if (prediction->gate && !head_of(ensemble)->model->gates)
        return dd_fail(DD_ERR_INTERNAL, "gating weights of a network without a gate");
    return head_of(ensemble)->ops->predict(ensemble, part, x, n, t, prediction);
}
