/* The distributions of the generated datasets. Their definitions stand above the generators (dataset.c); here they
 * become regions and atoms. A blob or curve without a closed form is a sum over quadrature points: spaced closely
 * enough that a sampler that ends with noise of .006 or more does not see them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dino.h"
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

/* A curve with Gaussian noise around it: point(u) for u in 0..1 with density density(u), NULL for 1. Panels of eight
 * Gauss-Legendre nodes, at most three standard deviations long, integrate a Gaussian to about 1e-9. */
typedef struct curve {
    void (*point)(double u, double xy[2]);
    double (*density)(double u);
} curve;

static void add_curve(dd_truth_builder *b, const curve *c, const double sigma[2], double share)
{
    enum { NODES = 8, PIECES = 4096 };
    double node[DD_MOST_NODES], weight[DD_MOST_NODES], here[2], before[2], longest = 0.;
    c->point(0., before);
    for (int i = 1; i <= PIECES; i++) {
        c->point((double)i / PIECES, here);
        longest = fmax(longest, hypot((here[0] - before[0]) / sigma[0], (here[1] - before[1]) / sigma[1]));
        memcpy(before, here, sizeof before);
    }
    int panels = (int)ceil(longest * PIECES / 3.);
    dd_gauss_legendre(NODES, node, weight);
    c->point(.5, here);
    dd_build_region(b, DD_REGION_CURVE, here, sigma, share);
    for (int i = 0; i < panels * NODES; i++) {
        int n = i % NODES;
        double u = (i / NODES + .5 + .5 * node[n]) / panels;
        c->point(u, here);
        dd_build_atom(b, here, sigma, none, share * .5 * weight[n] / panels * (c->density ? c->density(u) : 1.));
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

static void outer_moon(double u, double xy[2])
{
    xy[0] = 2. * (cos(pi * u) + .3) - 1.;
    xy[1] = 3. * (sin(pi * u) + .3) - 1.;
}

static void inner_moon(double u, double xy[2])
{
    xy[0] = 2. * (1. - cos(pi * u) + .3) - 1.;
    xy[1] = 3. * (.5 - sin(pi * u) + .3) - 1.;
}

static void moons(dd_truth_builder *b, const char *name)
{
    static const double sigma[2] = {2. * .03, 3. * .03};
    (void)name;
    add_curve(b, &(curve){outer_moon, NULL}, sigma, .5);
    add_curve(b, &(curve){inner_moon, NULL}, sigma, .5);
}

static void dino(dd_truth_builder *b, const char *name)
{
    static const double sigma[2] = {4. * .15 / 54., 4. * .15 / 48.};
    (void)name;
    for (int i = 0; i < DD_DINO_POINTS; i++)
        add_gaussian(b, (double[]){4. * (dd_dino[i][0] / 54. - 1.), 4. * (dd_dino[i][1] / 48. - 1.)}, sigma,
                     1. / DD_DINO_POINTS);
}

const dd_truth_definition *dd_truth_definition_of(const char *name)
{
    static const dd_truth_definition definitions[] = {
        {"circle", 1, circle}, {"dino", 1, dino}, {"line", 0, line}, {"moons", 0, moons}};
    for (size_t i = 0; i < sizeof definitions / sizeof *definitions; i++)
        if (!strcmp(name, definitions[i].name))
            return &definitions[i];
    return NULL;
}
