/* How the user's units become the numbers that networks see, and back, column by column:
 *
 *     scaled = (value - shift) / scale        value = shift + scale * scaled        (float64; `scaled` is then float32)
 *
 * Shift and scale are the mean and the standard deviation (over n) of the rows that are trained on, so nothing of a
 * held-out row is used. The scale is rounded to 24 bits, so that scale * scaled is exact, and the shift to a multiple
 * of 2^-20 scale. So the last digits of the sums, which depend on the order of the rows, do not matter.
 */
#ifndef DD_SCALING_H
#define DD_SCALING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "data/columns.h"

/* Set shift and scale from those rows of value (n, columns->count) whose `out` is false. DD_ERR_DATA, which names the
 * file and the column, if a column has one value in all of them, or values that are too large. */
DD_CHECKED dd_status dd_columns_standardise(dd_columns *columns, const double *value, const bool *out, size_t n,
                                            const char *file);

/* One row [count]; n rows (n, count). */
void dd_columns_scale(const dd_columns *columns, const double *value, float *scaled);
void dd_columns_unscale(const dd_columns *columns, const float *scaled, size_t n, double *value);

/* Sets columns->scaled: whether any shift is not 0 or any scale not 1. */
void dd_columns_note_scaling(dd_columns *columns);

/* A scaled number in the user's units as text: 9 digits, or as many more (17 at most) as bring the same float32 back.
 */
enum { DD_COLUMN_TEXT = 40 };
void dd_column_text(const dd_column *column, float scaled, char text[DD_COLUMN_TEXT]);

#endif
