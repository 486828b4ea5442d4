/* Points from a user's file, of any kind that dataset.h lists; and what the readers of each kind share.
 *
 * A reader fills a growing table of rows through dd_rows_add or dd_rows_put, which check what holds for every kind of
 * file: that each value is finite.
 */
#ifndef DD_POINTS_FILE_H
#define DD_POINTS_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "data/points.h"

/* Read the file called `name` into points->xy and points->n. */
DD_CHECKED dd_status dd_points_read(const char *name, const dd_reading *reading, dd_points *points);

/* In FILE:/path/in/file, FILE:dataset or FILE.npz:array the part behind the colon; NULL where the name has none.
 * A colon divides a name if what is in front of it is an existing file, or ends as an HDF5 or NPZ file does. */
const char *dd_points_inner_path(const char *name);

/* ---- for the readers ---- */

typedef struct dd_rows {
    const char *name; /* of the file, for messages */
    int columns;      /* of every row */
    float *value;     /* (n, columns) */
    size_t n, room;
} dd_rows;

/* The most columns that a file may have; points have DD_POINT_COLUMNS. */
enum { DD_POINT_COLUMNS = 2, DD_MOST_COLUMNS = 128 };

/* Append a row; `place` is its number in the file. DD_ERR_DATA with place and column for NaN and for what is infinite
 * in float32, DD_ERR_MEMORY. */
DD_CHECKED dd_status dd_rows_add(dd_rows *rows, size_t place, const double *value);
/* Append n rows to be filled in any order with dd_rows_put, which checks a value as dd_rows_add does. */
DD_CHECKED dd_status dd_rows_extend(dd_rows *rows, size_t n);
DD_CHECKED dd_status dd_rows_put(dd_rows *rows, size_t row, size_t place, int column, double value);

/* DD_ERR_DATA where `size` bytes come out of a compressed file of `there` bytes, more than numbers ever do: memory
 * would be filled. */
DD_CHECKED dd_status dd_rows_check_compression(const dd_rows *rows, uint64_t size, uint64_t there);

/* The message for an array or dataset (`what`) of a size other than (n, columns); a size (columns, n) gets the cure
 * that `transpose` says. */
DD_CHECKED dd_status dd_rows_wrong_shape(const dd_rows *rows, const char *what, int rank,
                                         const unsigned long long *size, const char *transpose);

/* Each reads a file that exists. A name in messages is the one that the user gave (rows->name). */
DD_CHECKED dd_status dd_points_read_csv(const char *path, const dd_reading *reading,
                                        dd_rows *rows); /* "-": standard input */
DD_CHECKED dd_status dd_points_read_npy(const char *path, dd_rows *rows);
/* array NULL: the only one in it. */
DD_CHECKED dd_status dd_points_read_npz(const char *path, const char *array, dd_rows *rows);
/* dataset NULL: never succeeds; the message lists the datasets that could be meant. */
DD_CHECKED dd_status dd_points_read_hdf5(const char *path, const char *dataset, dd_rows *rows);

#endif
