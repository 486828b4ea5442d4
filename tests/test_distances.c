/* Density, coverage, sliced Wasserstein distance, MMD and mean distance where their values are known in closed form,
 * and all metrics of samples together. test_distances_scipy.py compares with NumPy and SciPy. */
#include "metrics/set_distances.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/pool.h"
#include "check.h"
#include "config/config.h"
#include "data/dataset.h"
#include "data/points.h"
#include "metrics/kl.h"
#include "metrics/measure.h"
#include "metrics/metrics.h"

/* Fresh points of a generated set, in the float64 definition's float32. */
static dd_points fresh(const char *name, uint32_t n, uint64_t seed)
{
    dd_points points;
    CHECK_OK(dd_points_open(name, n, seed, DD_STREAM_HELDOUT, &points));
    return points;
}

static double wasserstein(const float *a, uint32_t n, const float *b, uint32_t m)
{
    double distance = NAN;
    CHECK_OK(dd_sliced_wasserstein(a, n, b, m, 2, &distance));
    return distance;
}

/* Mean of |v . direction|: what moving a set by v costs. */
static double cost_of_moving(double x, double y)
{
    double sum = 0.;
    for (int d = 0; d < DD_DIRECTIONS; d++)
        sum += fabs(x * cos(M_PI * d / DD_DIRECTIONS) + y * sin(M_PI * d / DD_DIRECTIONS));
    return sum / DD_DIRECTIONS;
}

static void check_wasserstein(void)
{
    enum { N = 3000 };
    dd_points p = fresh("moons", N, 1);
    float *moved = malloc(4 * N * sizeof *moved);
    for (uint32_t i = 0; i < N; i++) {
        /* twice, in another order */
        for (uint32_t copy = 0; copy < 2; copy++) {
            moved[2 * (2 * (N - 1 - i) + copy)] = p.x[2 * i] + .75f;
            moved[2 * (2 * (N - 1 - i) + copy) + 1] = p.x[2 * i + 1] - .5f;
        }
    }
    CHECK(wasserstein(p.x, N, p.x, N) == 0., "a set and itself: %g", wasserstein(p.x, N, p.x, N));
    double d = wasserstein(p.x, N, moved, 2 * N), back = wasserstein(moved, 2 * N, p.x, N);
    CHECK(fabs(d - cost_of_moving(.75, -.5)) < 1e-6, "moved: %.9g, exactly %.9g", d, cost_of_moving(.75, -.5));
    CHECK(d == back, "not symmetric: %.17g, %.17g", d, back);
    free(moved);
    dd_points_free(&p);

    /* Half of the mass stays at 0, half goes to (1, 2); then a third of it to either end of a line. */
    static const float zero[2] = {0.f, 0.f}, two[4] = {0.f, 0.f, 1.f, 2.f}, three[6] = {-3.f, 0.f, 0.f, 0.f, 3.f, 0.f};
    d = wasserstein(zero, 1, two, 2);
    CHECK(fabs(d - .5 * cost_of_moving(1., 2.)) < 1e-6, "half moved: %.9g", d);
    d = wasserstein(three, 3, zero, 1);
    CHECK(fabs(d - 2. / 3. * cost_of_moving(3., 0.)) < 1e-6, "two thirds moved: %.9g", d);
    CHECK(fabs(cost_of_moving(1., 0.) - 2. / M_PI) < 1e-4, "the mean of |cos| is 2 / pi");
}

