/* Several sets of samples measured together have the same bits as each set measured alone by the metrics' functions,
 * with any number of threads, and a set that cannot be measured does not affect the others. */
#include "metrics/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "base/pool.h"
#include "check.h"
#include "config/config.h"
#include "data/dataset.h"
#include "data/generators.h"
#include "data/points.h"
#include "data/truth.h"
#include "metrics/copies.h"
#include "metrics/kl.h"
#include "metrics/measure.h"
#include "metrics/modes.h"
#include "metrics/set_distances.h"

enum { SETS = 5, N = 700, K = 5, MOST_THREADS = 8 };
static const dd_evaluation_config evaluation = {.samples = N, .k = K};

/* The first and the fourth set share their points, the second and the last have the same points but not as one set, and
 * the last's truth is not known. */
static dd_points set_points[4];
static const dd_points *const points[SETS] = {&set_points[0], &set_points[1], &set_points[2], &set_points[0],
                                              &set_points[3]};
/* Of the second set too few for the KL estimate, of the fourth none. */
static dd_points set_heldout[4];
static const dd_points *const heldout[SETS] = {&set_heldout[0], &set_heldout[1], &set_heldout[2], &set_heldout[0],
                                               &set_heldout[3]};
static float x[SETS][2 * N];

static void make_sets(void)
{
    static const char *const names[4] = {"eight_gaussians", "moons", "dino", "moons"};
    static const uint32_t sizes[4] = {3000, 2000, 500, 2000}; /* more than samples, and fewer */
    for (int i = 0; i < 4; i++)
        CHECK_OK(dd_points_open(names[i], sizes[i], 42, DD_STREAM_TRAIN, &set_points[i]));
    static const uint32_t held_out[3] = {300, K, 900};
    for (int i = 0; i < 3; i++)
        CHECK_OK(dd_points_open(names[i], held_out[i], 42, DD_STREAM_HELDOUT, &set_heldout[i]));
    set_points[3].generated = 0;
    for (int i = 0; i < SETS; i++) {
        dd_points fresh;
        CHECK_OK(dd_points_open(i == 3 ? "rings" : points[i]->name, N, (uint64_t)i, DD_STREAM_FLOOR, &fresh));
        memcpy(x[i], fresh.x, sizeof x[i]);
        dd_points_free(&fresh);
    }
}

/* One set, one metric after another. */
static dd_metrics expected_of(const dd_points *p, const dd_points *held, const float *sample)
{
    dd_metrics m;
    dd_kl kl = {0};
    int d = p->columns.count;
    float thinned[8 * N];
    for (int i = 0; i < DD_METRICS; i++)
        *dd_metric(&m, i) = NAN;
    CHECK_OK(dd_kl_divergence(NULL, p->x, p->n, sample, N, d, K, &kl));
    m.kl_divergence = kl.bits;
    m.kl_zero_distances = kl.zero_distances;
    if (p->generated) {
        dd_truth truth;
        dd_modes modes;
        CHECK_OK(dd_points_truth(p, &truth));
        CHECK_OK(dd_modes_measure(&truth, sample, N, &modes));
        m.modes = modes.modes;
        m.modes_captured = modes.captured;
        m.high_quality = modes.high_quality;
        m.off_support = modes.off_support;
        m.total_variation = modes.total_variation;
        dd_truth_free(&truth);
    }
    if (held->n > K) {
        CHECK_OK(dd_kl_divergence(NULL, held->x, held->n, sample, N, d, K, &kl));
        m.heldout_kl = kl.bits;
        uint32_t n = dd_thin(p->x, p->n, d, N, thinned);
        CHECK_OK(dd_kl_divergence(NULL, held->x, held->n, thinned, n, d, K, &kl));
        m.heldout_kl_floor = kl.bits;
    }
    CHECK_OK(dd_copy_share(NULL, p->x, p->n, sample, N, d, &m.copy_share));
    if (held->n)
        CHECK_OK(dd_copy_share(NULL, p->x, p->n, held->x, held->n, d, &m.copy_floor));
    uint32_t n = dd_thin(p->x, p->n, d, N, thinned);
    CHECK_OK(dd_density_coverage(thinned, n, sample, N, d, &m.density, &m.coverage));
    CHECK_OK(dd_sliced_wasserstein(p->x, p->n, sample, N, d, &m.sliced_wasserstein));
    m.mmd_squared = dd_mmd_squared(thinned, n, sample, N, d);
    m.mean_distance = dd_mean_distance(sample, N, d);
    return m;
}

static void compare(const dd_metrics *found, const dd_metrics *expected, int set, int count, int threads)
{
    dd_metrics a = *found, b = *expected;
    for (int i = 0; i < DD_METRICS; i++) {
        double value = *dd_metric(&a, i), alone = *dd_metric(&b, i);
        CHECK(!memcmp(&value, &alone, sizeof value) || (isnan(value) && isnan(alone)),
              "%s of set %d of %d, %d threads: %.17g, alone %.17g", dd_metric_table[i].name, set, count, threads, value,
              alone);
    }
}

