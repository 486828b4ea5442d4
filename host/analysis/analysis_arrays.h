/* The data of an analysis.
 *
 * An analysis is a list of named arrays over named axes, as a reader finds them in the file; docs/analysis.md says what
 * each contains and how it is computed. All of them are computed with the averaged parameters, which also generate the
 * samples.
 */
#ifndef DD_ANALYSIS_ARRAYS_H
#define DD_ANALYSIS_ARRAYS_H

#include <stdbool.h>

enum { DD_ANALYSIS_RANK = 5, DD_ANALYSIS_AXES = 32, DD_ANALYSIS_ARRAYS = 64 };
enum { DD_GATE_BINS = 20 }; /* equal bins of a weight's range [0, 1], for its mutual information */

typedef struct dd_axis {
    const char *name, *units, *long_name;
    bool whole; /* its values are whole numbers */
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
    const char *region, *regions; /* what regions are called: "mode", "modes" (regions.h) */
    bool gated;                   /* a gate was learned; else arrays of its weights are left out */
    int points_per_timestep;      /* fresh points used for each loss */
} dd_analysis;

void dd_analysis_free(dd_analysis *analysis);

/* The array "<group>/<name>"; NULL when there is none. */
const dd_array *dd_analysis_find(const dd_analysis *analysis, const char *name);

#endif
