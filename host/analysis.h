/* What the gate and the experts of a finished run do.
 *
 *     dd_analysis analysis;
 *     DD_TRY(dd_analysis_create(&stored, "runs/run_1/dino/seed_0.h5", &points, &analysis));
 *     DD_TRY(dd_analysis_write("runs/run_1/dino/seed_0.h5", &stored, &analysis));       // its group /analysis
 *     dd_analysis_free(&analysis);
 *
 * An analysis is a list of named arrays over named axes, the same that a reader finds in the file; docs/analysis.md
 * says what each holds and how it is computed. Everything is that of the averaged parameters, with which samples are
 * generated.
 */
#ifndef DD_ANALYSIS_H
#define DD_ANALYSIS_H

#include "stored.h"

enum { DD_ANALYSIS_RANK = 5, DD_ANALYSIS_AXES = 32, DD_ANALYSIS_ARRAYS = 48 };

typedef struct dd_axis {
    const char *name, *units, *long_name;
    int whole; /* its values are whole numbers */
    int size;
    double *value; /* [size] */
} dd_axis;

typedef struct dd_array {
    const char *name; /* "<group>/<name>" */
    const char *units, *long_name;
    int rank;
    const dd_axis *axis[DD_ANALYSIS_RANK];
    float *value;
} dd_array;

typedef struct dd_analysis {
    int axes, arrays;
    dd_axis axis[DD_ANALYSIS_AXES];
    dd_array array[DD_ANALYSIS_ARRAYS];
    int countable;           /* regions are modes of the data; 0: cells of a grid */
    int gated;               /* a gate was learned; else what is read from its weights is left out */
    int points_per_timestep; /* fresh points behind each loss */
} dd_analysis;

/* Analyse the run that is open in `stored` and lies at `path` on fresh points like `points`: a generator's are drawn
 * from its held-out stream, a file's are used as they are. DD_ERR_USAGE when the run has one expert. Experts under
 * a fixed gate lack what is read from stored weights: groups information/sampling_* and training, and the weights of
 * by_timestep and by_region/weight_sampling. */
int dd_analysis_create(const dd_stored *stored, const char *path, const dd_points *points, dd_analysis *analysis);
void dd_analysis_free(dd_analysis *analysis);

/* The array "<group>/<name>"; NULL when there is none. */
const dd_array *dd_analysis_find(const dd_analysis *analysis, const char *name);

/* Write the analysis as group /analysis into the result at `path`, in place of one that is there. The file is copied,
 * changed, and renamed over `path`: on failure what was there stays. The caller holds the run's lock (store.h). */
int dd_analysis_write(const char *path, const dd_stored *stored, const dd_analysis *analysis);

#endif
