/* The backend layer is the one interface for everything that trains and runs networks, on the CPU or a GPU. The host
 * code that organises steps, checkpoints and files does not know which backend it uses. A backend never reads or writes
 * files, and it never decides what to train.
 *
 *     dd_backend *backend;
 *     DD_TRY(dd_backend_open("auto", 0, &backend));
 *     dd_replica replica = {.seed = 0, .data = &points, .learning_rate = 3e-4f, ...};
 *     dd_ensemble_spec spec = {.model = &model, .schedule = &schedule, .training = &config.training,
 *                              .replicas = 1, .replica = &replica};
 *     dd_ensemble *ensemble;
 *     DD_TRY(dd_ensemble_create(backend, &spec, &ensemble));      // fresh parameters from the seeds
 *     dd_train_log *log;
 *     DD_TRY(dd_train_log_create(ensemble, 50, &log));
 *     DD_TRY(dd_ensemble_train(ensemble, 0, 50, log));            // steps 0..49; may return early
 *     DD_TRY(dd_ensemble_wait(ensemble));                         // now `log` has them
 *     DD_TRY(dd_ensemble_get(ensemble, 0, DD_STATE_EMA, parameters));
 *
 * The unit of work is an ensemble: R replicas of one architecture, each with its own seed, training set and scalar
 * hyperparameters. All points have the D coordinates of the model. Arrays are [replica][...]. On the CPU the bits of a
 * replica's numbers depend neither on the other replicas nor on the number of threads. On a GPU the number of replicas
 * may change the order of sums in products.
 *
 * Nothing random is stored: every draw is a function of (seed, purpose, step, index) (philox.h), and everything that
 * depends on the step's number is a function of it (recipe.h). So the state of training is four vectors and a step
 * number. To resume from a checkpoint, call dd_ensemble_set four times and dd_ensemble_train from that step.
 *
 * Functions return dd_status codes (error.h). An ensemble is used from one thread at a time.
 */
#ifndef DD_BACKEND_H
#define DD_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/philox.h"
#include "data/dataset.h"
#include "model/model.h"
#include "model/schedule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dd_pool dd_pool; /* pool.h */
typedef struct dd_backend dd_backend;
typedef struct dd_ensemble dd_ensemble;

/* ---- backends ---- */

/* What dd_backend_open takes, for help texts. */
#define DD_BACKENDS "auto|cpu|cuda"
/* The name of backend number i, without "auto"; NULL beyond the last. */
const char *dd_backend_listed(int i);

/* Open a backend by name: "cuda" on its first device, "cuda:1" on the one of that number, "auto" CUDA where a device
 * answers, else the CPU. threads: of the host, 0 for one per core that this process may use (processors.h).
 * DD_ERR_USAGE for an unknown name tells the closest one; DD_ERR_BACKEND for a device that is not there tells how many
 * are. */
DD_CHECKED dd_status dd_backend_open(const char *name, int threads, dd_backend **backend);
void dd_backend_close(dd_backend *backend);

const char *dd_backend_name(const dd_backend *backend);   /* "cpu" */
const char *dd_backend_device(const dd_backend *backend); /* "AMD EPYC 9654, AVX-512" */
const char *dd_backend_reason(const dd_backend *backend); /* why "auto" chose it; "" if the user chose */
int dd_backend_threads(
    const dd_backend *backend); /* threads that it trains with; CUDA: 1, which starts work on the device */

/* A pool of all threads that the user asked for, even if the backend trains with fewer. The host computes with it
 * between the backend's calls. */
dd_pool *dd_backend_pool(const dd_backend *backend);

/* ---- ensembles ---- */

typedef struct dd_replica {
    uint64_t seed;
    const dd_points *data; /* training points, kept by the caller; NULL if the ensemble only samples and predicts */
    double learning_rate, weight_decay, clip_norm, diversity_weight;
} dd_replica;

/* The replica that [training] describes. */
dd_replica dd_replica_of(const dd_training_config *training, uint64_t seed, const dd_points *data);

typedef struct dd_ensemble_spec {
    const dd_model *model; /* must exist as long as the ensemble, like the next two */
    const dd_schedule *schedule;
    const dd_training_config *training; /* everything except the scalars in dd_replica */
    int replicas;                       /* R >= 1 */
    const dd_replica *replica;          /* [R], copied */
} dd_ensemble_spec;

/* Set up memory, packed data and step-0 state: parameters from the seeds, average = parameters,
 * moments 0. DD_ERR_BACKEND: the backend cannot train networks of that many dimensions. */
DD_CHECKED dd_status dd_ensemble_create(dd_backend *backend, const dd_ensemble_spec *spec, dd_ensemble **ensemble);
void dd_ensemble_destroy(dd_ensemble *ensemble);

typedef enum dd_state_part {
    DD_STATE_ONLINE,  /* parameters that the optimiser changes */
    DD_STATE_EMA,     /* their exponential moving average */
    DD_STATE_MOMENT1, /* AdamW's running mean of gradients */
    DD_STATE_MOMENT2, /* and of their squares */
    DD_STATE_PARTS
} dd_state_part;

