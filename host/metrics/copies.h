/* Whether samples are copies of training points.
 *
 * A sample counts as a copy if its nearest training point is less than a third as far as the second nearest (Yoon,
 * Choi, Kwon & Ryu 2023, "Diffusion probabilistic models generalize when they fail to memorize"; Gu et al. 2023, "On
 * memorization in diffusion models"). A sample far from all points is none, however wrong it is: its two distances are
 * about equal. By chance a share 3^-D of independent points are copies in this sense, because the volumes that belong
 * to the two distances are proportional to their D-th powers; points that were held out say what chance is for the
 * data.
 */
#ifndef DD_COPIES_H
#define DD_COPIES_H

#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"

enum { DD_COPY_QUERIES = 4000 }; /* most points that are asked about, evenly spaced (dd_thin) */

/* The share of `count` points x (count, D) that are copies of training points (n, D), n >= 2; D = dimensions. Distances
 * are Chebyshev's. A point at distance 0 is a copy. pool as in knn.h. DD_ERR_MEMORY, DD_STOPPED. */
DD_CHECKED dd_status dd_copy_share(dd_pool *pool, const float *training, uint32_t n, const float *x, uint32_t count,
                                   int dimensions, double *share);

#endif
