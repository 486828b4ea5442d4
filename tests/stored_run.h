/* A small run with made-up numbers for the tests of the store: every number is a function of its place, so that a
 * reader in any language can check that it got the right one.
 *
 *   loss = 2 + s / 1000, mse = 1 + s / 1000, diversity = 3 + s / 1000, grad_norm = 4 + s / 1000 at step s
 *   gate (s, row, k) = ((7 s + row + 100 k) % 1000) / 1000, timestep (s, row) = (3 s + row) % timesteps;
 *   where s % 5 == 4: NaN and -1 from row batch * 5 / 8 on; only k = 0 if there is one weight
 *   state part p, element e: p + (e % 4096) / 8192
 */
#ifndef DD_STORED_RUN_H
#define DD_STORED_RUN_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "model/recipe.h"
#include "store/store.h"

typedef struct stored_run {
    dd_config config;
    dd_model model;
    dd_schedule schedule;
    dd_columns columns;
    dd_run run;
    float *state[DD_STATE_PARTS]; /* [parameters] */
    float *row;                   /* memory of a block */
    dd_train_log block;
} stored_run;

/* The configuration file `path` (NULL: the defaults) made small, with overrides. */
static inline dd_status stored_run_create(stored_run *r, const char *path, int overrides, char **override)
{
    static const char *const small[] = {
        "model.hidden_width=16", "model.embedding_width=8", "diffusion.timesteps=10",     "training.steps=23",
        "training.batch=8",      "evaluation.samples=40",   "training.checkpoint_every=5"};
    memset(r, 0, sizeof *r);
    dd_config_defaults(&r->config);
    if (path)
        DD_TRY(dd_config_read(path, &r->config));
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        DD_TRY(dd_config_set(&r->config, small[i]));
    for (int i = 0; i < overrides; i++)
        DD_TRY(dd_config_set(&r->config, override[i]));
    DD_TRY(dd_model_create(&r->config.model, 2, &r->model));
    DD_TRY(dd_schedule_create(&r->config, &r->schedule));
    dd_columns_plain(&r->columns, 2);
    r->run = (dd_run){.config = &r->config,
                      .config_name = "run_x",
                      .dataset = "d\xC3\xADno", /* UTF-8 in every name */
                      .points = 1000,
                      .columns = &r->columns,
                      .data_checksum = 0xfedcba9876543210u,
                      .seed = 18446744073709551615u,
                      .replicas = 2,
                      .backend = "cpu",
                      .device = "a processor",
                      .threads = 3};
    for (int part = 0; part < DD_STATE_PARTS; part++) {
        r->state[part] = malloc(r->model.parameters * sizeof(float));
        for (size_t e = 0; e < r->model.parameters; e++)
            r->state[part][e] = (float)part + (float)(e % 4096) / 8192.f;
    }
    size_t capacity = (size_t)dd_log_chunk(&r->config.training), batch = (size_t)r->config.training.batch;
    size_t rows = 2 * capacity, points = rows * batch; /* two replicas; the test uses the second */
    r->row = calloc(4 * rows + points * (size_t)r->model.gates, sizeof(float));
    int16_t *timestep = calloc(points, sizeof *timestep);
    r->block = (dd_train_log){.replicas = 2,
                              .capacity = (int)capacity,
                              .batch = (int)batch,
                              .gates = r->model.gates,
                              .loss = r->row,
                              .mse = r->row + rows,
                              .diversity = r->row + 2 * rows,
                              .grad_norm = r->row + 3 * rows,
                              .gate = r->model.gates ? r->row + 4 * rows : NULL,
                              .timestep = timestep};
    return DD_OK;
}

static inline void stored_run_free(stored_run *r)
{
    for (int part = 0; part < DD_STATE_PARTS; part++)
        free(r->state[part]);
    free(r->row);
    free(r->block.timestep);
    dd_schedule_free(&r->schedule);
}

