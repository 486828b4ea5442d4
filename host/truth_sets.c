/* The distributions of the generated datasets. Their definitions stand above the generators (dataset.c,
 * generator_sets.c); here they become regions and atoms. A blob or curve without a closed form is a sum over quadrature
 * points: spaced closely enough that a sampler that ends with noise of .006 or more does not see them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dino.h"
#include "generator.h"
#include "truth_build.h"

static const double pi = 3.14159265358979323846;
static const double none[2] = {0., 0.};

/* ---- shapes ---- */

static void add_gaussian(dd_truth_builder *b, const double centre[2], const double sigma[2], double share)
{
    dd_build_region(b, DD_REGION_GAUSSIAN, centre, sigma, share);
    dd_build_atom(b, centre, sigma, none, share);
}

static void add_box(dd_truth_builder *b, const double centre[2], const double half[2], double share)
{
    dd_build_region(b, DD_REGION_BOX, centre, half, share);
    dd_build_atom(b, centre, none, half, share);
}

/* A disc whose density falls as 1/r: uniform in radius and angle. Gauss-Legendre in the radius, the trapezoid rule in
 * the angle, whose error for noise s is about exp(-(s n)^2 / 2 R^2) for n angles at the rim. */
static void add_disc(dd_truth_builder *b, const double centre[2], double radius, double share)
{
    enum { RADII = 20, FEWEST = 16, ANGLES = 80 };
    double node[DD_MOST_NODES], weight[DD_MOST_NODES];
    dd_gauss_legendre(RADII, node, weight);
    dd_build_region(b, DD_REGION_DISC, centre, (double[]){radius, radius}, share);
    for (int i = 0; i < RADII; i++) {
        double r = radius * .5 * (1. + node[i]);
        int angles = FEWEST + (int)((ANGLES - FEWEST) * r / radius);
        for (int j = 0; j < angles; j++) {
            double angle = 2. * pi * (j + .5 * (i % 2)) / angles;
            dd_build_atom(b, (double[]){centre[0] + r * cos(angle), centre[1] + r * sin(angle)}, none, none,
                          share * .5 * weight[i] / angles);
        }
    }
}

/* A curve with Gaussian noise around it: point(which, u) for u in 0..1 with density density(u), NULL for 1. */
typedef struct curve {
    void (*point)(int which, double u, double xy[2]);
    int which;
    double (*density)(double u);
    const double *sigma; /* [2] */
    double share;
} curve;

/* Panels of eight Gauss-Legendre nodes, at most three standard deviations long, integrate a Gaussian to about 1e-9. */
static void add_curve(dd_truth_builder *b, const curve *c)
{
    enum { NODES = 8, PIECES = 4096 };
    double node[DD_MOST_NODES], weight[DD_MOST_NODES], here[2], before[2], longest = 0.;
    c->point(c->which, 0., before);
    for (int i = 1; i <= PIECES; i++) {
        c->point(c->which, (double)i / PIECES, here);
        longest = fmax(longest, hypot((here[0] - before[0]) / c->sigma[0], (here[1] - before[1]) / c->sigma[1]));
        memcpy(before, here, sizeof before);
    }
    int panels = 3 * (int)ceil(longest * PIECES / 9.); /* a third of the curve is a whole number: see arm_density */
    dd_gauss_legendre(NODES, node, weight);
    c->point(c->which, .5, here);
    dd_build_region(b, DD_REGION_CURVE, here, c->sigma, c->share);
    for (int i = 0; i < panels * NODES; i++) {
        int n = i % NODES;
        double u = (i / NODES + .5 + .5 * node[n]) / panels;
        c->point(c->which, u, here);
        dd_build_atom(b, here, c->sigma, none, c->share * .5 * weight[n] / panels * (c->density ? c->density(u) : 1.));
    }
}

/* ---- the experiment's four ---- */

static void line(dd_truth_builder *b, const char *name)
{
    (void)name;
    add_box(b, none, (double[]){2., 4.}, 1.);
}

static void circle(dd_truth_builder *b, const char *name)
{
    (void)name;
    /* The 25 points of the lattice, by direction: (i, j) and its multiple fall together. */
    for (int i = -2; i <= 2; i++)
        for (int j = -2; j <= 2; j++) {
            int doubled = abs(i) <= 1 && abs(j) <= 1 && (i || j), multiple = !(i % 2 || j % 2) && (i || j);
            double length = hypot(i, j) + !(i || j);
            if (!multiple)
                add_disc(b, (double[]){3. * i / length, 3. * j / length}, .09, doubled ? 2. / 25. : 1. / 25.);
        }
}

static void moon(int inner, double u, double xy[2])
{
    double x = cos(pi * u), y = sin(pi * u);
    xy[0] = 2. * ((inner ? 1. - x : x) + .3) - 1.;
    xy[1] = 3. * ((inner ? .5 - y : y) + .3) - 1.;
}

static void moons(dd_truth_builder *b, const char *name)
{
    static const double sigma[2] = {2. * .03, 3. * .03};
    (void)name;
    for (int inner = 0; inner < 2; inner++)
        add_curve(b, &(curve){moon, inner, NULL, sigma, .5});
}

