/* Datasets: points made by name or read from a user's file.
 *
 *     dd_points points = {0};
 *     DD_TRY(dd_points_open("dino", 100000, 42, DD_STREAM_TRAIN, &points));
 *     ... points.x[points.columns.count * i + c] ...
 *     dd_points_free(&points);
 *
 * Generated sets (generators.h lists them) are computed in float64 and stored as float32, without standardisation;
 * sets/ has a file for each, which defines it. Point i depends only on (seed, stream, i) and the distribution; for
 * moons also on the number of points. This layer never trains, measures or prints, and keeps no points between calls.
 */
#ifndef DD_DATASET_H
#define DD_DATASET_H

#include "base/error.h"
#include "data/points.h"
#include "data/truth.h"

typedef enum dd_stream {
    DD_STREAM_TRAIN = 0,   /* the training set */
    DD_STREAM_HELDOUT = 1, /* fresh points of the same distribution */
    DD_STREAM_FLOOR = 2    /* other fresh points, for metrics of true points (`dualdiff floor`) */
} dd_stream;

/* What to open. */
typedef struct dd_request {
    const char *name;           /* a generator's name, or a path */
    const dd_reading *reading;  /* of a file */
    const dd_data_config *data; /* of a generated set: its dimensions, and the seed of a random distribution; of a file:
                                   which rows are held out */
    uint32_t n;                 /* of a generated set: points */
    uint64_t seed;              /* of the points; their distribution has the seed of `data` */
    dd_stream stream;
    const dd_like *like; /* of a file: NULL, or the run whose points it may contain */
} dd_request;

/* Make a set (if `name` is a generator's name) or read it (if `name` is a path). Files:
 *   .csv, .tsv, .txt, .dat, also with .gz, and "-" for standard input: numbers separated by comma, semicolon, tab or
 *       blanks, in quotes or not, with a header that names the columns or not, decimal commas where semicolon or tab
 *       separates
 *   .npy, and FILE.npz or FILE.npz:array: floating point or integers of any size and byte order, C or Fortran order
 *   FILE:/path/to/dataset or FILE:dataset of an HDF5 file with any ending (netCDF-4, MATLAB 7.3)
 * The gating weights of `dualdiff sample` are left out. Fewer points than coordinates are DD_ERR_DATA.
 * A missing or infinite value, text in a chosen column, a column with the same value in each row, or a row of another
 * width is DD_ERR_DATA with the row's number. A name that is neither a
 * generator nor a file is DD_ERR_IO with the closest generators. A damaged HDF5 file is DD_ERR_IO, also one on which
 * the HDF5 library crashes. Dimensions that a generated set cannot have are DD_ERR_CONFIG.
 *
 * heldout may be NULL. For a file it gets the rows that data->heldout_share leaves out (points_table.h says which); for
 * a generated set, and if there are none, it gets n = 0: dd_points_more makes held-out points of a generated set. */
DD_CHECKED dd_status dd_points_request(const dd_request *request, dd_points *points, dd_points *heldout);

/* The same with the defaults of [data], but data.seed = seed; of a file all rows, not
 * scaled, whose header is found as "auto" says. */
DD_CHECKED dd_status dd_points_open(const char *name, uint32_t n, uint64_t seed, dd_stream stream, dd_points *points);

/* Other points of the distribution of a generated set. */
DD_CHECKED dd_status dd_points_more(const dd_points *of, uint32_t n, uint64_t seed, dd_stream stream,
                                    dd_points *points);

/* The name that the set would have; the set is not made. data: NULL for the defaults. */
void dd_points_name(const char *name, const dd_data_config *data, char out[64]);
/* The same if several parts of one file are used: "set.h5:/group/x" is set_group_x. */
void dd_points_long_name(const char *name, const dd_data_config *data, char out[64]);

/* The distribution of a generated set. */
DD_CHECKED dd_status dd_points_truth(const dd_points *points, dd_truth *truth);

/* The absolute path of FILE or FILE:inner, malloc'ed; NULL if FILE cannot be read again (a pipe, or removed).
 */
char *dd_points_path(const char *name);

#endif
