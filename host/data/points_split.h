/* Which rows of a file are held out: decided by what a row contains, so that a shuffled file has the same held-out
 * rows, and equal rows are never on both sides.
 */
#ifndef DD_POINTS_SPLIT_H
#define DD_POINTS_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* value (n, width), heldout [n]. The floor(share n) rows with the smallest keys are held out, but not those whose key a
 * training row has, too; at least two rows are left for training. The key of a row: words 0 and 1 of DD_DRAW_SPLIT with
 * the FNV-1a hash of the row's float64 bytes as index (-0 counts as 0). *count becomes how many are held out. */
DD_CHECKED dd_status dd_split_rows(const double *value, uint32_t n, int width, uint64_t seed, double share,
                                   bool *heldout, uint32_t *count);

#endif
