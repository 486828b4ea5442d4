/* The log, which a reader may watch during training (HDF5's "single writer, multiple readers", SWMR).
 *
 * The rules of SWMR decide how the file is written. Everything is created and the file closed before it is opened for
 * SWMR writing. Rows are appended in whole chunks, so that each chunk is written once, with its checksum. The file gets
 * its name only after it is open for SWMR: a reader that opened it before would lock the writer out.
 *
 * In each group `step` is written last, and /train/step after all others. So every column has at least as many rows as
 * `step`.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/recipe.h"
#include "store/run_file.h"

enum { LONGEST_CHUNK = 50 };

int dd_log_chunk(const dd_training_config *training)
{
    return training->checkpoint_every < LONGEST_CHUNK ? training->checkpoint_every : LONGEST_CHUNK;
}

int dd_log_block(const dd_training_config *training, int step)
{
    int chunk = dd_log_chunk(training), whole = chunk - step % chunk, most = training->steps - step;
    return most < whole ? most : whole;
}

/* The columns of a log. */
typedef enum column {
    TRAIN_STEP, /* the scale of a group is made first */
    TRAIN_LOSS,
    TRAIN_MSE,
    TRAIN_DIVERSITY,
    TRAIN_NORM,
    TRAIN_RATE,
    GATE_STEP,
    GATE_WEIGHT,
    GATE_TIMESTEP,
    COLUMNS
} column;

typedef struct column_info {
    const char *name, *long_name;
    int per_point; /* (step, batch) instead of (step) */
} column_info;

static const column_info columns[COLUMNS] = {
    {"/train/step", "optimiser step", 0},
    {"/train/loss", "training loss: mse - diversity_weight * diversity", 0},
    {"/train/mse", "mean squared error of what is predicted, over the batch, weighted by timestep", 0},
    {"/train/diversity", "mean distance between the batch's predictions", 0},
    {"/train/grad_norm", "global gradient norm before clipping", 0},
    {"/train/learning_rate", "learning rate", 0},
    {"/gate/train/step", "optimiser step", 0},
    {"/gate/train/weight", "gating weight of expert 1 for each point of the batch", 1}, /* or of all, for K > 2 */
    {"/gate/train/timestep", "diffusion timestep of each point of the batch", 1},
};

static hid_t column_type(column c)
{
    switch (c) {
    case TRAIN_STEP:
    case GATE_STEP:
        return H5T_NATIVE_INT32;
    case TRAIN_RATE:
        return H5T_NATIVE_DOUBLE;
    case GATE_TIMESTEP:
        return H5T_NATIVE_INT16;
    default:
        return H5T_NATIVE_FLOAT;
    }
}

static size_t column_size(column c)
{
    return H5Tget_size(column_type(c));
}
static bool in_gate(column c)
{
    return c >= GATE_STEP;
}
static int column_count(const dd_model *model)
{
    return model->gates ? COLUMNS : GATE_STEP;
}

/* Dimensions of one row of a column: rank - 1 of them. */
typedef struct row_shape {
    hsize_t batch, gates;
} row_shape;

static int rank_of(column c, row_shape row)
{
    return !columns[c].per_point ? 1 : c == GATE_WEIGHT && row.gates > 1 ? 3 : 2;
}

static size_t row_count(column c, row_shape row)
{
    int rank = rank_of(c, row);
    return (size_t)((rank > 1 ? row.batch : 1) * (rank > 2 ? row.gates : 1));
}

/* Rows of steps [0, steps) in a column. */
static hsize_t rows_of(column c, const dd_training_config *t, int steps)
{
    return (hsize_t)(in_gate(c) ? (steps + t->gate_every - 1) / t->gate_every : steps);
}

void dd_write_log_layout(dd_h5_file *f, const dd_run *run, const dd_model *model)
{
    const dd_training_config *t = &run->config->training;
    hsize_t chunk = (hsize_t)dd_log_chunk(t), batch = (hsize_t)t->batch;
    row_shape row = {batch, (hsize_t)model->gates};
    static const float missing_weight = NAN;
    static const int16_t missing_timestep = -1;
    dd_h5_group(f, "/train");
    if (model->gates) {
        dd_h5_group(f, "/gate");
        dd_h5_group(f, "/gate/train");
        dd_h5_index_scale(f, "/gate/train/batch", batch, "row of the batch");
        if (row.gates > 1)
            dd_h5_expert_scale(f, "/gate/train/expert", row.gates);
    }
    for (int c = 0; c < column_count(model); c++) {
        int scale = c == TRAIN_STEP || c == GATE_STEP;
        dd_h5_spec s = {.name = columns[c].name,
                        .type = column_type((column)c),
                        .rank = rank_of((column)c, row),
                        .size = {0, batch, row.gates},
                        .chunk = {in_gate((column)c) && t->gate_every > 1 ? 1 : chunk, batch, row.gates},
                        .grows = true,
                        .dimension = {scale                ? NULL
                                      : in_gate((column)c) ? "/gate/train/step"
                                                           : "/train/step",
                                      "/gate/train/batch", "/gate/train/expert"},
                        .units = "1",
                        .long_name = columns[c].long_name};
        if (c == TRAIN_DIVERSITY && t->diversity_layer == DD_DIVERSITY_OF_HIDDEN)
            s.long_name = "mean distance between the batch's last hidden layers, each expert's by itself";
        if (s.rank == 3)
            s.long_name = "gating weights for each point of the batch";
        if (c == GATE_WEIGHT)
            s.fill = &missing_weight;
        if (c == GATE_TIMESTEP)
            s.fill = &missing_timestep;
        dd_h5_dataset(f, &s, NULL);
    }
}

