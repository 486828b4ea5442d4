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

typedef struct dd_points {
    char name[64];     /* generator's name, or the file's stem */
    uint32_t n;        /* points */
    float *xy;         /* (n, 2) */
    int generated;     /* 1: made by name, 0: read from a file */
    uint64_t checksum; /* FNV-1a over n and the bytes of xy: two sets with equal sums are taken for the same */
} dd_points;

/* Whether `name` is a generator's; the closest generator's name to another word, NULL when none is close. */
int dd_dataset_known(const char *name);
const char *dd_closest_dataset(const char *name);

/* Make (`name` is a generator's) or read (`name` is a path) a set. Files: .csv (a header line is
 * allowed; comma, semicolon, tab or space), .npy (float32 or float64, C order, shape (n, 2)), and
 * FILE.h5:/path/to/dataset. `n`, `seed` and `stream` are for generators. A NaN, an infinite value or a
 * row of another width is DD_ERR_DATA with the row's number; an unknown name that is no file either is
 * answered with the closest generator. */
int dd_points_open(const char *name, uint32_t n, uint64_t seed, dd_stream stream, dd_points *points);

/* The name dd_points_open would give the set, without making it. */
void dd_points_name(const char *name, char out[64]);

void dd_points_free(dd_points *points);

#endif
