/* The KL estimate against the formula evaluated by brute force in long double (to 1e-12), against
 * divergences known in closed form (to the estimator's error), and what it does with duplicates. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "check.h"
#include "metrics/kl.h"
#include "metrics/metrics.h"

/* Normal points with standard deviation `sigma` around (shift, 0). */
static float *normal_points(uint64_t seed, uint32_t n, float sigma, float shift)
{
    float *xy = malloc(2 * sizeof(float) * n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t w[4];
        dd_philox(seed, DD_DRAW_DATA, 0, i, w);
        dd_normal2(w[0], w[1], xy + 2 * i);
        xy[2 * i] = xy[2 * i] * sigma + shift;
        xy[2 * i + 1] *= sigma;
    }
    return xy;
}

/* Points uniform on [0, width] x [0, height]. */
static float *uniform_points(uint64_t seed, uint32_t n, float width, float height)
{
    float *xy = malloc(2 * sizeof(float) * n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t w[4];
        dd_philox(seed, DD_DRAW_DATA, 1, i, w);
        xy[2 * i] = width * dd_uniform(w[0]);
        xy[2 * i + 1] = height * dd_uniform(w[1]);
    }
    return xy;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double kth_by_sorting(const float *q, const float *point, uint32_t n, uint32_t without, int k)
{
    double *distance = malloc(sizeof(double) * n);
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i != without)
            distance[count++] = fmax(fabs((double)q[0] - point[2 * i]), fabs((double)q[1] - point[2 * i + 1]));
    }
    qsort(distance, count, sizeof *distance, compare_doubles);
    double kth = distance[k - 1];
    free(distance);
    return kth;
}

static long double brute_force(const float *real, uint32_t n, const float *generated, uint32_t m, int k, uint32_t *zero)
{
    long double sum = 0;
    *zero = 0;
    for (uint32_t i = 0; i < n; i++) {
        double rho = kth_by_sorting(real + 2 * i, real, n, i, k);
        double nu = kth_by_sorting(real + 2 * i, generated, m, UINT32_MAX, k);
        if (rho == 0. || nu == 0.)
            ++*zero;
        else
            sum += logl(nu) - logl(rho);
    }
    return (logl(m) - logl(n - 1) + 2.L * sum / (n - *zero)) / logl(2.L);
}

static void check_brute_force(void)
{
    static const struct {
        uint32_t n, m;
        int k;
        uint32_t copies; /* real points replaced by copies of point 0 */
    } cases[] = {{2000, 700, 5, 0}, {2000, 3000, 1, 0}, {6, 5, 5, 0},
                 {2, 1, 1, 0},      {900, 900, 10, 0},  {900, 300, 5, 40}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        float *real = normal_points(c, cases[c].n, 1.f, 0.f), *generated = normal_points(90 + c, cases[c].m, 1.2f, .3f);
        for (uint32_t i = 1; i < cases[c].copies; i++)
            memcpy(real + 2 * i, real, 2 * sizeof(float));
        uint32_t zero;
        long double expected = brute_force(real, cases[c].n, generated, cases[c].m, cases[c].k, &zero);
        dd_kl kl;
        CHECK_OK(dd_kl_divergence(NULL, real, cases[c].n, generated, cases[c].m, 2, cases[c].k, &kl));
        CHECK(fabsl(kl.bits - expected) < 1e-12L, "case %zu: %.17g, expected %.17Lg", c, kl.bits, expected);
        CHECK(kl.zero_distances == zero && zero == cases[c].copies, "case %zu: %u zero distances, expected %u", c,
              kl.zero_distances, zero);
        free(real);
        free(generated);
    }
}

/* With 20,000 points each the estimate's standard deviation is near .01 bit (sqrt(2 psi'(5) / 20000) / ln 2
 * = .007 from the two distances, the rest from the densities' ratio over the points), and points near a
 * support's edge bias it by about as much. .05 is five of them. */
