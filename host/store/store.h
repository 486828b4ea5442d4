/* The store layer writes and reads the files of a run. They are HDF5 and can be opened with h5py, xarray and h5dump.
 * docs/file-format.md describes them for readers.
 *
 *   <out>/<config name>/<dataset>/seed_<n>.h5         log while training, the result at the end
 *   <out>/<config name>/<dataset>/seed_<n>.checkpoint newest checkpoint; a finished run has none, unless it must
 *                                                     be kept. Not .h5, so that seed_*.h5 means results and logs
 *
 * Three kinds of file, one module each:
 *   store/log.c         the SWMR log that a reader may watch: rows appended in whole chunks
 *   store/checkpoint.c  state of one replica at a step
 *   store/result.c      the finished run, which replaces the log
 * All of them use hdf5/h5.c: errors with HDF5's own reason, dimension scales, attributes.
 *
 *     dd_log *log;
 *     DD_TRY(dd_log_create(path, &run, &model, 0, &log));
 *     DD_TRY(dd_log_append(log, block, 0, learning_rate));
 *     DD_TRY(dd_checkpoint_write(checkpoint, &run, &model, step, seconds, state));
 *     DD_TRY(dd_checkpoint_commit(checkpoint));
 *     DD_TRY(dd_result_write(path, &run, &model, &result));       // the result replaces the log
 *
 * A half-written file never has a name that a user or a resuming run reads: files are written under a temporary name
 * (files.h; for a checkpoint with the suffix .next), flushed to disk, and renamed. After a failure the old file is
 * still there. One process at a time writes a run (lock.h). The layer never trains or measures, and it never decides
 * which runs to do.
 */
#ifndef DD_STORE_H
#define DD_STORE_H

#include <stdbool.h>
#include <stdio.h>

#include "backend/backend.h"
#include "data/dataset.h"
#include "metrics/metrics.h"

enum { DD_SCHEMA_VERSION = 1 };

/* The run that a file belongs to. Written into each file (root attributes and /config) and read back. */
typedef struct dd_run {
    const dd_config *config;
    const char *config_name;   /* stem of the configuration file */
    const char *dataset;       /* dd_points.name */
    const char *set;           /* dd_points.set; NULL or "": read from a file */
    uint32_t points;           /* size of the training set */
    const dd_columns *columns; /* of its points */
    uint64_t data_checksum;    /* dd_points.checksum */
    const char *dataset_path;  /* dd_points.path: where the points can be read again; NULL or "": they cannot */
    dd_reading reading;        /* how */
    uint64_t seed;
    int replicas; /* number of replicas in its ensemble */
    const char *backend, *device;
    int threads;
} dd_run;

/* What a run of `config` on `points` says of itself where `backend` trains it alone; `reading` is left to the caller.
 * The strings are the arguments' own. */
dd_run dd_run_of(const dd_config *config, const char *config_name, const dd_points *points, uint64_t seed,
                 const dd_backend *backend);

/* ---- the header of every file ---- */

typedef enum dd_file_kind { DD_FILE_LOG, DD_FILE_CHECKPOINT, DD_FILE_RESULT, DD_FILE_SAMPLES } dd_file_kind;

enum { DD_DATASET_PATH = 4096 + 1024 }; /* size of a path with the part after its colon and a NUL */

typedef struct dd_header {
    dd_file_kind kind;
    dd_config config;
    char config_name[64], dataset[64];
    char set[64]; /* the generator of the points, as --dataset takes it; "" for a file or in a file of an older program
                   */
    char program_version[32], git_commit[48], backend[16], device[128];
    uint32_t points;
    dd_columns columns;
    uint64_t data_checksum, seed;
    char dataset_path[DD_DATASET_PATH]; /* "" if there is none: generated points, standard input, or an older program */
    dd_reading reading;                 /* of the file there */
    int replicas, threads;
    int step; /* checkpoint: steps done. log: rows written. else: config.training.steps */
} dd_header;

/* The generated set that the points may be: files of older programs say only their name. */
const char *dd_header_set(const dd_header *header);

/* Read and check a file's header. DD_ERR_IO: the file is missing, unreadable, truncated, or not a file of this program;
 * the message says which. */
DD_CHECKED dd_status dd_header_read(const char *path, dd_header *header);

/* DD_ERR_CONFLICT unless the file's [model], [diffusion], [training], seed and training points are those of `run`; the
 * message lists what differs. Backend, threads, [sampling] and [evaluation] may differ. */
DD_CHECKED dd_status dd_header_matches(const dd_header *header, const dd_run *run, const char *path);

/* ---- log ---- */

typedef struct dd_log dd_log;

/* Rows of one chunk for a configuration: min(50, checkpoint_every). */
int dd_log_chunk(const dd_training_config *training);
/* Number of steps of the block that is appended at `step`: up to the end of the chunk, or to the last step. (The first
 * block may begin in the middle of a chunk if checkpoint_every was different before.) */
int dd_log_block(const dd_training_config *training, int step);

/* The part of an old log that could not be read. */
typedef struct dd_log_loss {
    int rows, columns; /* rows of all columns together */
    const char *first; /* the first column with missing rows */
} dd_log_loss;

