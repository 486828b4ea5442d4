/* Measures sets of generated samples.
 *
 *     dd_metrics metrics; // all NaN but what follows
 *     int measured;
 *     DD_TRY(dd_metrics_of_samples(pool, 1, (const dd_points *const[]){&points}, NULL, x, n, &config.evaluation,
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

/* Computes all metrics of `count` >= 1 sets of generated samples x [count][n][D]; the other metrics (losses, times)
 * become NaN. points [count] are the training sets, all of D dimensions, which may be the same. heldout [count] are
 * points that were not trained on, the same ones for the same training set. heldout_kl, its floor and copy_floor are
 * NaN if it is NULL or has n = 0; heldout_kl also if it has too few points for the estimate. Copies are looked for
 * among all training points; other metrics compare with evaluation->reference of them, evenly spaced (0: all), and
 * density, coverage and MMD with at most DD_MOST_COMPARED of these. If the points were not generated, their
 * distribution is unknown: modes .. total_variation are NaN. A distance that needs more points than there are is NaN,
 * too. Too few points for the KL estimate are DD_ERR_DATA (kl.h); a sample that is not finite is DD_ERR_NUMERIC.
 *
 * *measured becomes the number of sets that were measured: all or, with the status and message of a failure, those
 * before the first set that failed. For that set, the metrics that could be computed are filled in, and the others are
 * NaN. The bits of a set's values depend only on the set. The pool's threads work on all sets together and use about
 * 80 D kB per set, so count = threads is a good choice. DD_STOPPED (cancel.h): nothing was measured. */
DD_CHECKED dd_status dd_metrics_of_samples(dd_pool *pool, int count, const dd_points *const *points,
                                           const dd_points *const *heldout, const float *x, uint32_t n,
                                           const dd_evaluation_config *evaluation, dd_metrics *metrics, int *measured);

#endif
