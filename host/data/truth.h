/* What is known about a generated dataset: its modes, its support, and its density.
 *
 *     dd_truth truth;
 *     DD_TRY(dd_truth_create("gaussians", &config.data, &truth));     // generators.h; 16 Gaussians in 8 dimensions
 *     dd_standing standing;
 *     int mode = dd_truth_region(&truth, x, &standing);               // truth_regions.h
 *     dd_truth_free(&truth);
 *
 * A region is what a person would call a mode, or the support: metrics count samples in it. The kinds of distribution:
 *   plane     regions and atoms of two dimensions (dd_plane)
 *   mixture   Gaussians, each with its own covariance; each is a region
 *   cube      the first `sides` coordinates are +-1 with equal chance, the others 0, all with N(0, sigma^2) added; each
 *             corner is a region
 *   embedded  x = R' (y, sigma e): y of a distribution of the plane, e ~ N(0, I) of D - 2 dimensions, R a rotation. No
 *             noise is added inside the plane, so the regions are those of the plane.
 */
#ifndef DD_TRUTH_H
#define DD_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

/* ---- the plane ---- */

typedef enum dd_region_kind {
    DD_REGION_GAUSSIAN, /* size = standard deviation per axis */
    DD_REGION_DISC,     /* size[0] = radius */
    DD_REGION_BOX,      /* size = half extent per axis */
    DD_REGION_CURVE     /* size = standard deviation per axis of the noise around the polyline of the region's atoms */
} dd_region_kind;

typedef struct dd_region {
    dd_region_kind kind;
    double centre[2], size[2];
    double share;    /* of all points; shares sum to 1 */
    int atom, atoms; /* its atoms are plane.atom[atom .. atom + atoms - 1]; those of a curve are in order along it */
} dd_region;

typedef struct dd_atom {
    double centre[2];
    double sigma[2]; /* standard deviation per axis; 0 for a quadrature point */
    double half[2];  /* half extent of a uniform box, or 0, 0 */
    double weight;   /* sums to 1 */
} dd_atom;

/* Two views of one distribution of the plane: regions, and its density as a mixture of atoms. An atom is a Gaussian (of
 * width 0 if it is a quadrature point) or a uniform box: the exact denoiser sums over them. Blobs and curves become
 * many atoms by quadrature; the comments above the generators define the sets. */
typedef struct dd_plane {
    int regions, atoms;
    dd_region *region;
    dd_atom *atom;
} dd_plane;

/* ---- any dimensions ---- */

/* A Gaussian whose covariance is sum_j (variance_j - rest) axis_j axis_j' + rest I. */
typedef struct dd_component {
    double weight, rest;
    double *centre;   /* [D] */
    double *axis;     /* (rank, D), orthonormal rows */
    double *variance; /* [rank] */
} dd_component;

typedef enum dd_truth_kind { DD_TRUTH_PLANE, DD_TRUTH_MIXTURE, DD_TRUTH_CUBE, DD_TRUTH_EMBEDDED } dd_truth_kind;

typedef struct dd_truth {
    char name[64]; /* of its points: gaussians_d8 */
    dd_truth_kind kind;
    int dimensions; /* D */
    bool countable; /* regions are modes to be counted; false for one support (line, moons, swiss_roll, ...) */
    dd_plane plane; /* PLANE; of EMBEDDED, that of y */
    int components; /* MIXTURE */
    int rank;       /* MIXTURE: axes of a component, 0 .. D; at D nothing is left for `rest` */
    dd_component *component;
    int sides;        /* CUBE */
    double sigma;     /* CUBE, EMBEDDED */
    double *rotation; /* EMBEDDED: (D, D), orthonormal rows; the first two span the plane */
    double good, off; /* MIXTURE, CUBE, EMBEDDED: radii in standard deviations; see dd_standing */
    void *memory;     /* of component and rotation */
} dd_truth;

/* Where a point is. Around a Gaussian: GOOD within 3 standard deviations of its centre in the plane, OFF beyond 6. In d
 * dimensions the two radii hold as much of a Gaussian as 3 and 6 in the plane: they are the quantiles 1 - exp(-4.5) and
 * 1 - exp(-18) of the chi distribution with d degrees of freedom. Around a curve of the plane: 3 and 6. Of a disc or
 * box of the plane: GOOD inside, OFF if more than .02 outside. Of an embedded plane: GOOD if that is true in the plane
 * and of the D - 2 directions outside of it, OFF if that is true of one of the two. */
#define DD_GOOD_SIGMAS 3.
#define DD_OFF_SIGMAS 6.
typedef enum dd_standing { DD_GOOD, DD_BETWEEN, DD_OFF } dd_standing;

/* The two radii of dd_standing for a Gaussian of `degrees` directions, 0 .. DD_MAX_DIMENSIONS. At 0 both are 0. */
void dd_truth_radii(int degrees, double *good, double *off);

void dd_truth_free(dd_truth *truth);

#endif
