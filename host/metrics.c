/* The k-nearest-neighbour estimate of the KL divergence, and the table of metrics. */
#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "knn.h"

const dd_metric_info dd_metric_table[DD_METRICS] = {
    {"training_time", "s", "wall time of training, of the ensemble / replicas", offsetof(dd_metrics, training_time), 1},
    {"eval_loss", "1", "mean squared error of the predicted noise on the training set", offsetof(dd_metrics, eval_loss),
     1},
    {"heldout_loss", "1", "mean squared error of the predicted noise on fresh points",
     offsetof(dd_metrics, heldout_loss), 0},
    {"inference_time", "s", "wall time of sampling, of the ensemble / replicas", offsetof(dd_metrics, inference_time),
     1},
    {"kl_divergence", "bit", "nearest-neighbour estimate of KL(real || generated)", offsetof(dd_metrics, kl_divergence),
     1},
    {"kl_zero_distances", "1", "real points left out of kl_divergence because a distance was 0",
     offsetof(dd_metrics, kl_zero_distances), 0},
    {"modes", "1", "modes of the dataset", offsetof(dd_metrics, modes), 0},
    {"modes_captured", "1", "modes with at least a fifth of their share in high-quality samples",
     offsetof(dd_metrics, modes_captured), 0},
    {"high_quality", "1", "share of samples within 3 sigma of a mode or curve, or in its disc or box",
     offsetof(dd_metrics, high_quality), 0},
    {"off_support", "1", "share of samples beyond 6 sigma of every mode or curve, or .02 outside disc or box",
     offsetof(dd_metrics, off_support), 0},
    {"total_variation", "1", "between samples and truth, over modes or cells and what lies outside",
     offsetof(dd_metrics, total_variation), 0},
    {"density", "1", "Naeem et al. 2020, k = 5; 1 for the true distribution", offsetof(dd_metrics, density), 0},
    {"coverage", "1", "Naeem et al. 2020, k = 5; .97 for the true distribution", offsetof(dd_metrics, coverage), 0},
    {"sliced_wasserstein", "1", "Wasserstein-1 distance to the training set, mean over 128 directions",
     offsetof(dd_metrics, sliced_wasserstein), 0},
    {"mmd_squared", "1", "squared maximum mean discrepancy, unbiased", offsetof(dd_metrics, mmd_squared), 0},
    {"mean_distance", "1", "mean distance between two samples", offsetof(dd_metrics, mean_distance), 0},
};

int dd_metric_number(const char *name)
{
    int i = DD_METRICS - 1;
    while (i >= 0 && strcmp(dd_metric_table[i].name, name))
        i--;
    return i;
}

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

/* Whether every point of sorted[n][2] has k others at its own place. */
static int all_crowded(const float *sorted, uint32_t n, int k)
{
    for (uint32_t first = 0, end = 0; first < n; first = end) {
        while (end < n && !by_place(sorted + 2 * (size_t)first, sorted + 2 * (size_t)end))
            end++;
        if (end - first <= (uint32_t)k)
            return 0;
    }
    return 1;
}

int dd_check_measurable(const float *real, uint32_t n, int k)
{
    if ((uint64_t)k + 1 > n)
        return dd_fail(DD_ERR_DATA, "%u points; the KL estimate with evaluation.k = %d needs more than %d", n, k, k);
    float *sorted = malloc(2 * (size_t)n * sizeof *sorted);
    if (!sorted)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %u points", n);
    memcpy(sorted, real, 2 * (size_t)n * sizeof *sorted);
    qsort(sorted, n, 2 * sizeof *sorted, by_place);
    int crowded = all_crowded(sorted, n, k);
    free(sorted);
    if (!crowded)
        return DD_OK;
    return dd_fail(DD_ERR_DATA,
                   "KL divergence: every point has %d or more others at its own place; the points are copies of a few, "
                   "remove the copies or raise evaluation.k",
                   k);
}

int dd_kl_divergence(dd_pool *pool, const float *real, uint32_t n, const float *generated, uint32_t m, int k, dd_kl *kl)
{
    const int dimensions = 2;
    if (k < 1 || (uint64_t)k + 1 > n || (uint32_t)k > m)
        return dd_fail(DD_ERR_DATA,
                       "KL divergence: the %d-th neighbour needs at least %d real and %d generated points, there are "
                       "%u and %u; lower evaluation.k or give more points",
                       k, k + 1, k, n, m);
    int status = DD_OK;
    double *rho = malloc(n * sizeof *rho), *nu = malloc(n * sizeof *nu);
    if (!rho || !nu) {
        status = dd_fail(DD_ERR_MEMORY, "out of memory for the KL divergence of %u points", n);
        goto done;
    }
    DD_CHECK(dd_knn(pool, real, n, real, n, k, 1, rho));
    DD_CHECK(dd_knn(pool, real, n, generated, m, k, 0, nu));
    compensated logs = {0};
    uint32_t used = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (rho[i] > 0. && nu[i] > 0.) {
            add(&logs, log(nu[i]));
            add(&logs, -log(rho[i]));
            used++;
        }
    }
    if (!used) {
        status = dd_fail(DD_ERR_DATA,
                         "KL divergence: every real point has %d or more neighbours at distance 0, real or generated "
                         "ones; the points are duplicates of a few, remove them or raise evaluation.k",
                         k);
        goto done;
    }
    double mean = (logs.sum + logs.lost) / used;
    kl->bits = (log((double)m) - log((double)n - 1.) + dimensions * mean) / log(2.);
    kl->zero_distances = n - used;
done:
    free(rho);
    free(nu);
    return status;
}