static void check_density(void)
{
    enum { N = 10 };
    double density, coverage;
    float line[2 * N], other[2 * N];
    for (int i = 0; i < N; i++) { /* 0, 1, ... 9: the fifth neighbour of 0 .. 9 is 5 4 3 3 3 3 3 3 4 5 away */
        line[2 * i] = (float)i;
        line[2 * i + 1] = 0.f;
        other[2 * i] = 0.f;
        other[2 * i + 1] = 100.f;
    }
    CHECK_OK(dd_density_coverage(line, N, line, N, 2, &density, &coverage));
    /* Points within the balls, edges included: 6 + 6 + 6 + 7 + 7 + 7 + 7 + 6 + 6 + 6. */
    CHECK(fabs(density - 64. / 50.) < 1e-15 && coverage == 1., "a line and itself: %g, %g", density, coverage);
    CHECK_OK(dd_density_coverage(line, N, other, N, 2, &density, &coverage));
    CHECK(density == 0. && coverage == 0., "far off: %g, %g", density, coverage);
    other[1] = 0.f; /* one sample on 0, which lies in the balls of 0, 1, 2 and 3 */
    CHECK_OK(dd_density_coverage(line, N, other, N, 2, &density, &coverage));
    CHECK(density == 4. / 50. && coverage == .4, "one near: %g, %g", density, coverage);
    for (int i = 0; i < N; i++)
        other[2 * i + 1] = 0.f; /* duplicates: dense, but they cover as little */
    CHECK_OK(dd_density_coverage(line, N, other, N, 2, &density, &coverage));
    CHECK(density == 4. / 5. && coverage == .4, "duplicates: %g, %g", density, coverage);
    CHECK_OK(dd_density_coverage(other, N, other, 2, 2, &density, &coverage));
    CHECK(density == 2. && coverage == 1., "duplicates of real duplicates: %g, %g", density, coverage);
    CHECK_OK(dd_density_coverage(line, DD_DENSITY_NEIGHBOUR, other, N, 2, &density, &coverage));
    CHECK(isnan(density) && isnan(coverage), "five real points: %g, %g", density, coverage);
    CHECK_OK(dd_density_coverage(line, N, other, 0, 2, &density, &coverage));
    CHECK(isnan(density) && isnan(coverage), "no samples: %g, %g", density, coverage);
}

/* The true distribution has density 1 and coverage 1 - 2^-5 = .96875, a mode that is missing costs coverage its share.
 * Deviations: coverage sqrt(.97 .03 / 5000) = .0024, about as much in the density over 5. */
static void check_density_of_truth(void)
{
    enum { N = 5000 };
    dd_points real = fresh("line", N, 1), generated = fresh("line", N, 2);
    double density, coverage;
    CHECK_OK(dd_density_coverage(real.x, N, generated.x, N, 2, &density, &coverage));
    CHECK(fabs(density - 1.) < .05 && fabs(coverage - .96875) < .012, "truth: density %g, coverage %g", density,
          coverage);
    for (uint32_t i = 0; i < N; i++)
        generated.x[2 * i] = fabsf(generated.x[2 * i]); /* the left half is missing */
    CHECK_OK(dd_density_coverage(real.x, N, generated.x, N, 2, &density, &coverage));
    CHECK(coverage > .49 && coverage < .53 && fabs(density - 1.) < .05, "half missing: density %g, coverage %g",
          density, coverage);
    dd_points_free(&real);
    dd_points_free(&generated);
}

static double kernel(double distance)
{
    double sum = 0.;
    for (int i = 0; i < DD_MMD_WIDTHS; i++) {
        double width = ldexp(2., -i);
        sum += exp(-distance * distance / (2. * width * width));
    }
    return sum / DD_MMD_WIDTHS;
}