/* Create `path` with everything that a reader will find in it, then switch to SWMR. from_step > 0: copy rows
 * 0..from_step-1 from the existing log. A killed process or a power failure may have damaged that log. Values that
 * cannot be read become NaN (timesteps: -1), dd_log_lost says which, and the damaged file is kept as `path`.damaged. */
DD_CHECKED dd_status dd_log_create(const char *path, const dd_run *run, const dd_model *model, int from_step,
                                   dd_log **log);
dd_log_loss dd_log_lost(const dd_log *log);

/* Append replica `replica`'s rows of a block whose first_step is the number of rows so far. learning_rate is
 * the replica's at step 0. */
DD_CHECKED dd_status dd_log_append(dd_log *log, const dd_train_log *block, int replica, double learning_rate);

DD_CHECKED dd_status dd_log_sync(dd_log *log); /* flush the rows so far to disk */
DD_CHECKED dd_status dd_log_close(dd_log *log);

/* ---- checkpoint ---- */

/* Write path.next and flush it to disk. state: the four vectors of dd_state_part, each [parameters]. */
DD_CHECKED dd_status dd_checkpoint_write(const char *path, const dd_run *run, const dd_model *model, int step,
                                         double training_time, const float *const state[DD_STATE_PARTS]);
/* Rename path.next to path, durably. */
DD_CHECKED dd_status dd_checkpoint_commit(const char *path);
/* Remove path and path.next if they exist. DD_ERR_IO names the one that cannot be removed. */
DD_CHECKED dd_status dd_checkpoint_remove(const char *path);

/* The steps of the good checkpoints that exist: that of path itself and that of path.next, which a process leaves if it
 * is killed between write and commit; -1 if there is none. If path exists but cannot be read, that is an error; a
 * half-written path.next is not. */
DD_CHECKED dd_status dd_checkpoint_steps(const char *path, const dd_run *run, int steps[2]);

/* Read the state at `step` from whichever of the two files holds it; training_time in s so far. */
DD_CHECKED dd_status dd_checkpoint_read(const char *path, const dd_model *model, int step, double *training_time,
                                        float *const state[DD_STATE_PARTS]);

/* ---- result ---- */

typedef struct dd_result {
    dd_metrics metrics;
    uint32_t samples;            /* n */
    const float *x;              /* [n][D], D = run->columns->count, as networks see it; stored in the user's units */
    const float *initial_noise;  /* [n][D] */
    const dd_schedule *sampling; /* the timesteps of sampling; only with a gate */
    const float *gate;           /* [n][gates] EMA gate at t = 0 on x; NULL without a gate */
    int gates;                   /* weights per point; only for dd_result_write_samples */
    const float *sample_gate;    /* [S][n][gates]; NULL without a gate */
    const float *online, *ema;   /* [parameters] */
    const dd_points *training;   /* the training points; DD_STORED_POINTS of them are stored for pictures. NULL: none */
} dd_result;

enum { DD_STORED_POINTS = 10000 };

/* Write the finished run, with /train and /gate/train of the log at `path`, to a temporary file next to the log, and
 * rename it over the log. The log must be closed. */
DD_CHECKED dd_status dd_result_write(const char *path, const dd_run *run, const dd_model *model,
                                     const dd_result *result);

/* Write a result without a network, for samples from another source; `points` says what they are. It writes the
 * metrics, samples and x of the result, and initial_noise, gate and training if they are not NULL. */
DD_CHECKED dd_status dd_result_write_samples(const char *path, const dd_run *run, const dd_result *result,
                                             const char *points);

/* What the points of a result are: the text `points` above, or a text for points of a network. *network says whether
 * the file contains a network; a log or a checkpoint counts as one with a network. */
DD_CHECKED dd_status dd_result_points(const char *path, char *points, size_t size, bool *network);

/* Add the metrics that are not NaN to a result that does not have them yet. The whole file is replaced. */
DD_CHECKED dd_status dd_result_add_metrics(const char *path, const dd_metrics *metrics);

/* Read from a result. part: DD_STATE_ONLINE or DD_STATE_EMA; parameters [model.parameters]. */
DD_CHECKED dd_status dd_result_read_parameters(const char *path, const dd_model *model, dd_state_part part,
                                               float *parameters);
DD_CHECKED dd_status dd_result_read_metrics(const char *path, dd_metrics *metrics);
/* *x is malloc'ed, (*n, D), as networks see it: [evaluation] says how many, and the file's columns D and the scale. */
DD_CHECKED dd_status dd_result_read_samples(const char *path, float **x, uint32_t *n);

/* ---- samples in a separate file (`dualdiff sample --out`) ---- */

/* Length of the header of such an .npy, 64 bytes longer than NumPy's, so that overwrite.c can distinguish it from a
 * user's own file. */
enum { DD_NPY_HEADER = 192 - 10 };

/* Write samples in the format of the file's ending: .h5, .csv or .npy. x (n, D), gate (n, gates) or NULL (an .npy
 * contains only x); D = run->columns->count. x is as networks see it, the file in the user's units. */
DD_CHECKED dd_status dd_samples_write(const char *path, const dd_run *run, const float *x, const float *gate, int gates,
                                      uint32_t n);

/* Write CSV with a header: the columns' names and the weights (one: gate; more: gate1 ..). Returns false when the
 * stream failed. */
bool dd_samples_print(FILE *file, const dd_columns *columns, const float *x, const float *gate, int gates, uint32_t n);

#endif
