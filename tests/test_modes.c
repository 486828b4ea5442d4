/* Modes and total variation of samples whose answers are known: all modes, one missing, uniform noise, duplicates,
 * bridges, and for supports without modes the cells' true shares. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "check.h"
#include "data/dataset.h"
#include "data/generators.h"
#include "data/truth_regions.h"
#include "metrics/modes.h"

static dd_modes measure(const dd_truth *truth, const float *x, uint32_t n)
{
    dd_modes m = {.modes = 0.};
    CHECK_OK(dd_modes_measure(truth, x, n, &m));
    return m;
}

/* ---- modes ---- */

/* Four Gaussians of sigma .1 with shares .4, .3, .2, .1 at the corners of a square of side 4, built by hand. */
static dd_truth four_gaussians(void)
{
    static dd_region region[4];
    static dd_atom atom[4];
    static const double share[4] = {.4, .3, .2, .1};
    for (int i = 0; i < 4; i++) {
        double x = i % 2 ? 2. : -2., y = i / 2 ? 2. : -2.;
        region[i] = (dd_region){DD_REGION_GAUSSIAN, {x, y}, {.1, .1}, share[i], i, 1};
        atom[i] = (dd_atom){{x, y}, {.1, .1}, {0., 0.}, share[i]};
    }
    return (dd_truth){.dimensions = 2, .countable = true, .plane = {4, 4, region, atom}};
}

/* count[i] samples `sigmas` standard deviations from the centre of mode i, in all directions; how many in all. */
static uint32_t around(const dd_truth *t, const uint32_t *count, double sigmas, float *x)
{
    uint32_t n = 0;
    for (int mode = 0; mode < t->plane.regions; mode++)
        for (uint32_t i = 0; i < count[mode]; i++, n++) {
            const dd_region *r = &t->plane.region[mode];
            double angle = 2. * M_PI * i / count[mode];
            x[2 * n] = (float)(r->centre[0] + sigmas * r->size[0] * cos(angle));
            x[2 * n + 1] = (float)(r->centre[1] + sigmas * r->size[1] * sin(angle));
        }
    return n;
}

static void check_modes(void)
{
    static const struct {
        const char *what;
        uint32_t count[4];
        double sigmas, captured, good, off, variation;
    } cases[] = {
        {"all modes, in their shares", {400, 300, 200, 100}, 2.9, 4., 1., 0., 0.},
        {"one missing", {500, 300, 200, 0}, 1., 3., 1., 0., .1},
        {"one of the others missing", {0, 400, 300, 300}, 1., 3., 1., 0., .4},
        {"all in one", {1000, 0, 0, 0}, 1., 1., 1., 0., .6},
        {"all the same point", {0, 0, 0, 1000}, 0., 1., 1., 0., .9},
        {"a fifth of a share", {580, 300, 100, 20}, 1., 4., 1., 0., .18},
        {"less than a fifth of a share", {580, 301, 100, 19}, 1., 3., 1., 0., .181},
        {"blurred: on the support, but not good", {400, 300, 200, 100}, 3.1, 0., 0., 0., 0.},
        {"blurred, before 6 sigma", {400, 300, 200, 100}, 5.9, 0., 0., 0., 0.},
        {"off the support, but nearest in their shares", {400, 300, 200, 100}, 6.1, 0., 0., 1., 1.},
        {"far off", {1, 0, 0, 0}, 1e6, 0., 0., 1., 1.},
    };
    dd_truth t = four_gaussians();
    float x[2 * 1000];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        dd_modes m = measure(&t, x, around(&t, cases[c].count, cases[c].sigmas, x));
        CHECK(m.modes == 4. && m.captured == cases[c].captured, "%s: %g of %g modes", cases[c].what, m.captured,
              m.modes);
        CHECK(m.high_quality == cases[c].good, "%s: good %g", cases[c].what, m.high_quality);
        CHECK(m.off_support == cases[c].off, "%s: off %g", cases[c].what, m.off_support);
        CHECK(fabs(m.total_variation - cases[c].variation) < 1e-12, "%s: total variation %.15g", cases[c].what,
              m.total_variation);
    }
}

/* A line of samples from one mode to another, without those within 6 and 3 sigma of its ends. */
static void check_bridge(void)
{
    enum { N = 1000 };
    dd_truth t = four_gaussians();
    float x[2 * N];
    for (int i = 0; i < N; i++) {
        x[2 * i] = (float)(-2. + 4. * (i + .5) / N);
        x[2 * i + 1] = -2.f;
    }
    dd_modes m = measure(&t, x, N);
    CHECK(m.off_support == 1. - 2. * .6 / 4. && m.high_quality == 2. * .3 / 4., "off %g, good %g", m.off_support,
          m.high_quality);
    /* .15 each lie at two modes: .075 of them good, which is less than a fifth of .4 but not of .3. */
    CHECK(m.captured == 1., "captured %g", m.captured);
    CHECK(fabs(m.total_variation - .7) < 1e-12, "total variation %g", m.total_variation);
}

