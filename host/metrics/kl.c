/* The k-nearest-neighbour estimate of the KL divergence. */
#include "metrics/kl.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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

static int by_place(const void *left, const void *right)
{
    const float *a = left, *b = right;
    int first = (a[0] > b[0]) - (a[0] < b[0]);
    return first ? first : (a[1] > b[1]) - (a[1] < b[1]);
}

/* Whether every point of sorted[n][2] has k other points with the same coordinates. */
static bool all_crowded(const float *sorted, uint32_t n, int k)
{
    for (uint32_t first = 0, end = 0; first < n; first = end) {
        while (end < n && !by_place(sorted + 2 * (size_t)first, sorted + 2 * (size_t)end))
            end++;
        if (end - first <= (uint32_t)k)
            return false;
    }
    return true;
}

dd_status dd_check_measurable(const float *real, uint32_t n, int k)
{
    if ((uint64_t)k + 1 > n)
        return dd_fail(DD_ERR_DATA, "%u points; the KL estimate with evaluation.k = %d needs more than %d", n, k, k);
    float *sorted = malloc(2 * (size_t)n * sizeof *sorted);
    if (!sorted)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %u points", n);
    memcpy(sorted, real, 2 * (size_t)n * sizeof *sorted);
    qsort(sorted, n, 2 * sizeof *sorted, by_place);
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
static dd_status estimate(dd_pool *pool, const float *real, uint32_t n, const float *generated, uint32_t m, int k,
                          double *rho, double *nu, dd_kl *kl)
{
    const int dimensions = 2;
    uint32_t used;
    DD_TRY(dd_knn(pool, real, n, real, n, k, true, rho));
    DD_TRY(dd_knn(pool, real, n, generated, m, k, false, nu));
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

dd_status dd_kl_divergence(dd_pool *pool, const float *real, uint32_t n, const float *generated, uint32_t m, int k,
                           dd_kl *kl)
{
    if (k < 1 || (uint64_t)k + 1 > n || (uint32_t)k > m)
        return dd_fail(DD_ERR_DATA,
                       "KL divergence: the %d-th neighbour needs at least %d real and %d generated points, but there "
                       "are %u and %u; lower evaluation.k or give more points",
                       k, k + 1, k, n, m);
    double *rho = malloc(n * sizeof *rho), *nu = malloc(n * sizeof *nu);
    dd_status status = rho && nu ? estimate(pool, real, n, generated, m, k, rho, nu, kl)
                                 : dd_fail(DD_ERR_MEMORY, "out of memory for the KL divergence of %u points", n);
    free(rho);
    free(nu);
    return status;
}
