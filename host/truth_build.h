/* Making a dd_truth, region by region: what truth.c and the definitions in truth_sets.c share.
 *
 *     dd_build_region(b, DD_REGION_GAUSSIAN, centre, size, share);
 *     dd_build_atom(b, centre, sigma, half, weight);               // of the region added last
 *
 * The functions do nothing once memory has run out; dd_truth_create sees it in b->failed.
 */
#ifndef DD_TRUTH_BUILD_H
#define DD_TRUTH_BUILD_H

#include "truth.h"

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

/* A generator's distribution. */
typedef struct dd_truth_definition {
    const char *name; /* "": of every drawing */
    int countable;    /* as dd_truth.countable */
    void (*build)(dd_truth_builder *b, const char *name);
} dd_truth_definition;

/* The definition of a generator, NULL for another name. */
const dd_truth_definition *dd_truth_definition_of(const char *name);

#endif
