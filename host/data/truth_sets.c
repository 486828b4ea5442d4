/* The distributions of the generated datasets. Their definitions stand above the generators (generator_experiment.c,
 * generator_sets.c); here they become regions and atoms. A blob or curve without a closed form is a sum over quadrature
 * points: spaced closely enough that a sampler that ends with noise of .006 or more does not see them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/dino.h"
#include "data/generator.h"
#include "data/truth_build.h"

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

void dd_build_line(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
    add_box(b, none, (double[]){2., 4.}, 1.);
}

void dd_build_circle(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
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

void dd_build_moons(dd_truth_builder *b, const dd_shape *drawing)
{
    static const double sigma[2] = {2. * .03, 3. * .03};
    (void)drawing;
    for (int inner = 0; inner < 2; inner++)
        add_curve(b, &(curve){moon, inner, NULL, sigma, .5});
}

void dd_build_dino(dd_truth_builder *b, const dd_shape *drawing)
{
    static const double sigma[2] = {4. * .15 / 54., 4. * .15 / 48.};
    (void)drawing;
    for (int i = 0; i < DD_DINO_POINTS; i++)
        add_gaussian(b, (double[]){4. * (dd_dino[i][0] / 54. - 1.), 4. * (dd_dino[i][1] / 48. - 1.)}, sigma,
                     1. / DD_DINO_POINTS);
}

/* ---- the literature's ---- */

void dd_build_eight_gaussians(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
    for (int i = 0; i < DD_EIGHT; i++) {
        double centre[2];
        dd_eight_gaussians_centre(i, centre);
        add_gaussian(b, centre, dd_eight_gaussians_sigma, 1. / DD_EIGHT);
    }
}

void dd_build_twentyfive_gaussians(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
    for (int i = 0; i < DD_TWENTYFIVE; i++) {
        double centre[2];
        dd_twentyfive_gaussians_centre(i, centre);
        add_gaussian(b, centre, dd_twentyfive_gaussians_sigma, 1. / DD_TWENTYFIVE);
    }
}

void dd_build_checkerboard(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
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

void dd_build_pinwheel(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
    for (int i = 0; i < DD_ARMS; i++)
        add_curve(b, &(curve){dd_pinwheel_arm, i, arm_density, dd_pinwheel_sigma, 1. / DD_ARMS});
}

/* The trapezoid rule; a ring's first and last point are one, so that its polyline closes. */
void dd_build_rings(dd_truth_builder *b, const dd_shape *drawing)
{
    const double *sigma = dd_rings_sigma;
    (void)drawing;
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

void dd_build_two_spirals(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
    for (int i = 0; i < DD_SPIRALS; i++)
        add_curve(b, &(curve){dd_spiral, i, spiral_density, dd_spirals_sigma, 1. / DD_SPIRALS});
}

void dd_build_swiss_roll(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
    add_curve(b, &(curve){dd_swiss_roll, 0, NULL, dd_swiss_roll_sigma, 1.});
}

/* A point that is in the drawing twice is one region of twice the share. */
void dd_build_shape(dd_truth_builder *b, const dd_shape *s)
{
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