static void check_known(const char *name, float *real, float *generated, double expected)
{
    dd_kl kl;
    CHECK_OK(dd_kl_divergence(NULL, real, 20000, generated, 20000, 2, 5, &kl));
    printf("%-40s %.4f bit, exactly %.4f\n", name, kl.bits, expected);
    CHECK(fabs(kl.bits - expected) < .05, "%s: %.4f bit, exactly %.4f", name, kl.bits, expected);
    CHECK(kl.zero_distances == 0, "%s: %u zero distances", name, kl.zero_distances);
    free(real);
    free(generated);
}

static void check_closed_forms(void)
{
    enum { N = 20000 };
    const double bit = log(2.);
    /* In two dimensions KL(N(0, s^2) || N(a, r^2)) = 2 ln(r/s) + (2 s^2 + a^2) / (2 r^2) - 1 nat. */
    check_known("equal normals", normal_points(1, N, 1.f, 0.f), normal_points(2, N, 1.f, 0.f), 0.);
    check_known("normals, sigma 1 and 1.5", normal_points(3, N, 1.f, 0.f), normal_points(4, N, 1.5f, 0.f),
                (2. * log(1.5) + 1. / (1.5 * 1.5) - 1.) / bit);
    check_known("normals, one moved by .8", normal_points(5, N, 1.f, 0.f), normal_points(6, N, 1.f, .8f),
                .8 * .8 / 2. / bit);
    /* A uniform distribution within another: the logarithm of the ratio of areas. */
    check_known("unit square within 1.5 x 2", uniform_points(7, N, 1.f, 1.f), uniform_points(8, N, 1.5f, 2.f),
                log(3.) / bit);
}

static void check_errors(void)
{
    float *real = normal_points(1, 10, 1.f, 0.f), *generated = normal_points(2, 5, 1.f, 0.f);
    dd_kl kl;
    CHECK(dd_kl_divergence(NULL, real, 5, generated, 5, 2, 5, &kl) == DD_ERR_DATA, "4 others, k = 5");
    CHECK(strstr(dd_error_message(), "evaluation.k"), "%s", dd_error_message());
    CHECK(dd_kl_divergence(NULL, real, 10, generated, 4, 2, 5, &kl) == DD_ERR_DATA, "4 generated, k = 5");
    CHECK_OK(dd_kl_divergence(NULL, real, 6, generated, 5, 2, 5, &kl));
    for (int i = 0; i < 20; i++)
        real[i] = 1.f;
    CHECK(dd_kl_divergence(NULL, real, 10, generated, 5, 2, 5, &kl) == DD_ERR_DATA, "all points equal");
    CHECK(strstr(dd_error_message(), "distance 0"), "%s", dd_error_message());
    free(real);
    free(generated);
}

/* Entry i of the table is member i, and no two have the same name; each place occurs once in the tables of runs. */
static void check_table(void)
{
    dd_metrics m;
    int final_info = 0, places = 0, shown = 0;
    for (int i = 0; i < DD_METRICS; i++) {
        const dd_metric_info *info = &dd_metric_table[i];
        CHECK((double *)&m + i == dd_metric(&m, i), "%s is not member %d", info->name, i);
        CHECK(dd_metric_number(info->name) == i, "two metrics are called %s", info->name);
        CHECK(info->unit && info->long_name && !info->title == !info->meaning, "%s lacks words", info->name);
        final_info += info->in_final_info << i;
        shown += info->place > 0;
        places |= info->place ? 1 << info->place : 0;
    }
    CHECK(final_info == 0xc3, "metrics of final_info.json: %x", (unsigned)final_info);
    CHECK(places == (1 << (shown + 1)) - 2, "places of %d metrics: %x", shown, (unsigned)places);
}

int main(void)
{
    check_brute_force();
    check_closed_forms();
    check_errors();
    check_table();
    return check_report();
}