/* ---- rows ---- */

/* Read or write `rows` rows from `first` on. */
static bool transfer(hid_t set, column c, hsize_t first, hsize_t rows, row_shape row, bool writing, void *data)
{
    hsize_t start[3] = {first, 0, 0}, count[3] = {rows, row.batch, row.gates};
    hid_t space = H5Dget_space(set), memory = H5Screate_simple(rank_of(c, row), count, NULL);
    bool ok = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
              (writing ? H5Dwrite(set, column_type(c), memory, space, H5P_DEFAULT, data)
                       : H5Dread(set, column_type(c), memory, space, H5P_DEFAULT, data)) >= 0;
    H5Sclose(memory);
    H5Sclose(space);
    return ok;
}

static bool append(hid_t set, column c, hsize_t first, hsize_t rows, row_shape row, const void *data)
{
    hsize_t size[3] = {first + rows, row.batch, row.gates};
    return H5Dset_extent(set, size) >= 0 && transfer(set, c, first, rows, row, true, (void *)data);
}

/* A column that is copied from an old log to a new one. */
typedef struct copying {
    column c;
    row_shape shape;
    hid_t source, target;
    hsize_t rows, there; /* rows to copy; rows that the source has */
    const dd_training_config *training;
} copying;

/* Number of rows in a column of an old log; 0 if it cannot be opened or has another shape. */
static hsize_t rows_there(hid_t set, column c, row_shape shape)
{
    hsize_t size[DD_H5_RANK] = {0};
    int rank = rank_of(c, shape);
    hid_t space = set >= 0 ? H5Dget_space(set) : -1;
    bool fits = space >= 0 && H5Sget_simple_extent_ndims(space) == rank &&
                H5Sget_simple_extent_dims(space, size, NULL) >= 0 && (rank < 2 || size[1] == shape.batch) &&
                (rank < 3 || size[2] == shape.gates);
    if (space >= 0)
        H5Sclose(space);
    return fits ? size[0] : 0;
}

/* Fill rows that cannot be read. Steps and learning rates are known; everything else gets the value for missing data.
 * Returns whether data is lost. */
static bool fill_in(const copying *k, hsize_t first, hsize_t rows, void *data)
{
    size_t count = (size_t)rows * row_count(k->c, k->shape);
    int stride = in_gate(k->c) ? k->training->gate_every : 1;
    for (size_t i = 0; i < count; i++) {
        int step = ((int)first + (int)i) * stride;
        if (k->c == TRAIN_STEP || k->c == GATE_STEP)
            ((int32_t *)data)[i] = step;
        else if (k->c == TRAIN_RATE)
            ((double *)data)[i] = dd_learning_rate(k->training->learning_rate, step, k->training->steps);
        else if (k->c == GATE_TIMESTEP)
            ((int16_t *)data)[i] = -1;
        else
            ((float *)data)[i] = NAN;
    }
    return k->c != TRAIN_STEP && k->c != GATE_STEP && k->c != TRAIN_RATE;
}

static dd_status fail_damaged(const copying *k, const char *from_path)
{
    return dd_h5_fail(DD_ERR_IO,
                      "%s: %s is damaged, or rows of %d steps are missing; restore the file from a copy, or move it "
                      "and its checkpoint to another folder to train the run from the beginning",
                      from_path, columns[k->c].name, (int)k->rows);
}

