/* Evaluation, sampling and prediction: the networks forward over chunks of points, each chunk on one thread with
 * buffers that stay in its cache. A point's numbers do not depend on the other points.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/arena.h"
#include "base/cancel.h"
#include "base/permutation.h"
#include "model/noised_point.h"
#include "model/recipe.h"
#include "model/reverse_step.h"

/* Points of a chunk. Larger ones reuse the weights more, smaller ones keep activations closer. */
enum { CHUNK = 128 };

/* What one thread works with. */
typedef struct lane {
    dd_cpu_activations activations;
    float *scratch;    /* what embedding a row needs */
    float *x, *target; /* [CHUNK][D] */
    int32_t *t;        /* [CHUNK] */
    void *memory;      /* of the arrays */
} lane;

/* One replica's pass over points, shared by all threads. */
typedef struct pass {
    const dd_ensemble *e;
    const dd_kernels *kernels;
    const float *parameters;
    dd_cpu_time_table table; /* all T timesteps */
    lane *lanes;             /* [threads] */
    int threads;
    size_t dimensions; /* D */
    uint64_t seed;
    uint32_t n;
    int replica; /* current position */
    /* evaluation */
    dd_purpose purpose;
    const dd_points *points;
    double *batch_loss; /* [batches] */
    float *square;      /* [points->n] each row's squared error, in the order of the pass; NULL: not wanted */
    /* sampling and prediction: outputs at this replica, each may be NULL */
    float *x_out, *initial_noise, *gate;
    const float *x_in; /* NULL: samples start from noise */
    float *mixture_out, *expert_out;
    int t;
} pass;

static void pass_free(pass *p)
{
    for (int i = 0; i < p->threads && p->lanes; i++) {
        dd_cpu_activations_free(&p->lanes[i].activations);
        free(p->lanes[i].memory);
    }
    free(p->lanes);
    dd_cpu_time_table_free(&p->table);
}

static void take_lane(const dd_ensemble *e, lane *l, dd_arena *arena)
{
    size_t numbers = (size_t)e->layout.model->dimensions * CHUNK;
    DD_TAKE(arena, l->scratch, e->embedding.scratch);
    DD_TAKE(arena, l->x, numbers);
    DD_TAKE(arena, l->target, numbers);
    DD_TAKE(arena, l->t, CHUNK);
}