static void check_mmd(void)
{
    static const float a[4] = {0.f, 0.f, .5f, 0.f}, b[4] = {0.f, 1.f, .5f, 1.f};
    double expected = 2. * kernel(.5) - kernel(1.) - kernel(sqrt(1.25)), mmd = dd_mmd_squared(a, 2, b, 2, 2);
    CHECK(fabs(mmd - expected) < 1e-6, "two and two: %.9g, exactly %.9g", mmd, expected);
    static const float c[6] = {0.f, 0.f, 0.f, 0.f, 0.f, 0.f}, d[6] = {1e4f, 0.f, 1e4f, 0.f, 1e4f, 0.f};
    mmd = dd_mmd_squared(c, 3, d, 3, 2);
    CHECK(mmd == 2., "duplicates, far apart: %.9g", mmd);
    mmd = dd_mmd_squared(c, 3, c, 2, 2);
    CHECK(mmd == 0., "duplicates at one place: %.9g", mmd);
    CHECK(isnan(dd_mmd_squared(c, 1, d, 3, 2)) && isnan(dd_mmd_squared(c, 3, d, 1, 2)), "one point");
    /* Unbiased: a set and itself give -2/n (1 - the mean kernel of different points). 1500 is no multiple of a block.
     */
    enum { N = 1500 };
    dd_points p = fresh("dino", N, 5);
    double mean = 0.;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++)
            mean += kernel(hypot((double)p.x[2 * i] - p.x[2 * j], (double)p.x[2 * i + 1] - p.x[2 * j + 1]));
    mean /= N * (N - 1) / 2.;
    mmd = dd_mmd_squared(p.x, N, p.x, N, 2);
    CHECK(fabs(mmd + 2. / N * (1. - mean)) < 1e-7, "itself: %.9g, exactly %.9g", mmd, -2. / N * (1. - mean));
    dd_points_free(&p);
}

static void check_mean_distance(void)
{
    static const float square[8] = {0.f, 0.f, 1.f, 0.f, 0.f, 1.f, 1.f, 1.f};
    double d = dd_mean_distance(square, 4, 2), expected = (4. + 2. * sqrt(2.)) / 6.;
    CHECK(fabs(d - expected) < 1e-7, "corners of a square: %.9g, exactly %.9g", d, expected);
    CHECK(isnan(dd_mean_distance(square, 1, 2)), "one point");
    static const float same[6] = {.3f, .4f, .3f, .4f, .3f, .4f};
    CHECK(dd_mean_distance(same, 3, 2) == 0., "duplicates: %g", dd_mean_distance(same, 3, 2));
    /* Along one axis: points 0 .. n - 1 are (n + 1) / 3 apart. */
    enum { N = 1100 };
    float line[2 * N];
    for (int i = 0; i < N; i++) {
        line[2 * i] = (float)i;
        line[2 * i + 1] = 7.f;
    }
    d = dd_mean_distance(line, N, 2);
    CHECK(fabs(d - (N + 1) / 3.) < 1e-6 * N, "a line: %.9g, exactly %.9g", d, (N + 1) / 3.);
}

static void check_thin(void)
{
    float point[20], thinned[20];
    for (int i = 0; i < 20; i++)
        point[i] = (float)i;
    CHECK(dd_thin(point, 10, 2, 4, thinned) == 4, "four of ten");
    static const float expected[8] = {0.f, 1.f, 4.f, 5.f, 10.f, 11.f, 14.f, 15.f}; /* points 0, 2, 5, 7 */
    CHECK(!memcmp(thinned, expected, sizeof expected), "points %g %g %g %g", thinned[0] / 2, thinned[2] / 2,
          thinned[4] / 2, thinned[6] / 2);
    CHECK(dd_thin(point, 10, 2, 30, thinned) == 10 && !memcmp(thinned, point, sizeof point), "all of ten");
}

/* ---- all metrics of samples ---- */

static dd_status measure(dd_pool *pool, const dd_points *points, const float *x, uint32_t n,
                         const dd_evaluation_config *evaluation, dd_metrics *metrics)
{
    int measured;
    return dd_metrics_of_samples(pool, 1, (const dd_points *const[]){points}, NULL, x, n, evaluation, metrics,
                                 &measured);
}

