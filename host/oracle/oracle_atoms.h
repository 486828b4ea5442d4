/* A distribution's Gaussians arranged for summing at one noise level.
 *
 * A block is a group of atoms of one class (equal sigma) that are close together, with a bounding box, so that whole
 * blocks can be left out. If a block's box is small compared with the noise and it has many atoms, they are replaced by
 * few: a density at x is sum w_j K(x - c_j) with a smooth K, and K as a function of c is its own interpolant on q
 * Chebyshev nodes an axis to about (z r)^q / (2^(q-1) q!), z = distance of x and r = half the box, both in standard
 * deviations. So the nodes have the weights W_k = sum_j w_j L_k(c_j), L_k the interpolation's basis. They may be
 * negative.
 */
#ifndef DD_ORACLE_ATOMS_H
#define DD_ORACLE_ATOMS_H

#include <stdbool.h>

#include "base/error.h"
#include "data/truth.h"

enum { DD_LANES = 8 }; /* the number of a block's atoms is a multiple of this; the added ones have weight 0 */

typedef struct dd_block {
    double low[2], high[2]; /* box of the centres */
    double log_weight;      /* sum of the weights of its atoms */
    int class;
    int first, count; /* its atoms, count a multiple of DD_LANES */
} dd_block;

/* The atoms for noise of standard deviation `width` or more, in the scale of x_0: b / a. */
typedef struct dd_level {
    double width;
    int blocks, atoms, block_room, atom_room;
    dd_block *block;
    double *x, *y, *weight; /* [atoms] */
} dd_level;

/* Gaussians of equal sigma. */
typedef struct dd_class {
    double sigma[2];
    int first, count; /* the plane's atoms order[first .. first + count - 1] */
} dd_class;

typedef struct dd_arrangement {
    int classes, levels;
    dd_class *class;
    int *order;      /* indices of atoms that are not boxes */
    dd_level *level; /* by increasing width; the first is exact for any noise */
} dd_arrangement;

bool dd_atom_is_box(const dd_atom *atom); /* else a Gaussian */

DD_CHECKED dd_status dd_arrange(const dd_plane *plane, dd_arrangement *arrangement);
void dd_arrangement_free(dd_arrangement *arrangement);

/* The widest level for noise of `width`. */
const dd_level *dd_arrangement_level(const dd_arrangement *arrangement, double width);

#endif
