/* Metrics of generated samples.
 *
 * kl_divergence: the k-nearest-neighbour estimate of KL(real || generated) in bits with the Chebyshev
 * metric (Wang, Kulkarni & Verdu 2009, as in NPEET's `kldiv`), d = 2:
 *   [ ln m - ln(n - 1) + (d / n) sum_i (ln nu_i - ln rho_i) ] / ln 2
 * real n points, generated m points, rho_i = distance from real point i to its k-th nearest other real
 * point, nu_i = to its k-th nearest generated point. It can be negative.
 */
#ifndef DD_METRICS_H
#define DD_METRICS_H

#include "backend.h"

typedef struct dd_kl {
    double bits;             /* the estimate over the points whose two distances are positive */
    uint32_t zero_distances; /* real points left out because a distance was 0 (duplicates) */
} dd_kl;

/* real (n, 2), generated (m, 2). DD_ERR_DATA when k is too large for n - 1 or m, or when every point
 * was left out. */
int dd_kl_divergence(dd_backend *backend, const float *real, uint32_t n, const float *generated, uint32_t m, int k,
                     dd_kl *kl);

/* Everything `train` and `evaluate` measure of one replica. NaN where a metric does not apply. */
typedef struct dd_metrics {
    double training_time;  /* s, wall time of the ensemble / replicas */
    double eval_loss;      /* online model, one pass over the training set */
    double heldout_loss;   /* online model, fresh points; NaN for a user's file */
    double inference_time; /* s, wall time of sampling / replicas */
    double kl_divergence;  /* bits */
    double kl_zero_distances;
} dd_metrics;

/* Name, unit and meaning of each member of dd_metrics, in its order: the store, the tables and
 * final_info.json walk this. */
typedef struct dd_metric_info {
    const char *name, *unit, *long_name;
    size_t offset;
    int in_final_info; /* one of the reference's four */
} dd_metric_info;

enum { DD_METRICS = 6 };
extern const dd_metric_info dd_metric_table[DD_METRICS];

static inline double *dd_metric(dd_metrics *m, int i)
{
    return (double *)((char *)m + dd_metric_table[i].offset);
}

#endif
