/* Distances between two sets of points, real and generated. They use no random numbers that change.
 *
 * Points are (n, D) floats, finite; D = dimensions, 1 .. DD_MAX_DIMENSIONS. The same points give the same bits on any
 * machine: sums have a fixed order, and the only function of the C library in them is sqrt, which is exact (and sin,
 * cos and log for the directions).
 */
#ifndef DD_SET_DISTANCES_H
#define DD_SET_DISTANCES_H

#include <stdint.h>

#include "base/error.h"

enum {
    DD_MOST_COMPARED = 10000, /* most points of a set in the metrics that compare all pairs */
    DD_DENSITY_NEIGHBOUR = 5, /* k of density and coverage, as in their paper's experiments */
    DD_DIRECTIONS = 128,      /* directions of the sliced Wasserstein distance */
    DD_MMD_WIDTHS = 6         /* kernels of the MMD: standard deviations 2, 1, 1/2, ..., 1/16 times sqrt(D / 2) */
};

/* Every n/m-th of n points, m = min(n, most), into thinned (m, D): points i n / m, rounded down. A set may be sorted,
 * so its first points would not represent it. Returns m. */
uint32_t dd_thin(const float *point, uint32_t n, int dimensions, uint32_t most, float *thinned);

/* Density and coverage (Naeem, Oh, Uh, Choi & Yoo 2020, "Reliable fidelity and diversity metrics for generative
 * models", equations 3 and 4). With the balls B_i around the n real points through their k-th nearest other real one
 * (Euclidean distance, as in the paper; closed, so that duplicates are in their ball of radius 0) and m generated
 * points:
 *   density  = 1 / (k m) sum_j sum_i [generated j in B_i]     1 for the true distribution, more where samples are
 * crowded coverage = 1 / n sum_i [some generated j in B_i]          the true distribution with m = n: 1 - 2^-k
 * DD_ERR_MEMORY. NaN with n < k + 1 or m = 0. */
DD_CHECKED dd_status dd_density_coverage(const float *real, uint32_t n, const float *generated, uint32_t m,
                                         int dimensions, double *density, double *coverage);

/* The mean over DD_DIRECTIONS directions of the Wasserstein-1 distance between the projected sets, the area between
 * their distribution functions (Bonneel, Rabin, Peyre & Pfister 2015 with p = 1), in the unit of the coordinates. In
 * the plane the directions are at angles pi d / DD_DIRECTIONS; in more dimensions they are drawn uniformly, always the
 * same ones (DD_DRAW_DIRECTIONS, seed 0); in one dimension there is one, and the distance is exact. n, m >= 1.
 * DD_ERR_MEMORY, DD_STOPPED (cancel.h). */
DD_CHECKED dd_status dd_sliced_wasserstein(const float *a, uint32_t n, const float *b, uint32_t m, int dimensions,
                                           double *distance);

/* Squared maximum mean discrepancy, the unbiased estimate (Gretton et al. 2012, "A kernel two-sample test", equation
 * 3), which can be negative if the sets are alike:
 *   sum_{i != j} k(a_i, a_j) / (n (n-1)) + sum_{i != j} k(b_i, b_j) / (m (m-1)) - 2 sum_{i, j} k(a_i, b_j) / (n m)
 * k(x, y) = mean over DD_MMD_WIDTHS widths s = 2, 1, ..., 1/16 times sqrt(D / 2) of exp(-|x - y|^2 / (2 s^2)): wide
 * kernels measure the shape, narrow ones the modes. Squared distances grow with D; with these widths a difference of
 * the same size in each coordinate has the same kernels for every D. The widths are fixed, so that values of different
 * runs can be compared. NaN if a set has fewer than two points. Kernels are single precision: within 1e-6 of the exact
 * value. */
double dd_mmd_squared(const float *a, uint32_t n, const float *b, uint32_t m, int dimensions);

/* Its parts, for a caller that computes it in parts: the three means in the order of the formula (each is DD_MMD_WIDTHS
 * times the mean of k), and the whole from these. NaN if a set has fewer than two points. */
double dd_mmd_within(const float *a, uint32_t n, int dimensions);
double dd_mmd_between(const float *a, uint32_t n, const float *b, uint32_t m, int dimensions);
double dd_mmd_from_means(double within_a, double within_b, double between);

/* Mean Euclidean distance between two different points of a, n (n-1) / 2 pairs; NaN with fewer than two points. Single
 * precision, relative error below 1e-6. */
double dd_mean_distance(const float *a, uint32_t n, int dimensions);

#endif
