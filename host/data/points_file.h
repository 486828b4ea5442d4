/* Reads points from a user's file of any kind that dataset.h lists, and declares what the readers of each kind share.
 *
 * A reader fills a growing table of rows with dd_rows_add or dd_rows_put. They check that each value is finite, for
 * every kind of file.
 */
#ifndef DD_POINTS_FILE_H
#define DD_POINTS_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "data/points.h"

/* Read the file called `name` into points. */
DD_CHECKED dd_status dd_points_read(const char *name, const dd_reading *reading, dd_points *points);

/* The part after the colon in FILE:/path/in/file, FILE:dataset or FILE.npz:array; NULL if the name has none. A colon
 * divides a name if the text before it is an existing file or ends like an HDF5 or NPZ file. */
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

/* Append a row; `place` is its number in the file. DD_ERR_DATA with place and column if a value is NaN or infinite in
 * float32; DD_ERR_MEMORY. */
DD_CHECKED dd_status dd_rows_add(dd_rows *rows, size_t place, const double *value);
/* Append n rows. Fill them in any order with dd_rows_put, which checks each value like dd_rows_add. */
DD_CHECKED dd_status dd_rows_extend(dd_rows *rows, size_t n);
DD_CHECKED dd_status dd_rows_put(dd_rows *rows, size_t row, size_t place, int column, double value);

/* DD_ERR_DATA if a compressed file of `there` bytes decompresses to `size` bytes, which is far more than numbers ever
 * do: it would fill the memory. */
DD_CHECKED dd_status dd_rows_check_compression(const dd_rows *rows, uint64_t size, uint64_t there);

/* Fails with the message for an array or dataset (`what`) whose size is not (n, columns). For a size (columns, n) the
 * message adds the cure `transpose`. */
DD_CHECKED dd_status dd_rows_wrong_shape(const dd_rows *rows, const char *what, int rank,
                                         const unsigned long long *size, const char *transpose);

/* Each reads a file that exists. Messages use the name that the user gave (rows->name). */
DD_CHECKED dd_status dd_points_read_csv(const char *path, const dd_reading *reading,
                                        dd_rows *rows); /* "-": standard input */
DD_CHECKED dd_status dd_points_read_npy(const char *path, dd_rows *rows);
/* array NULL: the only array in the file. */
DD_CHECKED dd_status dd_points_read_npz(const char *path, const char *array, dd_rows *rows);
/* dataset NULL: always fails; the message lists the datasets that the user may have meant. */
DD_CHECKED dd_status dd_points_read_hdf5(const char *path, const char *dataset, dd_rows *rows);

#endif
