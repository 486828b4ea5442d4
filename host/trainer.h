/* Training orchestrated: plan what is left to do, train it in ensembles, log, checkpoint, measure, and
 * leave a result file per replica. Knows files and backends only through store.h and backend.h.
 *
 * For every (dataset, seed) the plan finds a finished result (nothing to do), a checkpoint (go on), or
 * neither (start). Replicas that hold a common step go on together; where no step is common to all,
 * those of equal step form an ensemble each and run one after the other.
 *
 * A checkpoint is taken of all replicas at the same step: every log is made durable, every
 * checkpoint is written beside its place, then all are renamed. A kill in between leaves each replica
 * with that step, renamed or not.
 */
#ifndef DD_TRAINER_H
#define DD_TRAINER_H

#include <signal.h>

#include "backend.h"

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
    const char *const *dataset; /* [datasets] names or files, as given */
    int datasets;
    dd_reading reading;   /* of the files among them */
    const uint64_t *seed; /* [seeds] */
    int seeds;
    const char *out;
    const volatile sig_atomic_t *stop; /* becomes a signal's number when the user wants to stop; may be NULL */
    volatile sig_atomic_t *checkpoint; /* the same for a checkpoint now; dd_train sets it back to 0; may be NULL */
    int acknowledge;                   /* say at once, on standard error, that a signal to stop was seen (signals.h) */
    void (*progress)(void *user, const dd_progress *progress); /* after every block; may be NULL */
    void (*message)(void *user, const char *line);             /* what happened, a line at a time; may be NULL */
    void *user;
} dd_job;

/* Run the job. DD_OK: every result is there, also when all was done before. DD_STOPPED: a checkpoint
 * was written and the same job goes on from it. DD_ERR_NUMERIC: a loss became NaN or infinite; the last
 * good checkpoint was kept. */
int dd_train(dd_backend *backend, const dd_job *job);

/* Path of a run's file, "<out>/<config>/<dataset>/seed_<n><suffix>", malloc'ed; NULL when memory is out. */
char *dd_run_path(const char *out, const char *config_name, const char *dataset, uint64_t seed, const char *suffix);

#endif