static void copy_rows(dd_h5_file *f, const copying *k, const char *from_path, dd_log_loss *loss, void *data)
{
    hsize_t block = (hsize_t)dd_log_chunk(k->training), lost = 0;
    for (hsize_t row = 0; row < k->rows && !f->status; row += block) {
        hsize_t count = k->rows - row < block ? k->rows - row : block;
        bool read = k->there >= row + count && transfer(k->source, k->c, row, count, k->shape, false, data);
        if (!read && !loss) {
            f->status = fail_damaged(k, from_path);
            return;
        }
        if (!read && fill_in(k, row, count, data))
            lost += count;
        dd_h5_check(f, append(k->target, k->c, row, count, k->shape, data), columns[k->c].name);
    }
    if (!lost)
        return;
    loss->rows += (int)lost;
    loss->columns++;
    if (!loss->first)
        loss->first = columns[k->c].name;
}

static void copy_column(hid_t from, const char *from_path, dd_h5_file *f, copying *k, dd_log_loss *loss)
{
    void *data = malloc((size_t)dd_log_chunk(k->training) * row_count(k->c, k->shape) * column_size(k->c));
    k->source = from >= 0 ? H5Dopen2(from, columns[k->c].name, H5P_DEFAULT) : -1;
    k->target = H5Dopen2(f->id, columns[k->c].name, H5P_DEFAULT);
    k->there = rows_there(k->source, k->c, k->shape);
    if (data)
        copy_rows(f, k, from_path, loss, data);
    else
        f->status = dd_fail(DD_ERR_MEMORY, "out of memory");
    free(data);
    if (k->target >= 0)
        H5Dclose(k->target);
    if (k->source >= 0)
        H5Dclose(k->source);
}

void dd_copy_log_rows(hid_t from, const char *from_path, dd_h5_file *f, const dd_run *run, const dd_model *model,
                      int steps, dd_log_loss *loss)
{
    const dd_training_config *t = &run->config->training;
    for (int c = 0; c < column_count(model) && !f->status; c++) {
        copying k = {.c = (column)c,
                     .shape = {(hsize_t)t->batch, (hsize_t)model->gates},
                     .rows = rows_of((column)c, t, steps),
                     .training = t};
        copy_column(from, from_path, f, &k, loss);
    }
}

/* ---- the log of a run that trains ---- */

struct dd_log {
    dd_h5_file file;
    char *path;
    hid_t column[COLUMNS];
    int columns;
    row_shape shape;
    hsize_t rows, gate_rows;
    dd_training_config training;
    dd_log_loss loss;
    double *rate;  /* [chunk] scratch */
    int32_t *step; /* [chunk] */
};

/* Make a closed file with the rows of steps [0, from_step) from the log at `path`; *loss becomes what could not be
 * read. */
static dd_status make_file(const dd_output *out, const char *path, const dd_run *run, const dd_model *model,
                           int from_step, dd_log_loss *loss)
{
    hid_t old = -1;
    if (from_step) {
        dd_header header;
        dd_status status = dd_header_read(path, &header);
        if (!status)
            status = dd_header_matches(&header, run, path);
        if (!status)
            status = dd_h5_open(path, &old);
        if (status == DD_ERR_CONFLICT)
            return status;
        if (status)
            return dd_fail_context(
                "the checkpoint has %d steps, and resuming needs their log; restore the log from a copy, "
                "or move the checkpoint to another folder to train the run from the beginning",
                from_step);
    }
    dd_h5_file f;
    dd_h5_create_output(&f, out, H5F_LIBVER_LATEST);
    dd_write_header(&f, run, DD_FILE_LOG);
    dd_write_log_layout(&f, run, model);
    if (from_step)
        dd_copy_log_rows(old, path, &f, run, model, from_step, loss);
    if (old >= 0)
        H5Fclose(old);
    return dd_h5_close(&f);
}

static dd_status open_columns(dd_log *log, const char *temporary, const dd_model *model)
{
    dd_h5_open_swmr(&log->file, temporary);
    for (int c = 0; c < column_count(model) && !log->file.status; c++) {
        log->column[c] = H5Dopen2(log->file.id, columns[c].name, H5P_DEFAULT);
        dd_h5_check(&log->file, log->column[c] >= 0, columns[c].name);
        log->columns += log->column[c] >= 0;
    }
    return log->file.status;
}

/* Keep a damaged log under another name: other programs may still read a part of it. */
static dd_status keep_damaged(dd_log *log)
{
    char *aside = dd_path_with(log->path, ".damaged");
    dd_status status = aside ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory");
    if (!status && link(log->path, aside) && errno != EEXIST)
        status = dd_rename(log->path, aside); /* no hard links here */
    free(aside);
    return status;
}

/* Make the file, open it for SWMR, then give it its name. */
static dd_status start(dd_log *log, const dd_run *run, const dd_model *model, int from_step)
{
    dd_output out;
    DD_TRY(dd_output_open_locked(&out, log->path));
    dd_status status = make_file(&out, log->path, run, model, from_step, &log->loss);
    if (!status)
        status = open_columns(log, out.temporary, model);
    log->file.path = log->path;
    if (!status && log->loss.rows)
        status = keep_damaged(log);
    return dd_output_close(&out, status);
}

