/* Gates of a result, as the analysis reads them, and the group /analysis that it writes. */
#ifndef DD_ANALYSIS_FILE_H
#define DD_ANALYSIS_FILE_H

#include "analysis/analysis_arrays.h"
#include "run/loaded_run.h"

/* The logged gates of training: /gate/train. */
typedef struct dd_logged_gates {
    int rows, batch;
    float *step;     /* [rows] */
    float *weight;   /* [rows][batch][experts]; NaN behind the end of a short batch */
    float *timestep; /* [rows][batch]; -1 there */
} dd_logged_gates;

/* The gates of a whole training with `config`. DD_ERR_IO: the file has not the size that follows from it, or a timestep
 * that it does not have. */
DD_CHECKED dd_status dd_logged_gates_read(const char *path, const dd_model *model, const dd_config *config,
                                          dd_logged_gates *gates);
void dd_logged_gates_free(dd_logged_gates *gates);

/* The stored samples and the gates they were made with: /samples/x, /samples/initial_noise and /gate/sample. */
typedef struct dd_sample_gates {
    uint32_t samples;
    float *x;      /* [samples][2] */
    float *start;  /* [samples][2] x_T */
    float *weight; /* [steps][samples][experts]; NULL where no gate was learned */
} dd_sample_gates;

DD_CHECKED dd_status dd_sample_gates_read(const char *path, const dd_model *model, int steps, dd_sample_gates *gates);
void dd_sample_gates_free(dd_sample_gates *gates);

/* Write the analysis as group /analysis into the result at `path`, in place of one that is there. The file is copied,
 * changed, and renamed over `path`: on failure what was there stays. The caller holds the run's lock (store.h). */
DD_CHECKED dd_status dd_analysis_write(const char *path, const dd_loaded *stored, const dd_analysis *analysis);

#endif
