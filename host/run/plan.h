/* The trainer's own structures, shared by plan.c (what is left to do), trainer.c (training) and
 * finish.c (measuring, results). */
#ifndef DD_PLAN_H
#define DD_PLAN_H

#include <stdbool.h>

#include "base/lock.h"
#include "run/job.h"
#include "store/store.h"

/* One (dataset, seed). */
typedef struct dd_work {
    dd_run run;
    const char *source;        /* dataset as the user gave it */
    const dd_points *points;   /* training set */
    const dd_points *heldout;  /* held-out rows of its file; n = 0 for a generated set, and if there are none */
    const dd_model *model;     /* for points of its dimensions */
    char *result, *checkpoint; /* paths */
    dd_lock *lock;
    bool finished;
    int step[2];          /* steps from which it can resume, newest first; { 0, -1 } to start */
    int start;            /* the chosen one */
    double training_time; /* s, up to the newest checkpoint */
    dd_log *log;
    bool failed; /* its numbers became NaN or infinite; the other runs of its ensemble are still trained */
} dd_work;

/* The outcome of the job so far. */
typedef struct dd_outcome {
    int written;      /* results */
    int failures;     /* runs whose training or measurement failed; the others continue */
    dd_status status; /* status of the first of them, and its message */
    char message[1024];
} dd_outcome;

typedef struct dd_plan {
    const dd_job *job;
    dd_backend *backend;
    dd_schedule schedule;
    dd_points *points;  /* [job.datasets] */
    dd_points *heldout; /* [job.datasets] */
    dd_config *config;  /* [job.datasets] the job's, with [data] as these points were made (dd_points.data) */
    dd_model *model;    /* [job.datasets] */
    int works;
    dd_work *work; /* sorted so that the works of an ensemble follow each other */
    int ensembles;
    int *ensemble_end; /* [ensembles] index after its last work; finished works come first */
    int unfinished;    /* index of the first unfinished work */
    dd_outcome *outcome;
} dd_plan;

DD_CHECKED dd_status dd_plan_create(dd_backend *backend, const dd_job *job, dd_plan *plan);
void dd_plan_free(dd_plan *plan);

/* Remove the checkpoint of a run whose result is stored, also under the name that older programs gave it. If it cannot
 * be removed, there is only a warning. */
void dd_remove_checkpoints(const dd_job *job, const dd_work *w);

/* Report and record the failure of one run; the others continue. */
void dd_note_failure(const dd_plan *plan, dd_status status);

/* Send one line to the job's message function. */
void dd_tell(const dd_job *job, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Evaluate, sample, measure and write the results of works[0..count), whose training is done. */
DD_CHECKED dd_status dd_finish(const dd_plan *plan, dd_ensemble *ensemble, dd_work *work, int count);

#endif