static void check_all(void)
{
    const dd_evaluation_config evaluation = {.samples = 3000, .k = 5, .heldout = 0};
    dd_pool *pool;
    dd_points points, samples = fresh("moons", 3000, 7);
    dd_metrics m, with_truth;
    CHECK_OK(dd_pool_create(1, &pool));
    CHECK_OK(dd_points_open("moons", 12000, 42, DD_STREAM_TRAIN, &points));
    CHECK_OK(measure(pool, &points, samples.x, samples.n, &evaluation, &m));
    CHECK(isnan(m.training_time) && isnan(m.eval_loss) && isnan(m.heldout_loss) && isnan(m.inference_time),
          "what samples do not tell");
    CHECK(isnan(m.modes) && isnan(m.modes_captured) && m.high_quality > .99 && m.off_support == 0. &&
              m.total_variation < .1,
          "moons: good %g, off %g, variation %g", m.high_quality, m.off_support, m.total_variation);
    /* The training set is sorted by moon: every fourth point has both, its first 3000 have one. */
    CHECK(fabs(m.coverage - .96875) < .015 && fabs(m.density - 1.) < .06, "density %g, coverage %g", m.density,
          m.coverage);
    CHECK(fabs(m.mmd_squared) < .002 && m.sliced_wasserstein < .05, "MMD^2 %g, sliced Wasserstein %g", m.mmd_squared,
          m.sliced_wasserstein);
    CHECK(m.mean_distance == dd_mean_distance(samples.x, samples.n, 2), "mean distance %g", m.mean_distance);
    dd_kl kl;
    CHECK_OK(dd_kl_divergence(NULL, points.x, points.n, samples.x, samples.n, 2, 5, &kl));
    CHECK(m.kl_divergence == kl.bits && m.kl_zero_distances == 0., "KL %g, alone %g", m.kl_divergence, kl.bits);

    with_truth = m;
    points.generated = 0; /* a user's file with the same points */
    CHECK_OK(measure(pool, &points, samples.x, samples.n, &evaluation, &m));
    for (int i = 0; i < DD_METRICS; i++) {
        double value = *dd_metric(&m, i), before = *dd_metric(&with_truth, i);
        int of_truth = i >= dd_metric_number("modes") && i <= dd_metric_number("total_variation");
        CHECK(of_truth ? isnan(value) : value == before || (isnan(value) && isnan(before)), "a file's %s: %g, %g",
              dd_metric_table[i].name, value, before);
    }
    /* Every fourth point is the whole set of points. */
    dd_points few = points;
    few.x = malloc(2 * 3000 * sizeof *few.x);
    few.n = dd_thin(points.x, points.n, 2, 3000, few.x);
    dd_metrics of_few;
    CHECK_OK(measure(pool, &few, samples.x, samples.n, &evaluation, &of_few));
    CHECK_OK(measure(pool, &points, samples.x, samples.n, &(dd_evaluation_config){.k = 5, .reference = 3000}, &m));
    for (int i = 0; i < DD_METRICS; i++)
        CHECK(i == dd_metric_number("copy_share") || /* copies are looked for among all points */
                  !memcmp(dd_metric(&m, i), dd_metric(&of_few, i), sizeof(double)) || isnan(*dd_metric(&m, i)),
              "%s of 3000 points: %g, alone %g", dd_metric_table[i].name, *dd_metric(&m, i), *dd_metric(&of_few, i));
    CHECK(m.kl_divergence != kl.bits && m.sliced_wasserstein != with_truth.sliced_wasserstein, "all points");
    free(few.x);
    /* Too few for what compares all pairs, not for the KL estimate. */
    CHECK_OK(measure(pool, &points, samples.x, 1, &(dd_evaluation_config){.samples = 1, .k = 1}, &m));
    CHECK(isfinite(m.kl_divergence) && isfinite(m.sliced_wasserstein) && isnan(m.coverage) && isnan(m.density) &&
              isnan(m.mmd_squared) && isnan(m.mean_distance),
          "one sample: KL %g, coverage %g", m.kl_divergence, m.coverage);
    CHECK(measure(pool, &points, samples.x, 4, &evaluation, &m) == DD_ERR_DATA, "4 samples, k = 5");
    dd_points_free(&points);
    dd_points_free(&samples);
    dd_pool_destroy(pool);
}

int main(void)
{
    check_wasserstein();
    check_density();
    check_density_of_truth();
    check_mmd();
    check_mean_distance();
    check_thin();
    check_all();
    return check_report();
}