/* Each number of threads measures all sets together, then each alone. */
static void check_bits(int threads, const dd_metrics *expected)
{
    dd_pool *pool;
    dd_metrics m[SETS];
    int measured;
    CHECK_OK(dd_pool_create(threads, &pool));
    for (int round = 0; round < 3; round++) { /* threads meet differently every time */
        memset(m, 0, sizeof m);
        CHECK_OK(dd_metrics_of_samples(pool, SETS, points, heldout, x[0], N, &evaluation, m, &measured));
        CHECK(measured == SETS, "measured %d", measured);
        for (int i = 0; i < SETS; i++)
            compare(&m[i], &expected[i], i, SETS, threads);
    }
    for (int i = 0; i < SETS; i++) {
        CHECK_OK(dd_metrics_of_samples(pool, 1, &points[i], &heldout[i], x[i], N, &evaluation, m, &measured));
        compare(&m[0], &expected[i], 0, 1, threads);
    }
    dd_pool_destroy(pool);
}

/* `bad` and x_bad take the third set's place: the two before it are measured, and the message is its own, not that of
 * the last set, which cannot be measured either. */
static void check_failure(const dd_metrics *expected, const dd_points *bad, const float *x_bad, int status,
                          const char *message)
{
    static float samples[SETS][2 * N];
    const dd_points *p[SETS];
    memcpy(samples, x, sizeof x);
    memcpy(p, points, sizeof p);
    dd_points last = set_points[3];
    last.generated = 1;
    strcpy(last.set, "no_other_set");
    p[2] = bad;
    p[SETS - 1] = &last;
    memcpy(samples[2], x_bad, sizeof samples[2]);
    for (int threads = 1; threads <= MOST_THREADS; threads *= 2) {
        dd_pool *pool;
        dd_metrics m[SETS];
        int measured;
        CHECK_OK(dd_pool_create(threads, &pool));
        dd_fail(DD_ERR_IO, "another failure");
        int found = dd_metrics_of_samples(pool, SETS, p, heldout, samples[0], N, &evaluation, m, &measured);
        CHECK(found == status && strstr(dd_error_message(), message), "status %d: %s", found, dd_error_message());
        CHECK(measured == 2, "measured %d", measured);
        for (int i = 0; i < measured; i++)
            compare(&m[i], &expected[i], i, SETS, threads);
        found = dd_metrics_of_samples(pool, SETS - 2, p + 2, heldout + 2, samples[2], N, &evaluation, m, &measured);
        CHECK(found == status && measured == 0, "as the first: status %d, measured %d", found, measured);
        dd_pool_destroy(pool);
    }
}

static void check_failures(const dd_metrics *expected)
{
    /* Nothing is known of such a set: the thread that takes its modes fails. */
    dd_points unknown = set_points[2], few = set_points[2];
    strcpy(unknown.set, "no_such_set");
    check_failure(expected, &unknown, x[2], DD_ERR_USAGE, "no_such_set");
    few.n = K;
    check_failure(expected, &few, x[2], DD_ERR_DATA, "KL divergence");
    static float broken[2 * N];
    memcpy(broken, x[2], sizeof broken);
    broken[2 * N - 1] = NAN;
    check_failure(expected, &set_points[2], broken, DD_ERR_NUMERIC, "NaN");
}

/* Wide points, whose KL estimate is computed on all threads before everything else. */
static void check_wide(void)
{
    enum { D = 8 };
    static float real[900 * D], samples[2][N * D];
    dd_points p = {.n = 900, .columns = {.count = D}, .x = real};
    const dd_points of_p = {.n = 400, .columns = {.count = D}, .x = real + 450 * D}, *held[2] = {&of_p, &of_p};
    const dd_points *both[2] = {&p, &p};
    for (uint32_t i = 0; i < 900; i++)
        dd_draw_normals(1, DD_DRAW_DATA, 0, i, D, real + D * i);
    for (uint32_t i = 0; i < 2 * N; i++)
        dd_draw_normals(2, DD_DRAW_DATA, 0, i, D, samples[0] + D * i);
    for (int threads = 1; threads <= MOST_THREADS; threads *= 2) {
        dd_pool *pool;
        dd_metrics m[2];
        int measured;
        CHECK_OK(dd_pool_create(threads, &pool));
        CHECK_OK(dd_metrics_of_samples(pool, 2, both, held, samples[0], N, &evaluation, m, &measured));
        for (int i = 0; i < 2; i++) {
            dd_metrics alone = expected_of(&p, &of_p, samples[i]);
            compare(&m[i], &alone, i, 2, threads);
        }
        dd_pool_destroy(pool);
    }
}

int main(void)
{
    dd_metrics expected[SETS];
    make_sets();
    for (int i = 0; i < SETS; i++)
        expected[i] = expected_of(points[i], heldout[i], x[i]);
    CHECK(expected[0].mmd_squared != expected[3].mmd_squared, "two sets of samples are the same");
    for (int threads = 1; threads <= MOST_THREADS; threads++)
        check_bits(threads, expected);
    check_failures(expected);
    check_wide();
    for (int i = 0; i < 4; i++)
        dd_points_free(&set_points[i]);
    return check_report();
}