dd_status dd_log_create(const char *path, const dd_run *run, const dd_model *model, int from_step, dd_log **out)
{
    dd_log *log = calloc(1, sizeof *log);
    *out = NULL;
    if (!log)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    log->file.id = -1;
    log->training = run->config->training;
    log->shape = (row_shape){(hsize_t)log->training.batch, (hsize_t)model->gates};
    size_t chunk = (size_t)dd_log_chunk(&log->training);
    log->path = strdup(path);
    log->rate = malloc(chunk * sizeof *log->rate);
    log->step = malloc(chunk * sizeof *log->step);
    log->rows = rows_of(TRAIN_STEP, &log->training, from_step);
    log->gate_rows = rows_of(GATE_STEP, &log->training, from_step);
    dd_status status = log->path && log->rate && log->step ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory");
    if (!status)
        status = start(log, run, model, from_step);
    if (status)
        dd_ignore(dd_log_close(log));
    else
        *out = log;
    return status;
}

dd_log_loss dd_log_lost(const dd_log *log)
{
    return log->loss;
}

static void put(dd_log *log, column c, hsize_t first, hsize_t rows, const void *data)
{
    if (!log->file.status && rows)
        dd_h5_check(&log->file,
                    append(log->column[c], c, first, rows, log->shape, data) && H5Dflush(log->column[c]) >= 0,
                    columns[c].name);
}

/* The block's rows at every gate_every-th step. */
static void append_gate(dd_log *log, const dd_train_log *block, size_t place)
{
    int stride = log->training.gate_every;
    size_t batch = (size_t)block->batch;
    const float *weight = block->gate + place * batch * (size_t)block->gates;
    const int16_t *timestep = block->timestep + place * batch;
    if (stride == 1) {
        put(log, GATE_WEIGHT, log->gate_rows, (hsize_t)block->steps, weight);
        put(log, GATE_TIMESTEP, log->gate_rows, (hsize_t)block->steps, timestep);
        put(log, GATE_STEP, log->gate_rows, (hsize_t)block->steps, log->step);
        log->gate_rows += (hsize_t)block->steps;
        return;
    }
    for (int i = (stride - block->first_step % stride) % stride; i < block->steps; i += stride) {
        put(log, GATE_WEIGHT, log->gate_rows, 1, weight + (size_t)i * batch * (size_t)block->gates);
        put(log, GATE_TIMESTEP, log->gate_rows, 1, timestep + (size_t)i * batch);
        put(log, GATE_STEP, log->gate_rows, 1, log->step + i);
        log->gate_rows++;
    }
}

dd_status dd_log_append(dd_log *log, const dd_train_log *block, int replica, double learning_rate)
{
    hsize_t rows = (hsize_t)block->steps;
    int steps = dd_log_block(&log->training, (int)log->rows);
    if ((hsize_t)block->first_step != log->rows || block->steps != steps)
        return dd_fail(DD_ERR_INTERNAL,
                       "%s: internal error: %d rows from step %d were appended to %llu rows, but %d were expected",
                       log->path, block->steps, block->first_step, (unsigned long long)log->rows, steps);
    for (int i = 0; i < block->steps; i++) {
        log->step[i] = block->first_step + i;
        log->rate[i] = dd_learning_rate(learning_rate, log->step[i], log->training.steps);
    }
    size_t place = (size_t)replica * (size_t)block->capacity;
    put(log, TRAIN_LOSS, log->rows, rows, block->loss + place);
    put(log, TRAIN_MSE, log->rows, rows, block->mse + place);
    put(log, TRAIN_DIVERSITY, log->rows, rows, block->diversity + place);
    put(log, TRAIN_NORM, log->rows, rows, block->grad_norm + place);
    put(log, TRAIN_RATE, log->rows, rows, log->rate);
    if (block->gate)
        append_gate(log, block, place);
    put(log, TRAIN_STEP, log->rows, rows, log->step);
    log->rows += rows;
    return log->file.status;
}

dd_status dd_log_sync(dd_log *log)
{
    dd_h5_flush(&log->file);
    if (log->file.status)
        return log->file.status;
    return dd_sync_file(log->path);
}

dd_status dd_log_close(dd_log *log)
{
    if (!log)
        return DD_OK;
    for (int c = 0; c < log->columns; c++)
        dd_h5_check(&log->file, H5Dclose(log->column[c]) >= 0, columns[c].name);
    dd_status status = dd_h5_close(&log->file);
    free(log->path);
    free(log->rate);
    free(log->step);
    free(log);
    return status;
}
