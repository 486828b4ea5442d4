/* Datasets: points made by name or read from a user's file.
 *
 *     dd_points points = {0};
 *     DD_TRY(dd_points_open("dino", 100000, 42, DD_STREAM_TRAIN, &points));
 *     ... points.x[2 * i], points.x[2 * i + 1] ...
 *     dd_points_free(&points);
 *
 * Generated sets (generators.h lists them) are computed in float64 and stored as float32, without standardisation;
 * sets/ has a file for each, which defines it. Point i depends only on (seed, stream, i); for moons also on the number
 * of points. This layer never trains, measures or prints, and keeps no points between calls.
 */
#ifndef DD_DATASET_H
#define DD_DATASET_H

#include "base/error.h"
#include "data/points.h"

typedef enum dd_stream {
    DD_STREAM_TRAIN = 0,   /* the training set */
    DD_STREAM_HELDOUT = 1, /* fresh points of the same distribution */
    DD_STREAM_FLOOR = 2    /* other fresh points, for metrics of true points (`dualdiff floor`) */
} dd_stream;

/* Make a set (if `name` is a generator's name) or read it (if `name` is a path). `n`, `seed` and `stream` are for
 * generators. Files:
 *   .csv, .tsv, .txt, .dat, also with .gz, and "-" for standard input: numbers separated by comma, semicolon, tab or
 *       blanks, in quotes or not, with a header that names the columns or not, decimal commas where semicolon or tab
 *       separates
 *   .npy, and FILE.npz or FILE.npz:array: floating point or integers of any size and byte order, C or Fortran order
 *   FILE:/path/to/dataset or FILE:dataset of an HDF5 file with any ending (netCDF-4, MATLAB 7.3)
 * The gating weights of `dualdiff sample` are left out. Of a file, two columns must be chosen: others are DD_ERR_DATA.
 * A missing or infinite value, text in a chosen column, a column with the same value in each row, or a row of another
 * width is DD_ERR_DATA with the row's number. A name that is neither a
 * generator nor a file is DD_ERR_IO with the closest generators. A damaged HDF5 file is DD_ERR_IO, also one on which
 * the HDF5 library crashes. */
DD_CHECKED dd_status dd_points_open(const char *name, uint32_t n, uint64_t seed, dd_stream stream, dd_points *points);
/* The same; a file is read as `reading` says. */
DD_CHECKED dd_status dd_points_open_as(const char *name, const dd_reading *reading, uint32_t n, uint64_t seed,
                                       dd_stream stream, dd_points *points);

/* The name that dd_points_open would give the set; the set is not made. */
void dd_points_name(const char *name, char out[64]);
/* The same if several parts of one file are used: "set.h5:/group/x" is set_group_x. */
void dd_points_long_name(const char *name, char out[64]);

/* The absolute path of FILE or FILE:inner, malloc'ed; NULL if FILE cannot be read again (a pipe, or removed).
 */
char *dd_points_path(const char *name);

#endif
