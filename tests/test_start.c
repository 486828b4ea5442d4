/* x_T from training points: every point is used in turn, the noise is N(0, I) and independent of the point, and it is
 * the x_T that sampling would otherwise start from. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "check.h"
#include "model/start_points.h"

enum { POINTS = 97, N = 200000, T = 50 };

/* Points so far apart that x_T tells which it came from. */
static void place(int i, float xy[2])
{
    xy[0] = 100.f * (float)(i - POINTS / 2);
    xy[1] = 40.f * (float)((i * 31) % POINTS) - 2000.f;
}

static void check_distribution(void)
{
    static float xy[2 * POINTS], x[2 * N];
    dd_points points = {.n = POINTS, .x = xy, .columns.count = 2};
    dd_config c;
    dd_schedule s;
    dd_config_defaults(&c);
    c.diffusion.timesteps = T;
    CHECK_OK(dd_schedule_create(&c, &s));
    for (int i = 0; i < POINTS; i++)
        place(i, xy + 2 * i);
    dd_draw_start(&s, &points, 5, N, x);

    double signal = s.signal[T - 1], noise = s.noise[T - 1], sum[2] = {0}, square[2] = {0}, both = 0,
           with_point[2] = {0};
    double worst = 0, worst_noise = 0;
    int count[POINTS] = {0};
    for (int i = 0; i < N; i++) {
        int which = (int)lround(x[2 * i] / (100 * signal)) + POINTS / 2;
        float z[2];
        which = which < 0 ? 0 : which >= POINTS ? POINTS - 1 : which;
        count[which]++;
        dd_draw_normals(5, DD_DRAW_SAMPLE, T, (uint64_t)i, 2, z);
        double eps[2];
        for (int c2 = 0; c2 < 2; c2++) {
            eps[c2] = (x[2 * i + c2] - signal * xy[2 * which + c2]) / noise;
            sum[c2] += eps[c2] / N;
            square[c2] += eps[c2] * eps[c2] / N;
            with_point[c2] += eps[c2] * (which - POINTS / 2) / (N * sqrt(POINTS * POINTS / 12.));
            worst = fmax(worst, fabs(eps[c2]));
            worst_noise = fmax(worst_noise, fabs(eps[c2] - z[c2]));
        }
        both += eps[0] * eps[1] / N;
    }
    /* The noise is seen through coordinates of up to 5000 in float32. */
    CHECK(worst < 7 && worst_noise < 2e-3, "noise of %g, %g from x_T's own", worst, worst_noise);
    const double five = 5 / sqrt(N); /* standard errors */
    for (int c2 = 0; c2 < 2; c2++) {
        CHECK(fabs(sum[c2]) < five, "mean %g", sum[c2]);
        CHECK(fabs(square[c2] - 1) < 1.5 * five, "variance %g", square[c2]);
        CHECK(fabs(with_point[c2]) < five, "correlation with the point %g", with_point[c2]);
    }
    CHECK(fabs(both) < five, "correlation of the coordinates %g", both);
    double expected = (double)N / POINTS, chi2 = 0;
    for (int i = 0; i < POINTS; i++)
        chi2 += (count[i] - expected) * (count[i] - expected) / expected;
    CHECK(chi2 > 40 && chi2 < 170, "chi^2 of 96 degrees of freedom: %g", chi2); /* 13.9 each side of it */

    /* Sample i does not depend on n; another seed gives another set. */
    static float few[2 * 100], other[2 * 100];
    dd_draw_start(&s, &points, 5, 100, few);
    dd_draw_start(&s, &points, 6, 100, other);
    CHECK(!memcmp(few, x, sizeof few) && memcmp(few, other, sizeof few), "seed and number");
    /* One point alone. */
    points.n = 1;
    dd_draw_start(&s, &points, 5, 100, few);
    worst = 0;
    for (int i = 0; i < 100; i++)
        worst = fmax(worst, fabs((few[2 * i] - signal * xy[0]) / noise));
    CHECK(worst < 5, "%g away from the only point", worst);
    dd_schedule_free(&s);
}

/* Without signal at the end x_T does not depend on the points: it is the noise alone, to the bit. */
static void check_without_signal(void)
{
    float xy[2] = {3, -4}, x[2 * 64];
    dd_points points = {.n = 1, .x = xy, .columns.count = 2};
    dd_config c;
    dd_schedule s;
    dd_config_defaults(&c);
    c.diffusion.terminal_snr = DD_TERMINAL_ZERO;
    c.diffusion.prediction = DD_PREDICT_V;
    CHECK_OK(dd_schedule_create(&c, &s));
    dd_draw_start(&s, &points, 1, 64, x);
    int differ = 0;
    for (int i = 0; i < 64; i++) {
        float z[2];
        dd_draw_normals(1, DD_DRAW_SAMPLE, (uint32_t)s.timesteps, (uint64_t)i, 2, z);
        differ += x[2 * i] != z[0] || x[2 * i + 1] != z[1];
    }
    CHECK(!differ, "%d of 64 samples", differ);
    dd_schedule_free(&s);
}

/* Five coordinates: which words their normals come from, and that an odd number leaves the last one unused. */
static void check_dimensions(void)
{
    enum { D = 5, FEW = 20 };
    float point[3 * D], x[FEW * D];
    dd_points points = {.n = 3, .x = point, .columns.count = D};
    dd_config c;
    dd_schedule s;
    dd_config_defaults(&c);
    CHECK_OK(dd_schedule_create(&c, &s));
    for (int i = 0; i < 3 * D; i++)
        point[i] = (float)(i * i) - 50;
    dd_draw_start(&s, &points, 8, FEW, x);
    int last = s.timesteps - 1, differ = 0;
    for (int i = 0; i < FEW; i++) {
        uint32_t first[4], second[4];
        float z[6];
        dd_philox(8, DD_DRAW_SAMPLE, (uint32_t)s.timesteps, (uint64_t)i, first);
        dd_philox(8, DD_DRAW_SAMPLE, (uint32_t)s.timesteps, (uint64_t)i + 0x100000000, second);
        dd_normal2(first[0], first[1], z);
        dd_normal2(second[0], second[1], z + 2);
        dd_normal2(second[2], second[3], z + 4);
        for (int k = 0; k < D; k++)
            differ += x[i * D + k] != dd_noised(&s, last, point[D * (int)dd_below(first[2], 3) + k], z[k]);
    }
    CHECK(!differ, "%d of %d coordinates", differ, FEW * D);
    dd_schedule_free(&s);
}

int main(void)
{
    check_distribution();
    check_dimensions();
    check_without_signal();
    return check_report();
}
