/* Loads a stored result so that `sample` and `evaluate` can compute with it. */
#ifndef DD_LOADED_RUN_H
#define DD_LOADED_RUN_H

#include <stdbool.h>

#include "store/store.h"

typedef struct dd_loaded {
    dd_header header;
    dd_model model;
    dd_schedule schedule;
    dd_backend *backend;
    dd_reading reading;    /* how to read a file that the user names; the caller may set it */
    dd_ensemble *ensemble; /* one replica with the stored online and averaged parameters */
} dd_loaded;

/* Open RUN.h5 on a backend (as dd_backend_open). config replaces the stored configuration and must have the same
 * [model] and [diffusion]; NULL: use the stored one. */
DD_CHECKED dd_status dd_loaded_open(const char *path, const dd_config *config, const char *backend, int threads,
                                    dd_loaded *stored);
void dd_loaded_close(dd_loaded *stored);

/* Make or read the points called `asked` or, if that is NULL, the points that the run at `path` was trained on. *same
 * says whether they are the training points. heldout, unless it is NULL, becomes points that were not trained on:
 * [evaluation].heldout fresh points of a generated set, or the held-out rows of the run's file; n = 0 for another file,
 * and if the run held none out. With `asked` NULL: DD_ERR_IO if the training file does not exist any more,
 * DD_ERR_CONFLICT if it has changed, DD_ERR_USAGE if the run does not know the file. */
DD_CHECKED dd_status dd_loaded_points(const char *path, const dd_loaded *stored, const char *asked, dd_points *points,
                                      dd_points *heldout, bool *same);

/* The same if only the run's own points are allowed: DD_ERR_USAGE, with the command's name, for others. */
DD_CHECKED dd_status dd_loaded_own_points(const char *command, const char *path, const dd_loaded *stored,
                                          const char *asked, dd_points *points, dd_points *heldout);

/* Generate n points with the averaged parameters, as [sampling] says. samples receives x and, unless NULL,
 * initial_noise and gate; its start is set here. training: the run's training points, needed if sampling starts from
 * them; NULL: make or read them again. DD_ERR_NUMERIC: a point is NaN or infinite. */
DD_CHECKED dd_status dd_loaded_sample(const char *path, const dd_loaded *stored, const dd_points *training,
                                      uint64_t seed, uint32_t n, dd_samples *samples);

/* The run in the header, for files that are made from it. */
dd_run dd_loaded_run(const dd_loaded *stored);

#endif
