#include "storing.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

struct storing {
    dd_ensemble *ensemble;
    const dd_run *run;
    const dd_model *model;
    char result[1024], checkpoint[1024];
    dd_train_log *block[2];
    dd_log *log;
    int step;      /* rows that were trained for the log */
    double spent;  /* s in writing */
    float *memory; /* four vectors */
    float *state[DD_STATE_PARTS];
};

dd_status storing_open(dd_ensemble *ensemble, const dd_run *run, const dd_model *model, const char *folder,
                       storing **out)
{
    storing *s = *out = calloc(1, sizeof *s);
    if (!s)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    s->ensemble = ensemble;
    s->run = run;
    s->model = model;
    snprintf(s->result, sizeof s->result, "%s/run.h5", folder);
    snprintf(s->checkpoint, sizeof s->checkpoint, "%s/run.checkpoint", folder);
    s->memory = malloc(DD_STATE_PARTS * model->parameters * sizeof *s->memory);
    if (!s->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    for (int part = 0; part < DD_STATE_PARTS; part++)
        s->state[part] = s->memory + (size_t)part * model->parameters;
    for (int i = 0; i < 2; i++)
        DD_TRY(dd_train_log_create(ensemble, dd_log_chunk(&run->config->training), &s->block[i]));
    return DD_OK;
}

void storing_close(storing *s)
{
    if (!s)
        return;
    dd_ignore(dd_log_close(s->log));
    for (int i = 0; i < 2; i++)
        dd_train_log_destroy(s->ensemble, s->block[i]);
    free(s->memory);
    free(s);
}

static dd_status append(storing *s, const dd_train_log *block)
{
    double began = dd_now();
    dd_status status = dd_log_append(s->log, block, 0, s->run->config->training.learning_rate);
    s->spent += dd_now() - began;
    return status;
}

static dd_status checkpoint(storing *s)
{
    double began = dd_now();
    DD_TRY(dd_log_sync(s->log));
    for (int part = 0; part < DD_STATE_PARTS; part++)
        DD_TRY(dd_ensemble_get(s->ensemble, 0, (dd_state_part)part, s->state[part]));
    DD_TRY(dd_checkpoint_write(s->checkpoint, s->run, s->model, s->step, 1, (const float *const *)s->state));
    DD_TRY(dd_checkpoint_commit(s->checkpoint));
    s->spent += dd_now() - began;
    return DD_OK;
}

static dd_status close_log(storing *s)
{
    dd_status status = dd_log_close(s->log);
    s->log = NULL;
    s->step = 0;
    return status;
}

dd_status storing_train(storing *s, int steps, double *seconds)
{
    s->spent = 0;
    const dd_training_config *t = &s->run->config->training;
    int chunk = dd_log_chunk(t);
    if (!s->log)
        DD_TRY(dd_log_create(s->result, s->run, s->model, 0, &s->log));
    dd_train_log *computed =
        NULL; /* like the trainer: written while the next block is computed, if the backend can do that */
    for (int done = 0, turn = 0; done < steps; turn = !turn) {
        int count = t->steps - s->step < chunk ? t->steps - s->step : chunk;
        DD_TRY(dd_ensemble_train(s->ensemble, s->step, count, s->block[turn]));
        if (computed)
            DD_TRY(append(s, computed));
        computed = s->block[turn];
        s->step += count;
        done += count;
        if (done < steps && s->step % t->checkpoint_every && s->step < t->steps)
            continue;
        DD_TRY(dd_ensemble_wait(s->ensemble));
        DD_TRY(append(s, computed));
        computed = NULL;
        if (s->step % t->checkpoint_every == 0 || s->step == t->steps)
            DD_TRY(checkpoint(s));
        if (s->step == t->steps)
            DD_TRY(close_log(s));
    }
    *seconds = s->spent;
    return DD_OK;
}

/* Append the rows of one block repeatedly up to the end of the run, then close the log. */
static dd_status complete_log(storing *s)
{
    const dd_training_config *t = &s->run->config->training;
    dd_train_log *block = s->block[0];
    DD_TRY(close_log(s));
    DD_TRY(dd_log_create(s->result, s->run, s->model, 0, &s->log));
    DD_TRY(dd_ensemble_train(s->ensemble, 0, dd_log_chunk(t), block));
    DD_TRY(dd_ensemble_wait(s->ensemble));
    for (int step = 0; step < t->steps; step += block->steps) {
        block->first_step = step;
        if (t->steps - step < block->steps)
            block->steps = t->steps - step;
        DD_TRY(append(s, block));
    }
    return close_log(s);
}

dd_status storing_result(storing *s, double *seconds)
{
    const dd_config *c = s->run->config;
    dd_schedule schedule;
    DD_TRY(dd_schedule_create(c, &schedule));
    size_t n = (size_t)c->evaluation.samples, gates = (size_t)s->model->gates;
    size_t numbers = n * (4 + gates * (1 + (size_t)schedule.steps));
    float *x = malloc(numbers * sizeof *x);
    if (!x) {
        dd_schedule_free(&schedule);
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < numbers; i++)
        x[i] = (float)(i % 997) / 997;
    dd_result result = {.metrics = {.training_time = 1, .eval_loss = 1, .heldout_loss = 1, .inference_time = 1},
                        .samples = (uint32_t)n,
                        .x = x,
                        .initial_noise = x + 2 * n,
                        .sampling = &schedule,
                        .gate = gates ? x + 4 * n : NULL,
                        .sample_gate = gates ? x + (4 + gates) * n : NULL,
                        .online = s->state[DD_STATE_ONLINE],
                        .ema = s->state[DD_STATE_EMA]};
    dd_status status = complete_log(s);
    for (int part = 0; part < 2 && !status; part++)
        status = dd_ensemble_get(s->ensemble, 0, (dd_state_part)part, s->state[part]);
    double began = dd_now();
    if (!status)
        status = dd_result_write(s->result, s->run, s->model, &result);
    *seconds = dd_now() - began;
    free(x);
    dd_schedule_free(&schedule);
    return status;
}
