/* Datasets: 2-D points, made by name or read from a user's file.
 *
 *     dd_points points = {0};
 *     DD_TRY(dd_points_open("dino", 100000, 42, DD_STREAM_TRAIN, &points));
 *     ... points.xy[2 * i], points.xy[2 * i + 1] ...
 *     dd_points_free(&points);
 *
 * Generated sets (generators.h lists them) are computed in float64 and stored as float32, without standardisation;
 * their definitions are above each generator: those of the experiment in generator_experiment.c, those of the
 * literature on mode capture and the drawings in generator_sets.c. Point i depends on (seed, stream, i) alone, of moons
 * on how many there are too.
 */
#ifndef DD_DATASET_H
#define DD_DATASET_H

#include <stdint.h>

typedef enum dd_stream {
    DD_STREAM_TRAIN = 0,   /* the training set */
    DD_STREAM_HELDOUT = 1, /* fresh points of the same distribution */
    DD_STREAM_FLOOR = 2    /* and others, for what metrics say of true points (`dualdiff floor`) */
} dd_stream;

/* What the first row of a CSV is. AUTO: a header if it holds no number, else a point; in doubt DD_ERR_DATA asks. */
typedef enum dd_header_row { DD_HEADER_ROW_AUTO, DD_HEADER_ROW_YES, DD_HEADER_ROW_NO } dd_header_row;

/* "auto", "yes" and "no"; nonzero where `word` is none of them. */
extern const char *const dd_header_row_names[];
int dd_header_row_parse(const char *word, dd_header_row *header);

/* How a file is read, as far as the user decides it. */
typedef struct dd_reading {
    dd_header_row header;
} dd_reading;

typedef struct dd_points {
    char name[64];     /* generator's name, the file's stem, or stdin */
    uint32_t n;        /* points */
    float *xy;         /* (n, 2) */
    int generated;     /* 1: made by name, 0: read from a file */
    uint64_t checksum; /* FNV-1a over n and the bytes of xy: two sets with equal sums are taken for the same */
    char *path;        /* absolute, with what is behind the colon; NULL unless it is a file that can be read again */
} dd_points;

/* Whether `name` is a generator's. */
int dd_dataset_known(const char *name);
/* The generators that another word may mean, by letters or by what they are, as "'two_spirals' or 'swiss_roll'";
 * "" when none is near. */
void dd_near_datasets(const char *word, char out[200]);

/* Make (`name` is a generator's) or read (`name` is a path) a set. `n`, `seed` and `stream` are for generators. Files:
 *   .csv, .tsv, .txt, .dat, also with .gz, and "-" for standard input: numbers separated by comma, semicolon, tab or
 *       blanks, in quotes or not, with a header or not, decimal commas where semicolon or tab separates
 *   .npy, and FILE.npz or FILE.npz:array: floating point or integers of any size and byte order, C or Fortran order
 *   FILE:/path/to/dataset or FILE:dataset of an HDF5 file with any ending (netCDF-4, MATLAB 7.3)
 * A NaN, an infinite value or a row of another width is DD_ERR_DATA with the row's number; an unknown name that is no
 * file either is answered with the closest generators; a damaged HDF5 file, also one on which the HDF5 library
 * crashes, is DD_ERR_IO. */
int dd_points_open(const char *name, uint32_t n, uint64_t seed, dd_stream stream, dd_points *points);
/* The same for a file that is to be read as `reading` says. */
int dd_points_open_as(const char *name, const dd_reading *reading, uint32_t n, uint64_t seed, dd_stream stream,
                      dd_points *points);

/* The name dd_points_open would give the set, without making it. */
void dd_points_name(const char *name, char out[64]);
/* The same for one part of several of one file: "set.h5:/group/x" is set_group_x. */
void dd_points_long_name(const char *name, char out[64]);

/* The absolute path of FILE or FILE:inner, malloc'ed; NULL where FILE is none that can be read again (a pipe, or gone).
 */
char *dd_points_path(const char *name);

void dd_points_free(dd_points *points);

#endif
