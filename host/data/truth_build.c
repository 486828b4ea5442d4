/* Adding regions and atoms to a distribution. */
#define _GNU_SOURCE /* M_PI */
#include "data/truth_build.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Make room for one more element of `size` bytes after `count`. Returns the list, or NULL when memory is out. */
static void *grow(void *list, int count, int *room, size_t size)
{
    if (count < *room)
        return list;
    int more = *room ? 2 * *room : 32;
    void *longer = realloc(list, (size_t)more * size);
    if (longer)
        *room = more;
    return longer;
}

void dd_build_region(dd_truth_builder *b, dd_region_kind kind, const double centre[2], const double size[2],
                     double share)
{
    dd_plane *p = b->plane;
    dd_region *longer = b->failed ? NULL : grow(p->region, p->regions, &b->region_room, sizeof *longer);
    if (!longer) {
        b->failed = true;
        return;
    }
    p->region = longer;
    p->region[p->regions++] = (dd_region){
        .kind = kind, .centre = {centre[0], centre[1]}, .size = {size[0], size[1]}, .share = share, .atom = p->atoms};
}

void dd_build_atom(dd_truth_builder *b, const double centre[2], const double sigma[2], const double half[2],
                   double weight)
{
    dd_plane *p = b->plane;
    dd_atom *longer = b->failed ? NULL : grow(p->atom, p->atoms, &b->atom_room, sizeof *longer);
    if (!longer) {
        b->failed = true;
        return;
    }
    p->atom = longer;
    p->atom[p->atoms++] = (dd_atom){{centre[0], centre[1]}, {sigma[0], sigma[1]}, {half[0], half[1]}, weight};
    p->region[p->regions - 1].atoms++;
}

/* Newton's iteration on the Legendre polynomial P_n, from Tricomi's estimate of its roots. */
void dd_gauss_legendre(int n, double node[DD_MOST_NODES], double weight[DD_MOST_NODES])
{
    for (int i = 0; i < n; i++) {
        double x = -cos(M_PI * (i + .75) / (n + .5)), slope = 1.;
        for (int iteration = 0; iteration < 8; iteration++) {
            double p = 1., before = 0.;
            for (int k = 1; k <= n; k++) {
                double next = ((2. * k - 1.) * x * p - (k - 1.) * before) / k;
                before = p;
                p = next;
            }
            slope = n * (x * p - before) / (x * x - 1.);
            x -= p / slope;
        }
        node[i] = x;
        weight[i] = 2. / ((1. - x * x) * slope * slope);
    }
}

/* ---- regions with their atoms ---- */

static const double none[2] = {0., 0.};

void dd_build_gaussian(dd_truth_builder *b, const double centre[2], const double sigma[2], double share)
{
    dd_build_region(b, DD_REGION_GAUSSIAN, centre, sigma, share);
    dd_build_atom(b, centre, sigma, none, share);
}

void dd_build_box(dd_truth_builder *b, const double centre[2], const double half[2], double share)
{
    dd_build_region(b, DD_REGION_BOX, centre, half, share);
    dd_build_atom(b, centre, none, half, share);
}

/* Gauss-Legendre in the radius, the trapezoid rule in
 * the angle, whose error for noise s is about exp(-(s n)^2 / 2 R^2) for n angles at the rim. */
void dd_build_disc(dd_truth_builder *b, const double centre[2], double radius, double share)
{
    enum { RADII = 20, FEWEST = 16, ANGLES = 80 };
    double node[DD_MOST_NODES], weight[DD_MOST_NODES];
    dd_gauss_legendre(RADII, node, weight);
    dd_build_region(b, DD_REGION_DISC, centre, (double[]){radius, radius}, share);
    for (int i = 0; i < RADII; i++) {
        double r = radius * .5 * (1. + node[i]);
        int angles = FEWEST + (int)((ANGLES - FEWEST) * r / radius);
        for (int j = 0; j < angles; j++) {
            double angle = 2. * M_PI * (j + .5 * (i % 2)) / angles;
            dd_build_atom(b, (double[]){centre[0] + r * cos(angle), centre[1] + r * sin(angle)}, none, none,
                          share * .5 * weight[i] / angles);
        }
    }
}

/* Panels of eight Gauss-Legendre nodes, at most three standard deviations long, integrate a Gaussian to about 1e-9. */
void dd_build_curve(dd_truth_builder *b, const dd_curve *c)
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
