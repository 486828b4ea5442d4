/* How far a network is from the exact denoiser: the excess of its loss.
 *
 * The held-out loss of a perfect network is not 0, because the noise of a noised point cannot be known exactly. What a
 * network can lose is the rest, its excess. Both losses are of the same points, noises and timesteps: those of
 * dd_ensemble_evaluate with DD_DRAW_HELDOUT. Write f for the noise that the network's prediction implies, m for the
 * exact denoiser's E[eps | x_t] and eps for the noise itself, each per coordinate. Then
 *
 *   excess         = mean of |f - eps|^2 - |m - eps|^2
 *   denoiser error = mean of |f - m|^2
 *
 * have the same expectation, because E[(f - m) (m - eps) | x_t] = 0. The second is never negative, and chance changes
 * it less.
 */
#ifndef DD_EXCESS_H
#define DD_EXCESS_H

#include "backend/backend.h"
#include "base/pool.h"
#include "metrics/metrics.h"
#include "oracle/oracle.h"

/* Squared errors of the noise of one row, summed over the coordinates. */
typedef struct dd_row_errors {
    double network; /* |f - eps|^2 */
    double exact;   /* |m - eps|^2 */
    double apart;   /* |f - m|^2 */
} dd_row_errors;

/* Errors of n rows of timestep t, errors [n]. x, target [n][D]: the rows as dd_draw_point makes them. prediction
 * [n][D]: what a network predicts for x. The result does not depend on the number of threads. */
DD_CHECKED dd_status dd_excess_rows(const dd_oracle *oracle, const dd_schedule *schedule, dd_pool *pool, int t,
                                    int dimensions, uint32_t n, const float *x, const float *target,
                                    const float *prediction, dd_row_errors *errors);

/* A pass of dd_ensemble_evaluate with DD_DRAW_HELDOUT over R replicas. */
typedef struct dd_heldout_pass {
    const dd_schedule *schedule;
    int replicas;                   /* R */
    uint32_t batch;                 /* training.batch */
    const uint64_t *seed;           /* [R] */
    const dd_points *const *points; /* [R], all of D dimensions */
    const double *loss;             /* [R] what the pass returned for DD_STATE_ONLINE */
} dd_heldout_pass;

/* All NaN for points from a file, whose distribution is unknown. */
typedef struct dd_excess {
    double exact;          /* the exact denoiser's loss of the pass; rows weigh as in dd_ensemble_evaluate */
    double excess;         /* loss - exact */
    double error;          /* standard error of `excess`; NaN for one row */
    double denoiser_error; /* mean squared distance of the network and the exact denoiser */
} dd_excess;

/* All NaN. */
extern const dd_excess dd_excess_unknown;

/* Compare the online parameters with the exact denoiser, excess [R]. DD_STOPPED (cancel.h), DD_ERR_MEMORY. */
DD_CHECKED dd_status dd_excess_measure(dd_ensemble *ensemble, const dd_heldout_pass *pass, dd_pool *pool,
                                       dd_excess *excess);

/* Set the metrics that it has. */
void dd_excess_metrics(const dd_excess *excess, dd_metrics *metrics);

#endif
