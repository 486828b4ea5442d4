/* The k-nearest-neighbour estimate of the KL divergence. */
#include "metrics/kl.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "metrics/knn.h"

/* The sum of 100,000 logarithms with Neumaier's compensation: its rounding error stays near one ulp. */
typedef struct compensated {
    double sum, lost;
} compensated;

static void add(compensated *c, double term)
{
    double sum = c->sum + term;
    c->lost += fabs(c->sum) >= fabs(term) ? (c->sum - sum) + term : (term - sum) + c->sum;
    c->sum = sum;
}

/* A point, with what a comparison needs to know. */
typedef struct place {
    const float *x;
    int dimensions;
} place;

static int by_coordinates(const void *left, const void *right)
{
    const place *a = left, *b = right;
    int order = 0;
    for (int c = 0; c < a->dimensions && !order; c++)
        order = (a->x[c] > b->x[c]) - (a->x[c] < b->x[c]);
    return order;
}

/* Whether every point of sorted[n] has k other points with the same coordinates. */
static bool all_crowded(const place *sorted, uint32_t n, int k)
{
    for (uint32_t first = 0, end = 0; first < n; first = end) {
        while (end < n && !by_coordinates(&sorted[first], &sorted[end]))
            end++;
        if (end - first <= (uint32_t)k)
            return false;
    }
    return true;
}

dd_status dd_check_measurable(const float *real, uint32_t n, int dimensions, int k)
{
    if ((uint64_t)k + 1 > n)
        return dd_fail(DD_ERR_DATA, "%u points; the KL estimate with evaluation.k = %d needs more than %d", n, k, k);
    place *sorted = malloc(n * sizeof *sorted);
    if (!sorted)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %u points", n);
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = (place){real + (size_t)i * (size_t)dimensions, dimensions};
    qsort(sorted, n, sizeof *sorted, by_coordinates);
    bool crowded = all_crowded(sorted, n, k);
    free(sorted);
    if (!crowded)
        return DD_OK;
    return dd_fail(DD_ERR_DATA,
                   "KL divergence: every point has %d or more other points with the same coordinates; the points are "
                   "copies of a few: remove the copies or raise evaluation.k",
                   k);
}

/* The mean of log(nu / rho) over the points where neither is 0; *used: how many they are. */
static double mean_log_ratio(const double *rho, const double *nu, uint32_t n, uint32_t *used)
{
    compensated logs = {0};
    *used = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (rho[i] > 0. && nu[i] > 0.) {
            add(&logs, log(nu[i]));
            add(&logs, -log(rho[i]));
            ++*used;
        }
    }
    return (logs.sum + logs.lost) / *used;
}

/* rho, nu: memory for n distances each, to real and to generated neighbours. */
static dd_status estimate(dd_pool *pool, const float *real, uint32_t n, const float *generated, uint32_t m,
                          int dimensions, int k, double *rho, double *nu, dd_kl *kl)
{
    uint32_t used;
    DD_TRY(dd_knn(pool, real, n, real, n, dimensions, k, true, rho));
    DD_TRY(dd_knn(pool, real, n, generated, m, dimensions, k, false, nu));
    double mean = mean_log_ratio(rho, nu, n, &used);
    if (!used)
        return dd_fail(DD_ERR_DATA,
                       "KL divergence: every real point has %d or more neighbours at distance 0, real or generated "
                       "ones; the points are copies of a few: remove the copies or raise evaluation.k",
                       k);
    kl->bits = (log((double)m) - log((double)n - 1.) + dimensions * mean) / log(2.);
    kl->zero_distances = n - used;
    return DD_OK;
}

dd_status dd_kl_divergence(dd_pool *pool, const float *real, uint32_t n, const float *generated, uint32_t m,
                           int dimensions, int k, dd_kl *kl)
{
    if (k < 1 || (uint64_t)k + 1 > n || (uint32_t)k > m)
        return dd_fail(DD_ERR_DATA,
                       "KL divergence: the %d-th neighbour needs at least %d real and %d generated points, but there "
                       "are %u and %u; lower evaluation.k or give more points",
                       k, k + 1, k, n, m);
    double *rho = malloc(n * sizeof *rho), *nu = malloc(n * sizeof *nu);
    dd_status status = rho && nu ? estimate(pool, real, n, generated, m, dimensions, k, rho, nu, kl)
                                 : dd_fail(DD_ERR_MEMORY, "out of memory for the KL divergence of %u points", n);
    free(rho);
    free(nu);
    return status;
}
