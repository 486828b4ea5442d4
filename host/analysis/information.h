/* Entropy and mutual information of counted symbols, in bits.
 *
 * The plug-in estimate with the correction of Miller (1955) and Madow: an entropy over m occupied cells from N
 * counts is too low by about (m - 1) / (2 N) nats, so mutual information I(A; B) = H(A) + H(B) - H(A, B) is too high by
 * (occupied pairs - occupied A - occupied B + 1) / (2 N) nats. (L. Paninski, "Estimation of entropy and mutual
 * information", Neural Computation 15, 2003.) The corrected estimate of independent symbols scatters around 0 and can
 * be slightly negative.
 */
#ifndef DD_INFORMATION_H
#define DD_INFORMATION_H

#include <stdint.h>

/* Entropy of count[symbols]; NaN if nothing was counted. */
double dd_entropy_bits(const uint32_t *count, int symbols);

/* Mutual information of count[rows][columns]; NaN if nothing was counted. */
double dd_information_bits(const uint32_t *count, int rows, int columns);

#endif
