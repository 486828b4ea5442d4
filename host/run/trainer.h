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

#include "run/job.h"

/* Run the job. DD_OK: every result is there, also when all was done before. DD_STOPPED: a checkpoint
 * was written and the same job goes on from it. DD_ERR_NUMERIC: a loss became NaN or infinite; the last
 * good checkpoint was kept. */
DD_CHECKED dd_status dd_train(dd_backend *backend, const dd_job *job);

#endif
