/* Warnings for results that are shown together but cannot be compared, used by `compare`, `plot` and `report`. */
#ifndef DD_MIXED_RESULTS_H
#define DD_MIXED_RESULTS_H

#include "base/error.h"
#include "compare/results_scan.h"

/* Warn on standard error, a line for each, of the first `count` entries where
 *   - seeds under one name differ in their configuration, because a mean over seeds is of one configuration,
 *   - one name belongs to the points of different datasets,
 *   - KL divergences of one dataset were measured with different evaluation.samples, evaluation.k or
 *     evaluation.reference.
 * DD_ERR_IO: a header cannot be read. */
DD_CHECKED dd_status dd_warn_of_mixtures(const dd_entries *entries, int count);

#endif
