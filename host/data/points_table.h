/* Makes points of a table of rows that a reader has filled: divides it into training rows and held-out rows. */
#ifndef DD_POINTS_TABLE_H
#define DD_POINTS_TABLE_H

#include "data/points.h"
#include "data/points_rows.h"

/* The training rows as points, and the held-out rows (points_split.h) as `heldout` unless that is NULL; both in the
 * order of the file, heldout with n = 0 if there are none. points->data becomes `data` with what does not concern a
 * file set to 0, and with what was done for scale = "auto". DD_ERR_DATA as dd_columns_standardise, and for a value that
 * is not finite in float32.
 *
 * like: NULL, or the points of a run. They have its columns, names and scale. If the training rows are not the run's,
 * all rows become points and none is held out. Names and paths are left to the caller. */
DD_CHECKED dd_status dd_points_of_rows(const dd_rows *rows, const dd_data_config *data, const dd_like *like,
                                       dd_points *points, dd_points *heldout);

/* FNV-1a over n and the bytes of x; over D if it is not 2; over shifts and scales if there are any, so that metres and
 * millimetres of one table are two sets. Names do not count. */
uint64_t dd_points_checksum(const dd_points *points);

#endif
