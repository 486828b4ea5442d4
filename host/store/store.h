/* Files of a run, HDF5 made to be opened with h5py, xarray and h5dump. docs/file-format.md shows the
 * layout from a reader's side.
 *
 *   <out>/<config name>/<dataset>/seed_<n>.h5         log while training, the result at the end
 *   <out>/<config name>/<dataset>/seed_<n>.checkpoint newest checkpoint; a finished run has none, unless it is to
 *                                                     be kept. Not .h5, so that seed_*.h5 means results and logs
 *
 * Three kinds of file, one module each:
 *   store/log.c         the SWMR log that a reader may watch: rows appended in whole chunks
 *   store/checkpoint.c  state of one replica at a step
 *   store/result.c      the finished run, which replaces the log
 * hdf5/h5.c holds what they share: errors with HDF5's own reason, dimension scales, attributes.
 *
 * Nothing half-written is ever under a name that a user or a resume reads: files are written under a temporary name
 * (files.h; of a checkpoint with the suffix .next), flushed to disk, and renamed. On failure what was there stays. One
 * process at a time writes a run (lock.h).
 */
#ifndef DD_STORE_H
#define DD_STORE_H

#include <stdio.h>

#include "backend/backend.h"
#include "data/dataset.h"
#include "metrics/metrics.h"

enum { DD_SCHEMA_VERSION = 1 };

/* Who a file belongs to; written into each (root attributes and /config) and read back. */
typedef struct dd_run {
    const dd_config *config;
    const char *config_name;  /* stem of the configuration file */
    const char *dataset;      /* dd_points.name */
    uint32_t points;          /* size of the training set */
    uint64_t data_checksum;   /* dd_points.checksum */
    const char *dataset_path; /* dd_points.path: where the points can be read again; NULL or "": nowhere */
    dd_reading reading;       /* how */
    uint64_t seed;
    int replicas; /* of the ensemble it was trained in */
    const char *backend, *device;
    int threads;
} dd_run;

/* What a run of `config` on `points` says of itself where `backend` trains it alone; `reading` is left to the caller.
 * The strings are the arguments' own. */
dd_run dd_run_of(const dd_config *config, const char *config_name, const dd_points *points, uint64_t seed,
                 const dd_backend *backend);

/* ---- what every file tells of itself ---- */

typedef enum dd_file_kind { DD_FILE_LOG, DD_FILE_CHECKPOINT, DD_FILE_RESULT, DD_FILE_SAMPLES } dd_file_kind;

enum { DD_DATASET_PATH = 4096 + 1024 }; /* a path and what is behind its colon, with NUL */

typedef struct dd_header {
    dd_file_kind kind;
    dd_config config;
    char config_name[64], dataset[64];
    char program_version[32], git_commit[48], backend[16], device[128];
    uint32_t points;
    uint64_t data_checksum, seed;
    char dataset_path[DD_DATASET_PATH]; /* "" where there is none: generated, standard input, an older program */
    dd_reading reading;                 /* of the file there */
    int replicas, threads;
    int step; /* checkpoint: steps done. log: rows written. else: config.training.steps */
} dd_header;

/* Read and check a file's header. DD_ERR_IO: missing, unreadable, truncated, or not one of ours, and
 * the message says which. */
DD_CHECKED dd_status dd_header_read(const char *path, dd_header *header);

/* DD_ERR_CONFLICT unless the file's [model], [diffusion], [training], seed and training points are those of `run`; the
 * message lists what differs. Backend, threads, [sampling] and [evaluation] may differ. */
DD_CHECKED dd_status dd_header_matches(const dd_header *header, const dd_run *run, const char *path);

/* ---- log ---- */

typedef struct dd_log dd_log;

/* Rows of one chunk for a configuration: min(50, checkpoint_every). */
int dd_log_chunk(const dd_training_config *training);
/* Steps of the block that is appended at `step`: to the chunk's end, which the first block may begin in the middle of
 * where checkpoint_every was another before, or to the last step. */
int dd_log_block(const dd_training_config *training, int step);

/* What could not be read of an old log. */
typedef struct dd_log_loss {
    int rows, columns; /* rows of all columns together */
    const char *first; /* the first column that lacks some */
} dd_log_loss;

/* Create `path` with everything a reader will find in it, then switch to SWMR.
 * from_step > 0: copy rows 0..from_step-1 from the log that is there now, which may have been left by
 * a killed process or torn by a power cut: what cannot be read is NaN then (timesteps: -1), dd_log_lost says what, and
 * the damaged file is kept as `path`.damaged. */
DD_CHECKED dd_status dd_log_create(const char *path, const dd_run *run, const dd_model *model, int from_step,
                                   dd_log **log);
