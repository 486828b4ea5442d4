/* The share of samples that are copies: samplers that copy a known share of the training points. */
#include "metrics/copies.h"

#include <math.h>

#include "base/philox.h"
#include "check.h"

enum { D = 3, N = 3000, SAMPLES = 2000 };

static float training[N * D], sample[SAMPLES * D];

static double share(const float *points, uint32_t n, int dimensions)
{
    double found = NAN;
    CHECK_OK(dd_copy_share(NULL, points, n, sample, SAMPLES, dimensions, &found));
    return found;
}

/* The first `copied` samples are training points, moved by `moved` in each coordinate; the others are fresh normal
 * points times width: independent of the training points, and of another distribution. */
static void sample_with(int copied, float moved, float width)
{
    for (uint32_t i = 0; i < SAMPLES; i++)
        dd_draw_normals(3, DD_DRAW_DATA, 1, i, D, sample + D * i);
    for (int i = 0; i < SAMPLES * D; i++)
        sample[i] = i < copied * D ? training[i] + moved : width * sample[i];
}

/* By chance 3^-D are copies; three standard deviations of SAMPLES draws. The border of the set makes them fewer, which
 * matters for wide samples. */
static void check_chance(void)
{
    double chance = pow(3., -D), three = 3. * sqrt(chance / SAMPLES);
    sample_with(0, 0.f, 1.f);
    CHECK(fabs(share(training, N, D) - chance) < three, "no copies: %g", share(training, N, D));
    sample_with(0, 0.f, .3f);
    CHECK(fabs(share(training, N, D) - chance) < three, "no copies, narrow: %g", share(training, N, D));
    sample_with(0, 0.f, 5.f);
    CHECK(share(training, N, D) < chance + three, "no copies, wide: %g", share(training, N, D));
}

static void check_copies(void)
{
    double chance = pow(3., -D);
    sample_with(SAMPLES, 0.f, 1.f);
    CHECK(share(training, N, D) == 1., "copies only: %g", share(training, N, D));
    sample_with(SAMPLES, 1e-3f, 1.f);
    CHECK(share(training, N, D) > .95, "moved copies: %g", share(training, N, D));
    sample_with(SAMPLES / 2, 0.f, 1.f);
    double expected = .5 + .5 * chance;
    CHECK(fabs(share(training, N, D) - expected) < .02, "half are copies: %g", share(training, N, D));
}

/* Distances by hand, on a line: 0, 1 and, twice, 4. */
static void check_by_hand(void)
{
    const float points[] = {0.f, 1.f, 4.f, 4.f};
    const float queries[] = {0.f, .2f, .25f, .3f, 4.f, 4.5f, 1.5f};
    double found;
    CHECK_OK(dd_copy_share(NULL, points, 4, queries, 7, 1, &found));
    CHECK(found == 3. / 7., "0, .2 and 4 are copies; .25 : .75 is a third exactly: %g", found);
}

int main(void)
{
    for (uint32_t i = 0; i < N; i++)
        dd_draw_normals(3, DD_DRAW_DATA, 0, i, D, training + D * i);
    check_chance();
    check_copies();
    check_by_hand();
    return check_report();
}
