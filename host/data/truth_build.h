/* Builds a dd_truth region by region, for the definitions in truth_sets.c.
 *
 *     dd_build_region(b, DD_REGION_GAUSSIAN, centre, size, share);
 *     dd_build_atom(b, centre, sigma, half, weight);               // of the region added last
 *
 * The functions do nothing once memory has run out; dd_truth_create sees it in b->failed.
 */
#ifndef DD_TRUTH_BUILD_H
#define DD_TRUTH_BUILD_H

#include "data/shapes.h"
#include "data/truth.h"

typedef struct dd_truth_builder {
    dd_truth *truth;
    int region_room, atom_room;
    int failed;
} dd_truth_builder;

void dd_build_region(dd_truth_builder *b, dd_region_kind kind, const double centre[2], const double size[2],
                     double share);
void dd_build_atom(dd_truth_builder *b, const double centre[2], const double sigma[2], const double half[2],
                   double weight);

/* Nodes on [-1, 1] and weights, which sum to 2, of Gauss-Legendre quadrature; n <= DD_MOST_NODES. */
enum { DD_MOST_NODES = 32 };
void dd_gauss_legendre(int n, double node[DD_MOST_NODES], double weight[DD_MOST_NODES]);

/* ---- truth_sets.c: the distribution of each generator (generators.h); `drawing` is for dd_build_shape ---- */

void dd_build_checkerboard(dd_truth_builder *b, const dd_shape *drawing);
void dd_build_circle(dd_truth_builder *b, const dd_shape *drawing);
void dd_build_dino(dd_truth_builder *b, const dd_shape *drawing);
void dd_build_eight_gaussians(dd_truth_builder *b, const dd_shape *drawing);
void dd_build_line(dd_truth_builder *b, const dd_shape *drawing);
void dd_build_moons(dd_truth_builder *b, const dd_shape *drawing);
void dd_build_pinwheel(dd_truth_builder *b, const dd_shape *drawing);
void dd_build_rings(dd_truth_builder *b, const dd_shape *drawing);
void dd_build_shape(dd_truth_builder *b, const dd_shape *drawing);
void dd_build_swiss_roll(dd_truth_builder *b, const dd_shape *drawing);
void dd_build_twentyfive_gaussians(dd_truth_builder *b, const dd_shape *drawing);
void dd_build_two_spirals(dd_truth_builder *b, const dd_shape *drawing);

#endif
