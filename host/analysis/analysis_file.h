/* Reads the gates of a result for the analysis, and writes the group /analysis. */
#ifndef DD_ANALYSIS_FILE_H
#define DD_ANALYSIS_FILE_H

#include "analysis/analysis_arrays.h"
#include "run/loaded_run.h"

/* The logged gates of training: /gate/train. */
typedef struct dd_logged_gates {
    int rows, batch;
    float *step;     /* [rows] */
    float *weight;   /* [rows][batch][experts]; NaN after the end of a short batch */
    float *timestep; /* [rows][batch]; -1 after that end */
} dd_logged_gates;

/* The gates of a whole training with `config`. DD_ERR_IO: the file does not have the size that follows from `config`,
 * or it has an impossible timestep. */
DD_CHECKED dd_status dd_logged_gates_read(const char *path, const dd_model *model, const dd_config *config,
                                          dd_logged_gates *gates);
void dd_logged_gates_free(dd_logged_gates *gates);

/* The stored samples and their gates: /samples/x, /samples/initial_noise and /gate/sample. */
typedef struct dd_sample_gates {
    uint32_t samples;
    float *x;      /* [samples][D] */
    float *start;  /* [samples][D] x_T */
    float *weight; /* [steps][samples][experts]; NULL if no gate was learned */
} dd_sample_gates;

DD_CHECKED dd_status dd_sample_gates_read(const char *path, const dd_model *model, int steps, dd_sample_gates *gates);
void dd_sample_gates_free(dd_sample_gates *gates);

/* Write the analysis as group /analysis into the result at `path`; an existing group is replaced. The file is copied,
 * changed, and renamed over `path`: after a failure the old file is still there. The caller must hold the run's lock
 * (store.h). */
DD_CHECKED dd_status dd_analysis_write(const char *path, const dd_loaded *stored, const dd_analysis *analysis);

#endif
