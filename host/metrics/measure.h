/* Measuring sets of generated samples.
 *
 *     dd_metrics metrics; // all NaN but what follows
 *     int measured;
 *     DD_TRY(dd_metrics_of_samples(pool, 1, (const dd_points *const[]){&points}, x, n, &config.evaluation,
 *                                  &metrics, &measured));
 *     printf("%g of %g modes\n", metrics.modes_captured, metrics.modes);
 */
#ifndef DD_MEASURE_H
#define DD_MEASURE_H

#include "base/error.h"
#include "base/pool.h"
#include "config/config.h"
#include "data/points.h"
#include "metrics/metrics.h"

/* All metrics of `count` >= 1 sets of generated samples x [count][n][2]; the others (losses, times) become NaN.
 * points [count] are the training sets, which may be the same; density, coverage and MMD compare with at most
 * DD_MOST_COMPARED of them, evenly spaced. Of points that were not generated the truth is not known: modes ..
 * total_variation are NaN. So is, of the distances, what needs more points than there are; too few for the KL estimate
 * are DD_ERR_DATA, as there; a sample that is not finite is DD_ERR_NUMERIC.
 *
 * The first *measured sets were measured: all of them or, with the failure's status and message, those before the
 * first that cannot be. Of that one, the metrics that could be computed are there, and the others NaN. A set's values
 * depend on nothing but the set, to the bit. The pool's threads work on all sets together, with some 160 kB a set, so
 * count = threads keeps them busy and is soon done. DD_STOPPED (cancel.h): nothing was measured. */
DD_CHECKED dd_status dd_metrics_of_samples(dd_pool *pool, int count, const dd_points *const *points, const float *x,
                                           uint32_t n, const dd_evaluation_config *evaluation, dd_metrics *metrics,
                                           int *measured);

#endif
