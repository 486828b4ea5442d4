/* What is known about a generated dataset: its modes, its support, and its density as a mixture.
 *
 *     dd_truth truth;
 *     DD_TRY(dd_truth_create("dino", &truth));     // generators.h; 142 modes, 142 atoms
 *     int mode = dd_truth_nearest(&truth, x, &distance);
 *     dd_truth_free(&truth);
 *
 * Two views of one distribution. A region is what a person would call a mode, or the support: metrics count samples in
 * it. An atom is a Gaussian (of width 0 if it is a quadrature point) or a uniform box: the exact denoiser sums over
 * them. Blobs and curves become many atoms by quadrature; the comments above the generators define the sets.
 */
#ifndef DD_TRUTH_H
#define DD_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

typedef enum dd_region_kind {
    DD_REGION_GAUSSIAN, /* size = standard deviation per axis; good within 3, off the support beyond 6 of them */
    DD_REGION_DISC,     /* size[0] = radius; good inside, off the support if more than .02 outside */
    DD_REGION_BOX,      /* size = half extent per axis; the same */
    DD_REGION_CURVE     /* size = standard deviation per axis of the noise around the polyline of the region's atoms;
                           good within 3, off the support beyond 6 */
} dd_region_kind;

typedef struct dd_region {
    dd_region_kind kind;
    double centre[2], size[2];
    double share;    /* of all points; shares sum to 1 */
    int atom, atoms; /* its atoms are truth.atom[atom .. atom + atoms - 1]; those of a curve are in order along it */
} dd_region;

typedef struct dd_atom {
    double centre[2];
    double sigma[2]; /* standard deviation per axis; 0 for a quadrature point */
    double half[2];  /* half extent of a uniform box, or 0, 0 */
    double weight;   /* sums to 1 */
} dd_atom;

typedef struct dd_truth {
    char name[64];
    bool countable; /* regions are modes to be counted; false for one support (line, moons, swiss_roll, ...) */
    int regions, atoms;
    dd_region *region;
    dd_atom *atom;
} dd_truth;

void dd_truth_free(dd_truth *truth);

/* The region that x (2) belongs to: the one with the smallest distance. The unit of the distance depends on the region:
 * standard deviations (Gaussian, curve), or coordinates outside of it (disc, box: 0 inside; of several, the nearest
 * centre wins). */
int dd_truth_nearest(const dd_truth *truth, const double *x, double *distance);

#endif