/* Each lane has separate memory, so that no two threads write to the same cache line. */
static dd_status lane_create(const dd_ensemble *e, lane *l)
{
    dd_arena arena = {0};
    DD_TRY(dd_cpu_activations_create(&e->layout, CHUNK, false, &l->activations));
    take_lane(e, l, &arena);
    l->memory = dd_arena_allocate(&arena);
    if (!l->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for sampling");
    take_lane(e, l, &arena);
    return DD_OK;
}

static dd_status pass_create(const dd_ensemble *e, pass *p)
{
    *p = (pass){.e = e, .kernels = e->context->kernels, .dimensions = (size_t)e->layout.model->dimensions};
    DD_TRY(dd_cpu_time_table_create(&e->layout, e->embedding.time_rows, &p->table));
    p->lanes = calloc((size_t)dd_pool_threads(e->context->pool), sizeof *p->lanes);
    dd_status status = p->lanes ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory for sampling");
    p->threads = dd_pool_threads(e->context->pool);
    for (int i = 0; i < p->threads && !status; i++)
        status = lane_create(e, &p->lanes[i]);
    if (status)
        pass_free(p);
    return status;
}

/* Point the pass at one replica's parameters. */
static void pass_select(pass *p, int replica, dd_state_part part)
{
    p->replica = replica;
    p->parameters = p->e->replica[replica].state[part];
    dd_cpu_time_table_fill(&p->e->layout, p->kernels, p->parameters, p->e->embedding.time, p->e->embedding.time_panel,
                           p->e->embedding.time_rows, 0, dd_cpu_time_table_panels(&p->e->layout), &p->table);
}

/* Run the networks at the lane's first `count` points and timesteps. */
static void run_lane(const pass *p, lane *l, int count)
{
    int padded = dd_pad(count);
    memset(l->x + p->dimensions * (size_t)count, 0, p->dimensions * (size_t)(padded - count) * sizeof *l->x);
    for (int i = count; i < padded; i++)
        l->t[i] = 0;
    dd_cpu_embed(&p->e->embedding, p->kernels, p->e->replica[p->replica].direction, l->x, 0, padded, l->scratch,
                 &l->activations);
    dd_cpu_forward(&p->e->layout, p->kernels, p->parameters, &p->table, l->t, 0, padded, &l->activations);
}

static int chunks(uint32_t n)
{
    return (int)((n + CHUNK - 1) / CHUNK);
}
static int chunk_rows(uint32_t n, int chunk)
{
    uint32_t rest = n - (uint32_t)chunk * CHUNK;
    return rest < CHUNK ? (int)rest : CHUNK;
}

/* Report that one replica is done. */
static void tell(const pass *p, const dd_team *team, int done, int share)
{
    dd_team_tell(team, (long long)p->replica * share + done, (long long)p->e->head.replicas * share);
}

/* ---- evaluation ---- */

/* Draw the rows of a chunk of batch b. */
static void draw_chunk(const pass *p, lane *l, const dd_permutation *order, int b, const dd_batch *batch, int chunk)
{
    int count = chunk_rows(batch->rows, chunk);
    for (int i = 0; i < count; i++) {
        uint32_t row = (uint32_t)(chunk * CHUNK + i), point = dd_permutation_at(order, batch->first + row);
        size_t place = p->dimensions * (size_t)i;
        l->t[i] = dd_draw_point(p->e->schedule, p->seed, p->purpose, (uint32_t)b, row, (int)p->dimensions,
                                p->points->x + p->dimensions * point, l->x + place, l->target + place);
    }
}

/* Add the squared errors of the noise that the lane's first `count` predictions imply; they are the rows of the pass
 * from `first` on. */
static void add_squares(const pass *p, const lane *l, size_t first, int count, double *square)
{
    dd_cpu_output out;
    for (int i = 0; i < count; i++) {
        const float *target = l->target + p->dimensions * (size_t)i;
        float scale = p->e->schedule->noise_error[l->t[i]];
        double own = 0.;
        dd_cpu_output_row(&p->e->layout, &l->activations, i, &out);
        for (size_t c = 0; c < p->dimensions; c++) {
            float error = scale * (out.mixture[c] - target[c]);
            own += (double)error * error;
            *square += (double)error * error;
        }
        if (p->square)
            p->square[first + (size_t)i] = (float)own;
    }
}

static void evaluate_task(void *argument, const dd_team *team)
{
    const pass *p = argument;
    lane *l = &p->lanes[team->rank];
    uint32_t size = (uint32_t)p->e->head.training->batch, n = p->points->n;
    dd_permutation order;
    dd_permutation_init(&order, p->seed, DD_DRAW_EVAL_ORDER, 0, n);
    int first, last;
    dd_team_share(team, (int)dd_batches(n, size), &first, &last);
    for (int b = first; b < last && !dd_cancelled(); b++) {
        dd_batch batch = dd_batch_of_step((uint32_t)b, n, size);
        double square = 0;
        for (int chunk = 0; chunk < chunks(batch.rows); chunk++) {
            int count = chunk_rows(batch.rows, chunk);
            draw_chunk(p, l, &order, b, &batch, chunk);
            run_lane(p, l, count);
            add_squares(p, l, batch.first + (size_t)chunk * CHUNK, count, &square);
        }
        p->batch_loss[b] = square / ((double)p->dimensions * batch.rows);
        tell(p, team, b - first + 1, last - first);
    }
}

dd_status dd_cpu_evaluate(dd_ensemble *e, dd_state_part part, dd_purpose purpose, const dd_points *const *points,
                          double *loss, float *const *square)
{
    pass p;
    DD_TRY(pass_create(e, &p));
    dd_status status = DD_OK;
    p.purpose = purpose;
    for (int r = 0; r < e->head.replicas && !status; r++) {
        uint32_t batches = dd_batches(points[r]->n, (uint32_t)e->head.training->batch);
        p.points = points[r];
        p.square = square ? square[r] : NULL;
        p.seed = e->replica[r].spec.seed;
        p.batch_loss = malloc(batches * sizeof *p.batch_loss);
        if (!p.batch_loss) {
            status = dd_fail(DD_ERR_MEMORY, "out of memory for the losses of %u batches", batches);
            break;
        }
        pass_select(&p, r, part);
        dd_pool_run(e->context->pool, evaluate_task, &p);
        status = dd_check_cancelled();
        double sum = 0;
        for (uint32_t b = 0; b < batches; b++)
            sum += p.batch_loss[b];
        loss[r] = sum / batches;
        free(p.batch_loss);
    }
    pass_free(&p);
    return status;
}

/* ---- sampling ---- */

/* The stored weights of one point. */
static void put_gate(const pass *p, const dd_cpu_output *out, size_t point)
{
    size_t gates = (size_t)p->e->layout.model->gates;
    if (p->gate)
        memcpy(p->gate + point * gates, out->weight, gates * sizeof *out->weight);
}

static void sample_chunk(const pass *p, lane *l, int chunk)
{
    const dd_schedule *s = p->e->schedule;
    uint32_t base = (uint32_t)chunk * CHUNK;
    int count = chunk_rows(p->n, chunk), dimensions = (int)p->dimensions;
    size_t place = p->dimensions * base, bytes = p->dimensions * (size_t)count * sizeof(float);
    dd_cpu_output out;
    if (p->x_in)
        memcpy(l->x, p->x_in + place, bytes);
    else
        for (int i = 0; i < count; i++)
            dd_draw_normals(p->seed, DD_DRAW_SAMPLE, (uint32_t)s->timesteps, base + (uint32_t)i, dimensions,
                            l->x + dimensions * i);
    if (p->initial_noise)
        memcpy(p->initial_noise + place, l->x, bytes);
    for (int step = s->steps - 1; step >= 0 && !dd_cancelled(); step--) {
        for (int i = 0; i < count; i++)
            l->t[i] = s->timestep[step];
        run_lane(p, l, count);
        for (int i = 0; i < count; i++) {
            dd_cpu_output_row(&p->e->layout, &l->activations, i, &out);
            dd_reverse_step(s, step, p->seed, base + (uint32_t)i, dimensions, out.mixture, l->x + dimensions * i);
            put_gate(p, &out, (size_t)step * p->n + base + (size_t)i);
        }
    }
    if (p->x_out)
        memcpy(p->x_out + place, l->x, bytes);
}

static void sample_task(void *argument, const dd_team *team)
{
    const pass *p = argument;
    int first, last;
    dd_team_share(team, chunks(p->n), &first, &last);
    for (int chunk = first; chunk < last; chunk++) {
        sample_chunk(p, &p->lanes[team->rank], chunk);
        tell(p, team, chunk - first + 1, last - first);
    }
}

dd_status dd_cpu_sample(dd_ensemble *e, dd_state_part part, const uint64_t *seed, uint32_t n, dd_samples *samples)
{
    pass p;
    DD_TRY(pass_create(e, &p));
    p.n = n;
    dd_status status = DD_OK;
    for (int r = 0; r < e->head.replicas && !status; r++) {
        size_t place = (size_t)r * n;
        p.seed = seed[r];
        p.x_in = samples->start ? samples->start + p.dimensions * place : NULL;
        p.x_out = samples->x ? samples->x + p.dimensions * place : NULL;
        p.initial_noise = samples->initial_noise ? samples->initial_noise + p.dimensions * place : NULL;
        p.gate = samples->gate ? samples->gate + place * (size_t)(e->schedule->steps * e->layout.model->gates) : NULL;
        pass_select(&p, r, part);
        dd_pool_run(e->context->pool, sample_task, &p);
        status = dd_check_cancelled();
    }
    pass_free(&p);
    return status;
}

/* ---- prediction ---- */

static void predict_task(void *argument, const dd_team *team)
{
    const pass *p = argument;
    lane *l = &p->lanes[team->rank];
    size_t dimensions = p->dimensions, outputs = dimensions * (size_t)p->e->layout.model->experts;
    dd_cpu_output out;
    int first, last;
    dd_team_share(team, chunks(p->n), &first, &last);
    for (int chunk = first; chunk < last; chunk++) {
        size_t base = (size_t)chunk * CHUNK;
        int count = chunk_rows(p->n, chunk);
        memcpy(l->x, p->x_in + dimensions * base, dimensions * (size_t)count * sizeof(float));
        for (int i = 0; i < count; i++)
            l->t[i] = p->t;
        run_lane(p, l, count);
        for (int i = 0; i < count; i++) {
            size_t at = base + (size_t)i;
            dd_cpu_output_row(&p->e->layout, &l->activations, i, &out);
            if (p->mixture_out)
                memcpy(p->mixture_out + dimensions * at, out.mixture, dimensions * sizeof(float));
            if (p->expert_out)
                memcpy(p->expert_out + outputs * at, out.expert, outputs * sizeof(float));
            put_gate(p, &out, at);
        }
    }
}

dd_status dd_cpu_predict(dd_ensemble *e, dd_state_part part, const float *x, uint32_t n, int t,
                         dd_prediction *prediction)
{
    pass p;
    DD_TRY(pass_create(e, &p));
    p.n = n;
    p.t = t;
    for (int r = 0; r < e->head.replicas; r++) {
        size_t place = (size_t)r * n;
        size_t numbers = p.dimensions * place;
        p.x_in = x + numbers;
        p.mixture_out = prediction->mixture ? prediction->mixture + numbers : NULL;
        p.expert_out = prediction->expert ? prediction->expert + numbers * (size_t)e->layout.model->experts : NULL;
        p.gate = prediction->gate ? prediction->gate + place * (size_t)e->layout.model->gates : NULL;
        pass_select(&p, r, part);
        dd_pool_run(e->context->pool, predict_task, &p);
    }
    pass_free(&p);
    return DD_OK;
}
