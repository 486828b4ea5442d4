/* The run layer carries out a training job: plan the remaining work, train it in ensembles, log, checkpoint, measure,
 * and write a result file per replica.
 *
 *     dd_job job = {.config = &config, .config_name = "run_1", .dataset = names, .datasets = 1,
 *                   .seed = seeds, .seeds = 5, .out = "runs"};
 *     dd_status status = dd_train(backend, &job);                 // runs/run_1/<dataset>/seed_<n>.h5
 *
 * For every (dataset, seed) the plan finds a finished result (nothing to do), a checkpoint (resume), or neither
 * (start). If all replicas have a checkpoint of a common step, they resume together. Otherwise replicas of equal step
 * form an ensemble, and the ensembles run one after the other.
 *
 * All replicas are checkpointed at the same step: every log is flushed to disk, every checkpoint is written under a
 * temporary name, then all are renamed. If the process is killed in between, each replica has a checkpoint of that
 * step, renamed or not. The layer uses files and backends only through store.h and backend.h, and it never prints: it
 * calls the functions of dd_job.
 */
#ifndef DD_TRAINER_H
#define DD_TRAINER_H

#include "run/job.h"

/* Run the job. DD_OK: every result exists, also if everything was done before. DD_STOPPED: a checkpoint was written,
 * and the same job resumes from it. DD_ERR_NUMERIC: a loss became NaN or infinite; the last good checkpoint was
 * kept. */
DD_CHECKED dd_status dd_train(dd_backend *backend, const dd_job *job);

#endif