static void check_discs_and_boxes(void)
{
    dd_region region[] = {{DD_REGION_DISC, {0., 0.}, {.5, .5}, .5, 0, 1},
                          {DD_REGION_BOX, {3., 0.}, {1., .5}, .5, 1, 1}};
    dd_atom atom[] = {{{0., 0.}, {0., 0.}, {0., 0.}, .5}, {{3., 0.}, {0., 0.}, {1., .5}, .5}};
    dd_truth t = {.dimensions = 2, .countable = true, .plane = {2, 2, region, atom}};
    static const struct {
        float x[2];
        int good, off;
    } cases[] = {{{.3f, .39f}, 1, 0},   {{.51f, 0.f}, 0, 0},  {{.53f, 0.f}, 0, 1}, {{3.99f, .49f}, 1, 0},
                 {{4.01f, .51f}, 0, 0}, {{4.03f, 0.f}, 0, 1}, {{3.f, -.53f}, 0, 1}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        dd_modes m = measure(&t, cases[c].x, 1);
        CHECK(m.high_quality == cases[c].good && m.off_support == cases[c].off, "(%g, %g): good %g, off %g",
              cases[c].x[0], cases[c].x[1], m.high_quality, m.off_support);
    }
}

/* ---- supports without modes ---- */

static void uniform(uint64_t seed, uint32_t n, double width, double height, float *x)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t w[4];
        dd_philox(seed, DD_DRAW_DATA, 0, i, w);
        x[2 * i] = (float)(width * (dd_uniform(w[0]) - .5));
        x[2 * i + 1] = (float)(height * (dd_uniform(w[1]) - .5));
    }
}

/* A box: every cell's share is 1 / 256. Samples on a lattice hit all alike; half a box or one point hit some. */
static void check_box(void)
{
    enum { SIDE = 64, N = SIDE * SIDE, CELLS = DD_CELLS * DD_CELLS };
    dd_region region = {DD_REGION_BOX, {1., 0.}, {2., 4.}, 1., 0, 1};
    dd_atom atom = {{1., 0.}, {0., 0.}, {2., 4.}, 1.};
    dd_truth t = {.dimensions = 2, .plane = {1, 1, &region, &atom}};
    float *x = malloc(2 * N * sizeof *x);
    for (int i = 0; i < N; i++) {
        x[2 * i] = (float)(-1. + 4. * (i % SIDE + .5) / SIDE);
        x[2 * i + 1] = (float)(-4. + 8. * (i / SIDE + .5) / SIDE);
    }
    dd_modes m = measure(&t, x, N);
    CHECK(isnan(m.modes) && isnan(m.captured), "modes of a box: %g, %g", m.modes, m.captured);
    CHECK(m.high_quality == 1. && m.off_support == 0., "good %g, off %g", m.high_quality, m.off_support);
    CHECK(m.total_variation < 1e-12, "a lattice: total variation %g", m.total_variation);
    m = measure(&t, x, N / 2);
    CHECK(fabs(m.total_variation - .5) < 1e-12, "half a box: total variation %.15g", m.total_variation);
    m = measure(&t, x, 1);
    CHECK(fabs(m.total_variation - (1. - 1. / CELLS)) < 1e-12, "one point: %.15g", m.total_variation);
    for (int i = 0; i < N; i++)
        x[2 * i] += 4.01f;
    m = measure(&t, x, N);
    CHECK(m.total_variation == 1. && m.high_quality == 0., "outside the box: total variation %g", m.total_variation);
    free(x);
}

/* One Gaussian: the box around it holds erf(3 / sqrt 2)^2. With every sample at the centre, the total variation is 1
 * less the share of its cell, [0, 3/8 sigma] along both axes; with all outside, 1 less what is truly outside. */
static void check_gaussian_cells(void)
{
    dd_region region = {DD_REGION_CURVE, {1., 2.}, {.5, 2.}, 1., 0, 1};
    dd_atom atom = {{1., 2.}, {.5, 2.}, {0., 0.}, 1.};
    dd_truth t = {.dimensions = 2, .plane = {1, 1, &region, &atom}};
    double inside = pow(erf(3. / sqrt(2.)), 2.), centre = pow(.5 * erf(.375 / sqrt(2.)), 2.);
    dd_modes m = measure(&t, (const float[]){1.f, 2.f}, 1);
    CHECK(fabs(m.total_variation - (1. - centre)) < 1e-12, "at the centre: %.15g", m.total_variation);
    m = measure(&t, (const float[]){1.f, 9.f}, 1);
    CHECK(fabs(m.total_variation - inside) < 1e-12 && m.high_quality == 0. && m.off_support == 0., "outside: %.15g",
          m.total_variation);
}