dd_log_loss dd_log_lost(const dd_log *log);

/* Append replica `replica`'s rows of a block whose first_step is the number of rows so far. learning_rate is
 * the replica's at step 0. */
DD_CHECKED dd_status dd_log_append(dd_log *log, const dd_train_log *block, int replica, double learning_rate);

DD_CHECKED dd_status dd_log_sync(dd_log *log); /* rows so far are on disk */
DD_CHECKED dd_status dd_log_close(dd_log *log);

/* ---- checkpoint ---- */

/* Write path.next and flush it to disk. state: the four vectors of dd_state_part, each [parameters]. */
DD_CHECKED dd_status dd_checkpoint_write(const char *path, const dd_run *run, const dd_model *model, int step,
                                         double training_time, const float *const state[DD_STATE_PARTS]);
/* Rename path.next to path, durably. */
DD_CHECKED dd_status dd_checkpoint_commit(const char *path);
/* Remove path and path.next, where they are there. DD_ERR_IO names the one that cannot be removed. */
DD_CHECKED dd_status dd_checkpoint_remove(const char *path);

/* The steps of the good checkpoints that exist: of path itself and of path.next, which a process killed
 * between write and commit leaves behind; -1 where there is none. A path that exists but cannot be read
 * is an error, a half-written path.next is not. */
DD_CHECKED dd_status dd_checkpoint_steps(const char *path, const dd_run *run, int steps[2]);

/* Read the state at `step` from whichever of the two files holds it; training_time in s so far. */
DD_CHECKED dd_status dd_checkpoint_read(const char *path, const dd_model *model, int step, double *training_time,
                                        float *const state[DD_STATE_PARTS]);

/* ---- result ---- */

typedef struct dd_result {
    dd_metrics metrics;
    uint32_t samples;            /* n */
    const float *x;              /* [n][2] */
    const float *initial_noise;  /* [n][2] */
    const dd_schedule *sampling; /* the timesteps that samples went through; with a gate alone */
    const float *gate;           /* [n][gates] EMA gate at t = 0 on x; NULL without a gate */
    int gates;                   /* weights a point, for dd_result_write_samples alone */
    const float *sample_gate;    /* [S][n][gates]; NULL without a gate */
    const float *online, *ema;   /* [parameters] */
    const dd_points *training;   /* the training points; DD_STORED_POINTS of them are kept for pictures. NULL: none */
} dd_result;

enum { DD_STORED_POINTS = 10000 };

/* Write the finished run beside `path`, with the log's /train and /gate/train that are there now, and
 * rename it over. The log must be closed. */
DD_CHECKED dd_status dd_result_write(const char *path, const dd_run *run, const dd_model *model,
                                     const dd_result *result);

/* A result without a network, of samples that come from elsewhere: `points` says what they are. Of the result metrics,
 * samples, x, and what is not NULL of initial_noise, gate and training are written. */
DD_CHECKED dd_status dd_result_write_samples(const char *path, const dd_run *run, const dd_result *result,
                                             const char *points);

/* What the points of a result are: its `points` above, or those of a network, which *network says is in it. A log or a
 * checkpoint counts as one with a network. */
DD_CHECKED dd_status dd_result_points(const char *path, char *points, size_t size, int *network);

/* Add those of the metrics that are not NaN to a result, which must lack them. The file is replaced whole. */
DD_CHECKED dd_status dd_result_add_metrics(const char *path, const dd_metrics *metrics);

/* Read from a result. part: DD_STATE_ONLINE or DD_STATE_EMA; parameters [model.parameters]. */
DD_CHECKED dd_status dd_result_read_parameters(const char *path, const dd_model *model, dd_state_part part,
                                               float *parameters);
DD_CHECKED dd_status dd_result_read_metrics(const char *path, dd_metrics *metrics);
/* *x is malloc'ed, (*n, 2), as many as [evaluation] says. */
DD_CHECKED dd_status dd_result_read_samples(const char *path, float **x, uint32_t *n);

/* ---- samples on their own (`dualdiff sample --out`) ---- */

/* Length of the header of such an .npy, 64 bytes longer than NumPy's: by it overwrite.c knows it from a user's own. */
enum { DD_NPY_HEADER = 192 - 10 };

/* By ending: .h5, .csv or .npy; x (n, 2), gate (n, gates) or NULL (the .npy holds x alone). */
DD_CHECKED dd_status dd_samples_write(const char *path, const dd_run *run, const float *x, const float *gate, int gates,
                                      uint32_t n);

/* As CSV: x1, x2 and the weights (gate for one, else gate1 ..), with a header; 0 when the stream failed. */
int dd_samples_print(FILE *file, const float *x, const float *gate, int gates, uint32_t n);

#endif