/* Fill the block with the chunk that begins at first_step; the other replica's rows stay 0. */
static inline void stored_run_fill(stored_run *r, int first_step)
{
    dd_train_log *b = &r->block;
    int left = r->config.training.steps - first_step;
    b->first_step = first_step;
    b->steps = left < b->capacity ? left : b->capacity;
    for (int i = 0; i < b->steps; i++) {
        int at = b->capacity + i, s = first_step + i;
        b->mse[at] = 1 + (float)s / 1000.f;
        b->loss[at] = 2 + (float)s / 1000.f;
        b->diversity[at] = 3 + (float)s / 1000.f;
        b->grad_norm[at] = 4 + (float)s / 1000.f;
        for (int row = 0; row < b->batch && b->gate; row++) {
            int missing = s % 5 == 4 && row >= b->batch * 5 / 8;
            for (int k = 0; k < b->gates; k++)
                b->gate[(at * b->batch + row) * b->gates + k] =
                    missing ? NAN : (float)((7 * s + row + 100 * k) % 1000) / 1000.f;
            b->timestep[at * b->batch + row] = (int16_t)(missing ? -1 : (3 * s + row) % r->config.diffusion.timesteps);
        }
    }
}

/* Append the chunks of steps [from, to). */
static inline dd_status stored_run_append(stored_run *r, dd_log *log, int from, int to)
{
    for (int s = from; s < to; s += r->block.steps) {
        stored_run_fill(r, s);
        DD_TRY(dd_log_append(log, &r->block, 1, r->config.training.learning_rate));
    }
    return DD_OK;
}

/* A log at `path` with rows 0..steps-1, closed. */
static inline dd_status stored_run_log(stored_run *r, const char *path, int steps)
{
    dd_log *log;
    DD_TRY(dd_log_create(path, &r->run, &r->model, 0, &log));
    dd_status status = stored_run_append(r, log, 0, steps);
    dd_status closed = dd_log_close(log);
    return status ? status : closed;
}

static inline dd_status stored_run_checkpoint(stored_run *r, const char *path, int step)
{
    return dd_checkpoint_write(path, &r->run, &r->model, step, 12.5 + step, (const float *const *)r->state);
}

/* The result over the log at `path`: x (i, c) = i + c / 2, noise -x, gate (i, k) = i / n + 10 k, sample gate (t, i, k)
 * = t + i / n + 10 k for the timesteps t of the schedule. */
static inline dd_status stored_run_result(stored_run *r, const char *path)
{
    size_t n = (size_t)r->config.evaluation.samples, gates = (size_t)r->model.gates, steps = (size_t)r->schedule.steps;
    float *x = malloc(n * (4 + gates * (1 + steps)) * sizeof *x), *noise = x + 2 * n, *gate = x + 4 * n;
    float *sample_gate = gate + n * gates;
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < 2; c++) {
            x[2 * i + c] = (float)i + (float)c / 2;
            noise[2 * i + c] = -x[2 * i + c];
        }
        for (size_t k = 0; k < gates; k++) {
            gate[i * gates + k] = (float)i / (float)n + 10.f * (float)k;
            for (size_t step = 0; step < steps; step++)
                sample_gate[(step * n + i) * gates + k] = (float)r->schedule.timestep[step] + gate[i * gates + k];
        }
    }
    dd_result result = {.samples = (uint32_t)n,
                        .x = x,
                        .initial_noise = noise,
                        .sampling = &r->schedule,
                        .gate = gates ? gate : NULL,
                        .sample_gate = gates ? sample_gate : NULL,
                        .online = r->state[DD_STATE_ONLINE],
                        .ema = r->state[DD_STATE_EMA]};
    for (int i = 0; i < DD_METRICS; i++)
        *dd_metric(&result.metrics, i) = NAN;
    result.metrics.training_time = 31.5;
    result.metrics.eval_loss = .75;
    result.metrics.inference_time = 2.25;
    result.metrics.kl_divergence = -.125;
    result.metrics.kl_zero_distances = 3;
    result.metrics.modes_captured = 141;
    dd_status status = dd_result_write(path, &r->run, &r->model, &result);
    free(x);
    return status;
}

#endif