static void dino(dd_truth_builder *b, const char *name)
{
    static const double sigma[2] = {4. * .15 / 54., 4. * .15 / 48.};
    (void)name;
    for (int i = 0; i < DD_DINO_POINTS; i++)
        add_gaussian(b, (double[]){4. * (dd_dino[i][0] / 54. - 1.), 4. * (dd_dino[i][1] / 48. - 1.)}, sigma,
                     1. / DD_DINO_POINTS);
}

/* ---- the literature's ---- */

static void eight_gaussians(dd_truth_builder *b, const char *name)
{
    (void)name;
    for (int i = 0; i < DD_EIGHT; i++) {
        double centre[2];
        dd_eight_gaussians_centre(i, centre);
        add_gaussian(b, centre, dd_eight_gaussians_sigma, 1. / DD_EIGHT);
    }
}

static void twentyfive_gaussians(dd_truth_builder *b, const char *name)
{
    (void)name;
    for (int i = 0; i < DD_TWENTYFIVE; i++) {
        double centre[2];
        dd_twentyfive_gaussians_centre(i, centre);
        add_gaussian(b, centre, dd_twentyfive_gaussians_sigma, 1. / DD_TWENTYFIVE);
    }
}

static void checkerboard(dd_truth_builder *b, const char *name)
{
    (void)name;
    for (int i = 0; i < DD_SQUARES; i++) {
        double corner[2];
        dd_checkerboard_corner(i, corner);
        add_box(b, (double[]){corner[0] + 1., corner[1] + 1.}, (double[]){1., 1.}, 1. / DD_SQUARES);
    }
}

/* The density of the mean of three uniforms, a polynomial on each third. */
static double arm_density(double u)
{
    double sum = 3. * u;
    if (sum < 1.)
        return 1.5 * sum * sum;
    if (sum < 2.)
        return 1.5 * (-2. * sum * sum + 6. * sum - 3.);
    return 1.5 * (3. - sum) * (3. - sum);
}

static void pinwheel(dd_truth_builder *b, const char *name)
{
    (void)name;
    for (int i = 0; i < DD_ARMS; i++)
        add_curve(b, &(curve){dd_pinwheel_arm, i, arm_density, dd_pinwheel_sigma, 1. / DD_ARMS});
}

/* The trapezoid rule; a ring's first and last point are one, so that its polyline closes. */
static void rings(dd_truth_builder *b, const char *name)
{
    const double *sigma = dd_rings_sigma;
    (void)name;
    for (int ring = 0; ring < DD_RINGS; ring++) {
        double point[2];
        dd_ring(ring, 0., point);
        int pieces = (int)ceil(2. * pi * point[0] / (.5 * sigma[0]));
        dd_build_region(b, DD_REGION_CURVE, none, sigma, 1. / DD_RINGS);
        for (int i = 0; i <= pieces; i++) {
            dd_ring(ring, (double)i / pieces, point);
            dd_build_atom(b, point, sigma, none, (i && i < pieces ? 1. : .5) / pieces / DD_RINGS);
        }
    }
}

static double spiral_density(double u)
{
    return 2. * u;
}

static void two_spirals(dd_truth_builder *b, const char *name)
{
    (void)name;
    for (int i = 0; i < DD_SPIRALS; i++)
        add_curve(b, &(curve){dd_spiral, i, spiral_density, dd_spirals_sigma, 1. / DD_SPIRALS});
}

static void swiss_roll(dd_truth_builder *b, const char *name)
{
    (void)name;
    add_curve(b, &(curve){dd_swiss_roll, 0, NULL, dd_swiss_roll_sigma, 1.});
}

/* A point that is in the drawing twice is one region of twice the share. */
static void shape(dd_truth_builder *b, const char *name)
{
    const dd_shape *s = dd_shape_find(name);
    for (int i = 0; i < s->points; i++) {
        int before = 0, times = 1;
        for (int j = 0; j < s->points; j++)
            if (j != i && s->point[j][0] == s->point[i][0] && s->point[j][1] == s->point[i][1]) {
                before |= j < i;
                times++;
            }
        if (!before)
            add_gaussian(b, (double[]){s->point[i][0] / 1000., s->point[i][1] / 1000.}, dd_shape_sigma,
                         (double)times / s->points);
    }
}

const dd_truth_definition *dd_truth_definition_of(const char *name)
{
    static const dd_truth_definition definitions[] = {{"checkerboard", 1, checkerboard},
                                                      {"circle", 1, circle},
                                                      {"dino", 1, dino},
                                                      {"eight_gaussians", 1, eight_gaussians},
                                                      {"line", 0, line},
                                                      {"moons", 0, moons},
                                                      {"pinwheel", 1, pinwheel},
                                                      {"rings", 1, rings},
                                                      {"swiss_roll", 0, swiss_roll},
                                                      {"twentyfive_gaussians", 1, twentyfive_gaussians},
                                                      {"two_spirals", 0, two_spirals}};
    static const dd_truth_definition drawing = {"", 1, shape};
    for (size_t i = 0; i < sizeof definitions / sizeof *definitions; i++)
        if (!strcmp(name, definitions[i].name))
            return &definitions[i];
    return dd_shape_find(name) ? &drawing : NULL;
}