/* Copy one replica's vector out of or into the ensemble: [model.parameters], in the order of dd_model.tensor. */
DD_CHECKED dd_status dd_ensemble_get(dd_ensemble *ensemble, int replica, dd_state_part part, float *values);
DD_CHECKED dd_status dd_ensemble_set(dd_ensemble *ensemble, int replica, dd_state_part part, const float *values);

/* ---- training ---- */

/* What a block of steps logs. Arrays are [R][capacity] and [R][capacity][batch] (gate: [R][capacity][batch][gates];
 * gating.h says which weights these are). Row i is step first_step + i. For a batch shorter than `batch`, the remaining
 * weights are NaN and the remaining timesteps -1. */
typedef struct dd_train_log {
    int replicas, capacity, batch, gates;
    int first_step, steps; /* filled by dd_ensemble_train */
    float *loss;           /* total: MSE - diversity_weight at this step * diversity */
    float *mse;            /* mean over the batch's D * rows entries, weighted by dd_schedule.weight */
    float *diversity;      /* mean distance over all rows^2 pairs (config.h: between what) */
    float *grad_norm;      /* global norm before clipping */
    float *gate;           /* [gates] used weights, per point; NULL without a gate */
    int16_t *timestep;     /* per point; NULL without a gate */
} dd_train_log;

/* Page-locked if the backend needs it. Make two, to write one to disk while the other is filled. */
DD_CHECKED dd_status dd_train_log_create(dd_ensemble *ensemble, int capacity, dd_train_log **log);
void dd_train_log_destroy(dd_ensemble *ensemble, dd_train_log *log);

/* Train steps first_step .. first_step + steps - 1 (steps <= capacity). May return before they are done; the log and
 * the state are readable after dd_ensemble_wait, or after the next call's return for the log of the call before. The
 * host must check the log for a loss that is not finite. */
DD_CHECKED dd_status dd_ensemble_train(dd_ensemble *ensemble, int first_step, int steps, dd_train_log *log);
DD_CHECKED dd_status dd_ensemble_wait(dd_ensemble *ensemble);

/* Whether dd_ensemble_train returns only when its steps are done, so that dd_ensemble_wait has nothing to do. */
bool dd_ensemble_is_synchronous(const dd_ensemble *ensemble);

/* Gradient of step `step`'s loss at the online parameters, before clipping, [R][parameters]. Changes no state. For
 * tests and inspection. */
DD_CHECKED dd_status dd_ensemble_gradient(dd_ensemble *ensemble, int step, float *gradient);

/* ---- evaluation and sampling ---- */

/* These return DD_STOPPED with unfinished outputs if the backend checks the wish to stop (cancel.h; the CPU does). */

/* Mean squared error of the predicted noise (for x_0 or v: of the noise that the prediction implies) over one pass
 * through points[r], shuffled by DD_DRAW_EVAL_ORDER, with the noise and timesteps of `purpose` (DD_DRAW_EVALUATE or
 * DD_DRAW_HELDOUT): the unweighted mean of the batches' means, loss [R]. part: DD_STATE_ONLINE or DD_STATE_EMA.
 * square: NULL, or square[r] [points[r]->n] becomes each row's squared error, summed over the coordinates, in the order
 * of the pass. */
DD_CHECKED dd_status dd_ensemble_evaluate(dd_ensemble *ensemble, dd_state_part part, dd_purpose purpose,
                                          const dd_points *const *points, double *loss, float *const *square);

/* Sample in the S steps of the schedule from `start` or, if that is NULL, from x_T ~ N(0, I). The normals of sample i
 * at timestep t come from DD_DRAW_SAMPLE (step t, index i); those of x_T from t = T. seed [R]. Each output may be
 * NULL. */
typedef struct dd_samples {
    const float *start;   /* [R][n][D] x_T (dd_draw_start); input */
    float *x;             /* [R][n][D] the samples */
    float *initial_noise; /* [R][n][D] x_T */
    float *gate;          /* [R][S][n][gates] weights used at timestep[i] of the schedule */
} dd_samples;

DD_CHECKED dd_status dd_ensemble_sample(dd_ensemble *ensemble, dd_state_part part, const uint64_t *seed, uint32_t n,
                                        dd_samples *samples);

/* The networks at given points x [R][n][D], all at timestep t. Each output may be NULL. */
typedef struct dd_prediction {
    float *mixture; /* [R][n][D] noise, x_0 or v: the schedule's prediction */
    float *expert;  /* [R][n][experts][D] each expert alone */
    float *gate;    /* [R][n][gates] used weights; must be NULL without a gate */
} dd_prediction;

DD_CHECKED dd_status dd_ensemble_predict(dd_ensemble *ensemble, dd_state_part part, const float *x, uint32_t n, int t,
                                         dd_prediction *prediction);

#ifdef __cplusplus
}
#endif
#endif