/* ---- the generated sets ---- */

/* What fresh samples of every set get whose modes have 15 of them on average or more: all modes, all but 1.1 % good (a
 * normal distribution in the plane has exp(-4.5) = .0111 beyond 3 sigma, and other dimensions have as much beyond their
 * radius; an embedded plane has it twice), nothing off the support, and a total variation that is chance alone: on
 * average 1/2 sum sqrt(2 p (1 - p) / (pi n)) over the cells, at most sqrt(cells / (2 pi n)). `overlap`: modes overlap,
 * so a share of points counts for another mode than its own, and more are good. */
static void check_generated(const char *name, int dimensions, double overlap)
{
    enum { N = 10000 };
    dd_points points, noise;
    dd_truth t;
    dd_config c;
    dd_config_defaults(&c);
    c.data.dimensions = dimensions;
    dd_request request = {.name = name, .data = &c.data, .n = N, .seed = 3, .stream = DD_STREAM_HELDOUT};
    CHECK_OK(dd_points_request(&request, &points, NULL));
    CHECK_OK(dd_points_truth(&points, &t));
    int modes = dd_truth_regions(&t), width = points.columns.count;
    if (N / modes >= 15) {
        double cells = t.countable ? modes : DD_CELLS * DD_CELLS + 1, chance = sqrt(cells / (2. * M_PI * N));
        dd_modes m = measure(&t, points.x, N);
        CHECK(t.countable ? m.captured == modes : isnan(m.captured), "%s: %g of %d modes", name, m.captured, modes);
        CHECK(m.high_quality > (t.kind == DD_TRUTH_EMBEDDED ? .974 : .985), "%s: good %g", name, m.high_quality);
        CHECK(t.kind == DD_TRUTH_PLANE || overlap > 0. || m.high_quality < .993, "%s: good %g", name, m.high_quality);
        CHECK(m.off_support <= 1e-4, "%s: off %g", name, m.off_support);
        CHECK(m.total_variation > .1 * chance && m.total_variation < 1.3 * chance + overlap,
              "%s: total variation %g, chance %g", name, m.total_variation, chance);
        /* Noise in a cube that holds the points. */
        noise = points;
        noise.x = malloc((size_t)width * N * sizeof *noise.x);
        uniform(9, (uint32_t)(width * N + 1) / 2, 8., 8., noise.x);
        dd_modes of_noise = measure(&t, noise.x, N);
        CHECK(of_noise.total_variation > .2 && of_noise.off_support > .15, "%s: noise has variation %g, off %g", name,
              of_noise.total_variation, of_noise.off_support);
        if (!strcmp(name, "dino"))
            CHECK(of_noise.captured == 0. && of_noise.high_quality < .02, "dino: noise captures %g, good %g",
                  of_noise.captured, of_noise.high_quality);
        printf("%-22s good %.4f, variation %.4f; noise: %g of %g modes, good %.4f, off %.4f, variation %.4f\n",
               points.name, m.high_quality, m.total_variation, of_noise.captured, of_noise.modes, of_noise.high_quality,
               of_noise.off_support, of_noise.total_variation);
        free(noise.x);
    }
    dd_points_free(&points);
    dd_truth_free(&t);
}

/* The radii of dd_standing: 3 and 6 in the plane; else scipy.stats.chi.isf(exp([-4.5, -18]), d). */
static void check_radii(void)
{
    static const struct {
        int degrees;
        double good, off;
    } known[] = {{1, 2.5392513972635, 5.6589523864327},  {2, 3, 6},
                 {3, 3.3342384940711, 6.2664137347378},  {8, 4.4500181172876, 7.2266707797906},
                 {32, 7.2829797073978, 9.8752087777127}, {128, 12.937278407186, 15.40158110779}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double good, off;
        dd_truth_radii(known[i].degrees, &good, &off);
        CHECK(fabs(good - known[i].good) < 1e-9 && fabs(off - known[i].off) < 1e-9, "%d: %.12g, %.12g",
              known[i].degrees, good, off);
    }
    double good, off;
    dd_truth_radii(2, &good, &off);
    CHECK(good == 3. && off == 6., "the plane: %.17g, %.17g", good, off);
}

int main(void)
{
    check_modes();
    check_bridge();
    check_discs_and_boxes();
    check_box();
    check_gaussian_cells();
    check_radii();
    for (int i = 0; dd_generators[i]; i++)
        if (!dd_generators[i]->family)
            check_generated(dd_generators[i]->name, 0, 0.);
    check_generated("gaussians", 2, .3);
    check_generated("gaussians", 32, 0.);
    check_generated("hypercube", 1, 0.);
    check_generated("hypercube", 8, 0.);
    check_generated("subspaces", 32, .05);
    check_generated("embedded:eight_gaussians", 8, 0.);
    check_generated("embedded:moons", 3, 0.);
    return check_report();
}
