/* What `train` must do, and how it reports its progress. */
#ifndef DD_JOB_H
#define DD_JOB_H

#include <signal.h>
#include <stdbool.h>

#include "backend/backend.h"

typedef struct dd_progress {
    int step, steps; /* done, of */
    int replicas, ensemble, ensembles;
    double loss;             /* mean over the last block and the replicas */
    double steps_per_second; /* of the whole ensemble */
    double seconds_left;
} dd_progress;

typedef struct dd_job {
    const dd_config *config;
    const char *config_name;
    const char *const *dataset; /* [datasets] names or files, as the user gave them */
    int datasets;
    dd_reading reading;   /* how to read the files among them */
    const uint64_t *seed; /* [seeds] */
    int seeds;
    const char *out;
    const volatile sig_atomic_t *stop; /* becomes the number of a signal when the user wants to stop; may be NULL */
    volatile sig_atomic_t *checkpoint; /* the same for a checkpoint now; dd_train resets it to 0; may be NULL */
    bool acknowledge;                  /* report a signal to stop immediately on standard error (signals.h) */
    void (*progress)(void *user, const dd_progress *progress); /* after every block; may be NULL */
    void (*message)(void *user, const char *line);             /* receives messages, one line each; may be NULL */
    void *user;
} dd_job;

#endif
