/* A stored result made ready to compute with: what `sample` and `evaluate` begin with. */
#ifndef DD_LOADED_RUN_H
#define DD_LOADED_RUN_H

#include "store/store.h"

typedef struct dd_loaded {
    dd_header header;
    dd_model model;
    dd_schedule schedule;
    dd_backend *backend;
    dd_reading reading;    /* of a file that is asked for; the caller may set it */
    dd_ensemble *ensemble; /* one replica with the stored online and averaged parameters */
} dd_loaded;

/* Open RUN.h5 on a backend (as dd_backend_open). config: what takes the place of the stored configuration, with the
 * same [model] and [diffusion]; NULL: nothing does. */
DD_CHECKED dd_status dd_loaded_open(const char *path, const dd_config *config, const char *backend, int threads,
                                    dd_loaded *stored);
void dd_loaded_close(dd_loaded *stored);

/* The points that the run at `path` was trained on, made or read again; or those called `asked`, unless that is NULL.
 * *same says whether they are the training points. When `asked` is needed: DD_ERR_IO where the file it was trained on
 * is gone, DD_ERR_CONFLICT where it has changed, DD_ERR_USAGE where the run does not know the file. */
DD_CHECKED dd_status dd_loaded_points(const char *path, const dd_loaded *stored, const char *asked, dd_points *points,
                                      int *same);

/* The same, where only the run's own points will do: DD_ERR_USAGE, in the command's name, for others. */
DD_CHECKED dd_status dd_loaded_own_points(const char *command, const char *path, const dd_loaded *stored,
                                          const char *asked, dd_points *points);

/* Generate n points with the averaged parameters, as [sampling] says. samples: where x goes and, unless NULL,
 * initial_noise and gate; its start is set here. training: the points that the run was trained on, for where sampling
 * starts from them; NULL: they are made again there. DD_ERR_NUMERIC: a point is NaN or infinite. */
DD_CHECKED dd_status dd_loaded_sample(const char *path, const dd_loaded *stored, const dd_points *training,
                                      uint64_t seed, uint32_t n, dd_samples *samples);

/* The run that the header tells of, for files that are made from it. */
dd_run dd_loaded_run(const dd_loaded *stored);

#endif
