/* The KL divergence of samples, and a check that a set of points allows the estimate.
 *
 * kl_divergence: the k-nearest-neighbour estimate of KL(real || generated) in bits with the Chebyshev
 * metric (Wang, Kulkarni & Verdu 2009, as in NPEET's `kldiv`), in d dimensions:
 *   [ ln m - ln(n - 1) + (d / n) sum_i (ln nu_i - ln rho_i) ] / ln 2
 * real n points, generated m points, rho_i = distance from real point i to its k-th nearest other real
 * point, nu_i = to its k-th nearest generated point. It can be negative.
 */
#ifndef DD_KL_H
#define DD_KL_H

#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"

typedef struct dd_kl {
    double bits;             /* the estimate from the points whose two distances are both positive */
    uint32_t zero_distances; /* real points left out because a distance was 0 (duplicates) */
} dd_kl;

/* real (n, D), generated (m, D), D = dimensions; pool as in knn.h, NULL for the calling thread only. DD_ERR_DATA when k
 * is too large for n - 1 or m, or when every point was left out. */
DD_CHECKED dd_status dd_kl_divergence(dd_pool *pool, const float *real, uint32_t n, const float *generated, uint32_t m,
                                      int dimensions, int k, dd_kl *kl);

/* DD_ERR_DATA if these points (n, D) cannot be compared with any samples: they are too few for k, or each has k other
 * points with the same coordinates. Call this before hours of training. */
DD_CHECKED dd_status dd_check_measurable(const float *real, uint32_t n, int dimensions, int k);

#endif
