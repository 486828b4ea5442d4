/* Reads a user's file of any kind that dataset.h lists into the table of points_rows.h, and declares the readers of
 * each kind. points_table.h makes points of the table.
 */
#ifndef DD_POINTS_FILE_H
#define DD_POINTS_FILE_H

#include "base/error.h"
#include "data/points.h"
#include "data/points_rows.h"

/* Read the file called `name` as the caller has set rows->reading, rows->like and rows->scaled; free the rows with
 * dd_rows_free, which is done already after a failure. */
DD_CHECKED dd_status dd_rows_read(const char *name, dd_rows *rows);

/* The part after the colon in FILE:/path/in/file, FILE:dataset or FILE.npz:array; NULL if the name has none. A colon
 * divides a name if the text before it is an existing file or ends like an HDF5 or NPZ file. */
const char *dd_points_inner_path(const char *name);

/* ---- for the readers ---- */

/* Each reads a file that exists, as rows->reading says. Messages use the name that the user gave (rows->name). */
DD_CHECKED dd_status dd_points_read_csv(const char *path, dd_rows *rows); /* "-": standard input */
DD_CHECKED dd_status dd_points_read_npy(const char *path, dd_rows *rows);
/* array NULL: the only array in the file. */
DD_CHECKED dd_status dd_points_read_npz(const char *path, const char *array, dd_rows *rows);
/* dataset NULL: always fails; the message lists the datasets that the user may have meant. */
DD_CHECKED dd_status dd_points_read_hdf5(const char *path, const char *dataset, dd_rows *rows);

#endif
