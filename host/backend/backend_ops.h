/* What a backend implements. Callers use backend.h; only registry.c, ensemble.c and the backends include this.
 *
 * A backend is one constant table. The CPU's table is linked in. CUDA's is the symbol `dd_cuda_ops` in
 * libdualdiff_cuda.so, which is loaded when needed, so that the program also starts where no CUDA library is installed.
 * dd_ensemble is the backend's own struct and begins with a dd_ensemble_head. ensemble.c has already checked the
 * arguments.
 */
#ifndef DD_BACKEND_OPS_H
#define DD_BACKEND_OPS_H

#include <stdbool.h>

#include "backend/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dd_backend_ops {
    size_t size; /* version of this table: it detects a library of another version */
    const char *name;
    dd_status (*count_devices)(int *count); /* those that a user chooses from, at least one; NULL: there is no choice */
    /* On device `number`, 0 where there is no choice. The pool exists longer than the context. Fills *threads (how many
     * of the pool's threads it uses) and device. */
    dd_status (*open)(dd_pool *pool, int number, void **context, int *threads, char device[128]);
    void (*close)(void *context);

    dd_status (*create)(void *context, const dd_ensemble_spec *spec, dd_ensemble **ensemble);
    void (*destroy)(dd_ensemble *ensemble);
    dd_status (*get)(dd_ensemble *ensemble, int replica, dd_state_part part, float *values);
    dd_status (*set)(dd_ensemble *ensemble, int replica, dd_state_part part, const float *values);
    void *(*log_alloc)(dd_ensemble *ensemble, size_t bytes); /* memory for the arrays of a dd_train_log */
    void (*log_free)(dd_ensemble *ensemble, void *memory);
    dd_status (*train)(dd_ensemble *ensemble, int first_step, int steps, dd_train_log *log);
    dd_status (*wait)(dd_ensemble *ensemble);
    dd_status (*gradient)(dd_ensemble *ensemble, int step, float *gradient);
    dd_status (*evaluate)(dd_ensemble *ensemble, dd_state_part part, dd_purpose purpose, const dd_points *const *points,
                          double *loss, float *const *square);
    dd_status (*sample)(dd_ensemble *ensemble, dd_state_part part, const uint64_t *seed, uint32_t n,
                        dd_samples *samples);
    dd_status (*predict)(dd_ensemble *ensemble, dd_state_part part, const float *x, uint32_t n, int t,
                         dd_prediction *prediction);

    bool synchronous; /* train returns when its steps are done */
} dd_backend_ops;

/* An opened backend. */
struct dd_backend {
    const dd_backend_ops *ops;
    void *context;
    void *library; /* handle of a loaded library */
    dd_pool *pool;
    int threads;
    char device[128], reason[256];
};

/* First member of every backend's dd_ensemble; filled by ensemble.c after create. */
typedef struct dd_ensemble_head {
    const dd_backend_ops *ops;
    const dd_model *model;
    const dd_training_config *training;
    int replicas;
} dd_ensemble_head;

extern const dd_backend_ops dd_cpu_ops;

#ifdef __cplusplus
}
#endif
#endif
