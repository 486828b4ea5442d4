/* Builds a dd_plane region by region, for the definitions in sets/.
 *
 *     dd_build_region(b, DD_REGION_GAUSSIAN, centre, size, share);
 *     dd_build_atom(b, centre, sigma, half, weight);               // of the region added last
 *
 * The functions do nothing once memory has run out; dd_truth_create sees it in b->failed.
 */
#ifndef DD_TRUTH_BUILD_H
#define DD_TRUTH_BUILD_H

#include <stdbool.h>

#include "data/truth.h"

typedef struct dd_truth_builder {
    dd_plane *plane;
    int region_room, atom_room;
    bool failed;
} dd_truth_builder;

void dd_build_region(dd_truth_builder *b, dd_region_kind kind, const double centre[2], const double size[2],
                     double share);
void dd_build_atom(dd_truth_builder *b, const double centre[2], const double sigma[2], const double half[2],
                   double weight);

/* Nodes on [-1, 1] and weights, which sum to 2, of Gauss-Legendre quadrature; n <= DD_MOST_NODES. */
enum { DD_MOST_NODES = 32 };
void dd_gauss_legendre(int n, double node[DD_MOST_NODES], double weight[DD_MOST_NODES]);

/* A region with its atoms, for what most sets are made of. A blob or curve without a closed form is a sum over
 * quadrature points: spaced closely enough that a sampler that ends with noise of .006 or more does not see them. */
void dd_build_gaussian(dd_truth_builder *b, const double centre[2], const double sigma[2], double share);
void dd_build_box(dd_truth_builder *b, const double centre[2], const double half[2], double share);

/* A disc whose density falls as 1/r: uniform in radius and angle. */
void dd_build_disc(dd_truth_builder *b, const double centre[2], double radius, double share);

/* A curve with Gaussian noise around it: point(which, u) for u in 0..1 with density density(u), NULL for 1. */
typedef struct dd_curve {
    void (*point)(int which, double u, double xy[2]);
    int which;
    double (*density)(double u);
    const double *sigma; /* [2] */
    double share;
} dd_curve;
void dd_build_curve(dd_truth_builder *b, const dd_curve *curve);

#endif
