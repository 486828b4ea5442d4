/* Metrics of generated samples; docs/metrics.md says how to read them.
 *
 *     dd_metrics metrics; // all NaN but what follows
 *     int measured;
 *     DD_TRY(dd_metrics_of_samples(pool, 1, (const dd_points *const[]){&points}, x, n, &config.evaluation,
 *                                  &metrics, &measured));
 *     printf("%g of %g modes\n", metrics.modes_captured, metrics.modes);
 *
 * kl_divergence: the k-nearest-neighbour estimate of KL(real || generated) in bits with the Chebyshev
 * metric (Wang, Kulkarni & Verdu 2009, as in NPEET's `kldiv`), d = 2:
 *   [ ln m - ln(n - 1) + (d / n) sum_i (ln nu_i - ln rho_i) ] / ln 2
 * real n points, generated m points, rho_i = distance from real point i to its k-th nearest other real
 * point, nu_i = to its k-th nearest generated point. It can be negative.
 */
#ifndef DD_METRICS_H
#define DD_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "dataset.h"
#include "error.h"
#include "pool.h"

typedef struct dd_kl {
    double bits;             /* the estimate over the points whose two distances are positive */
    uint32_t zero_distances; /* real points left out because a distance was 0 (duplicates) */
} dd_kl;

/* real (n, 2), generated (m, 2); pool as in knn.h, NULL for the calling thread alone. DD_ERR_DATA when k is too large
 * for n - 1 or m, or when every point was left out. */
int dd_kl_divergence(dd_pool *pool, const float *real, uint32_t n, const float *generated, uint32_t m, int k,
                     dd_kl *kl);

/* DD_ERR_DATA where these points cannot be compared with any samples: too few for k, or every one has k others at its
 * own place. Ask before hours of training. */
int dd_check_measurable(const float *real, uint32_t n, int k);

/* Everything `train` and `evaluate` measure of one replica. NaN where a metric does not apply. */
typedef struct dd_metrics {
    double training_time;  /* s, wall time of the ensemble / replicas */
    double eval_loss;      /* online model, one pass over the training set */
    double heldout_loss;   /* online model, fresh points; NaN for a user's file */
    double inference_time; /* s, wall time of sampling / replicas */
    double kl_divergence;  /* bits */
    double kl_zero_distances;
    double modes;              /* of the dataset; this and the next four are in modes.h */
    double modes_captured;     /* of them */
    double high_quality;       /* share of samples */
    double off_support;        /* share of samples */
    double total_variation;    /* 0..1, modes or cells against the truth */
    double density, coverage;  /* distances.h, like the next three */
    double sliced_wasserstein; /* coordinates' unit */
    double mmd_squared;        /* unbiased: negative at times */
    double mean_distance;      /* between two samples, coordinates' unit */
} dd_metrics;

/* 1 unless one of count values is NaN or infinite. */
int dd_all_finite(const float *value, size_t count);

/* All metrics of `count` >= 1 sets of generated samples x [count][n][2]; the others (losses, times) become NaN.
 * points [count] are the training sets, which may be the same; density, coverage and MMD compare with at most
 * DD_MOST_COMPARED of them, evenly spaced. Of points that were not generated the truth is not known: modes ..
 * total_variation are NaN. So is, of the distances, what needs more points than there are; too few for the KL estimate
 * are DD_ERR_DATA, as there; a sample that is not finite is DD_ERR_NUMERIC.
 *
 * The first *measured sets were measured: all of them or, with the failure's status and message, those before the
 * first that cannot be. Of that one, the metrics that could be computed are there, and the others NaN. A set's values
 * depend on nothing but the set, to the bit. The pool's threads work on all sets together, with some 160 kB a set, so
 * count = threads keeps them busy and is soon done. DD_STOPPED (cancel.h): nothing was measured. */
int dd_metrics_of_samples(dd_pool *pool, int count, const dd_points *const *points, const float *x, uint32_t n,
                          const dd_evaluation_config *evaluation, dd_metrics *metrics, int *measured);

/* Name, unit and meaning of each member of dd_metrics, in its order: the store, the tables and
 * final_info.json walk this. */
typedef struct dd_metric_info {
    const char *name, *unit, *long_name;
    size_t offset;
    int in_final_info; /* one of the reference's four */
} dd_metric_info;

enum { DD_METRICS = 16 };
extern const dd_metric_info dd_metric_table[DD_METRICS];

/* Number of the metric called `name`; -1 if there is none. */
int dd_metric_number(const char *name);

static inline double *dd_metric(dd_metrics *m, int i)
{
    return (double *)((char *)m + dd_metric_table[i].offset);
}

#endif
