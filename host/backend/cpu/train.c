/* Training steps. A step has six phases, and after each phase there is a barrier. The division of a phase's work among
 * threads never changes the order in which a number is summed, so the bits do not depend on the team's size.
 *
 *   1 embed    own rows of coordinates; own panels of the first layer's table over the batch's timesteps
 *   2 forward  own rows through all towers; mixture and squared errors
 *   3 backward own rows: distances, gradient at the outputs, back to the first layer
 *   4 weights  own slices of the weight gradient, and their squares
 *   5 update   own slices: clip, AdamW, average, transposed copy; the log
 *   6 draw     own rows of the next batch
 *
 * If there are at least as many replicas as threads, each thread trains replicas alone, in a team of one whose barriers
 * cost nothing. All threads together train the remaining replicas, one at a time.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/arena.h"
#include "base/permutation.h"
#include "model/gating.h"
#include "model/noised_point.h"
#include "model/recipe.h"

/* The private memory of one thread in a step. */
typedef struct thread_scratch {
    float *time_embedded; /* (distinct timesteps, t_width) */
    float *time_gradient; /* (distinct timesteps, 32): a slice's gradient, summed by timestep */
    float *row;           /* what embedding a row needs */
    int32_t *rank;        /* [T] index of a timestep among the batch's distinct ones, or -1 */
    int32_t *time_row;    /* [rows] that index for each row */
    int distinct;
    void *memory;
} thread_scratch;

typedef struct dd_cpu_workspace {
    dd_cpu_activations activations;
    dd_cpu_time_table table;
    dd_cpu_hidden_diversity hidden; /* if the diversity of hidden layers is on */
    int distinct_max;               /* rows of the table: min(T, batch), padded */
    int threads;
    thread_scratch *scratch; /* [threads] */
    void *memory;            /* of all arrays that follow */
    float *gradient;         /* [packed] */
    float *transposed;       /* [transposed] */
    double *slice_square;    /* [slices] */
    /* One batch, [rows] each: */
    float *x, *target;        /* [rows][D] noised points, and what is to be predicted there */
    size_t stride;            /* between two coordinates of the next two arrays */
    float *predicted, *slope; /* [D][stride] predictions; gradient of a row's sum of distances */
    float *distance;          /* sum of the distances to all rows */
    float *weight;            /* weight of a row's squared error */
    float *square;            /* weighted squared error */
    float *gate;              /* [rows][gates] */
    int32_t *timestep;
} dd_cpu_workspace;

static int dimensions_of(const dd_ensemble *e)
{
    return e->layout.model->dimensions;
}

static bool diverse_inside(const dd_ensemble *e)
{
    return e->head.training->diversity_layer == DD_DIVERSITY_OF_HIDDEN;
}

/* ---- memory ---- */

static void workspace_free(dd_cpu_workspace *w)
{
    if (!w)
        return;
    dd_cpu_activations_free(&w->activations);
    dd_cpu_time_table_free(&w->table);
    dd_cpu_hidden_free(&w->hidden);
    for (int i = 0; i < w->threads && w->scratch; i++)
        free(w->scratch[i].memory);
    free(w->scratch);
    free(w->memory);
    free(w);
}

static void take_scratch(const dd_ensemble *e, const dd_cpu_workspace *w, thread_scratch *s, dd_arena *arena)
{
    DD_TAKE(arena, s->time_embedded, (size_t)e->layout.t_width * (size_t)w->distinct_max);
    DD_TAKE(arena, s->time_gradient, 2 * (size_t)DD_PANEL * (size_t)w->distinct_max);
    DD_TAKE(arena, s->row, e->embedding.scratch);
    DD_TAKE(arena, s->rank, (size_t)e->schedule->timesteps);
    DD_TAKE(arena, s->time_row, (size_t)w->activations.rows);
}

/* Each thread has separate memory, so that no two threads write to the same cache line. */
static dd_status scratch_create(const dd_ensemble *e, const dd_cpu_workspace *w, thread_scratch *s)
{
    dd_arena arena = {0};
    take_scratch(e, w, s, &arena);
    s->memory = dd_arena_allocate(&arena);
    if (!s->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for a thread's scratch");
    take_scratch(e, w, s, &arena);
    return DD_OK;
}

static void take_arrays(const dd_cpu_layout *layout, dd_cpu_workspace *w, dd_arena *arena)
{
    size_t rows = (size_t)w->activations.rows, dimensions = (size_t)layout->model->dimensions;
    /* An odd number of cache lines: else the coordinates of a row would share cache sets. */
    w->stride = (rows / DD_PANEL | 1) * DD_PANEL;
    DD_TAKE(arena, w->gradient, layout->packed);
    DD_TAKE(arena, w->transposed, layout->transposed);
    DD_TAKE(arena, w->x, dimensions * rows);
    DD_TAKE(arena, w->target, dimensions * rows);
    DD_TAKE(arena, w->predicted, dimensions * w->stride);
    DD_TAKE(arena, w->slope, dimensions * w->stride);
    DD_TAKE(arena, w->distance, rows);
    DD_TAKE(arena, w->weight, rows);
    DD_TAKE(arena, w->square, rows);
    DD_TAKE(arena, w->gate, (size_t)layout->model->gates * rows);
    DD_TAKE(arena, w->timestep, rows);
    DD_TAKE(arena, w->slice_square, (size_t)layout->slices);
}

static dd_status workspace_create(const dd_ensemble *e, int threads, dd_cpu_workspace **out)
{
    dd_arena arena = {0};
    dd_cpu_workspace *w = *out = calloc(1, sizeof *w);
    if (!w)
        return dd_fail(DD_ERR_MEMORY, "out of memory for training");
    int batch = e->head.training->batch;
    DD_TRY(dd_cpu_activations_create(&e->layout, batch, true, &w->activations));
    w->distinct_max = dd_pad(batch < e->schedule->timesteps ? batch : e->schedule->timesteps);
    DD_TRY(dd_cpu_time_table_create(&e->layout, w->distinct_max, &w->table));
    if (diverse_inside(e))
        DD_TRY(dd_cpu_hidden_create(&e->layout, &w->activations, &w->hidden));
    take_arrays(&e->layout, w, &arena);
    w->memory = dd_arena_allocate(&arena);
    w->scratch = calloc((size_t)threads, sizeof *w->scratch);
    if (!w->scratch || !w->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the gradient of %zu parameters", e->layout.packed);
    take_arrays(&e->layout, w, &arena);
    w->threads = threads;
    for (int i = 0; i < threads; i++)
        DD_TRY(scratch_create(e, w, &w->scratch[i]));
    return DD_OK;
}

/* One workspace per thread if each trains replicas alone, else one for all threads. */
static dd_status workspaces_create(dd_ensemble *e)
{
    if (e->workspace)
        return DD_OK;
    int threads = dd_pool_threads(e->context->pool);
    e->workspaces = e->head.replicas >= threads ? threads : 1;
    e->workspace = calloc((size_t)e->workspaces, sizeof *e->workspace);
    if (!e->workspace)
        return dd_fail(DD_ERR_MEMORY, "out of memory for training");
    for (int i = 0; i < e->workspaces; i++) {
        dd_status status = workspace_create(e, i ? 1 : threads, &e->workspace[i]);
        if (status) {
            dd_cpu_train_free(e);
            return status;
        }
    }
    return DD_OK;
}

void dd_cpu_train_free(dd_ensemble *e)
{
    for (int i = 0; i < e->workspaces && e->workspace; i++)
        workspace_free(e->workspace[i]);
    free(e->workspace);
    e->workspace = NULL;
}

/* ---- a step ---- */

/* One replica's step; the argument of a phase. */
typedef struct step_view {
    const dd_ensemble *e;
    const dd_kernels *kernels;
    dd_cpu_workspace *w;
    dd_cpu_replica *replica;
    const dd_team *team;
    thread_scratch *scratch;
    int step;
    double diversity; /* weight of the diversity loss at this step */
    int n;            /* rows of this batch */
    int padded;       /* to 16 */
    int first, last;  /* own rows, multiples of 16 within padded */
} step_view;

static void view_step(step_view *v, int step)
{
    dd_batch batch = dd_batch_of_step((uint32_t)step, v->replica->spec.data->n, (uint32_t)v->e->head.training->batch);
    v->step = step;
    v->diversity = v->replica->spec.diversity_weight * dd_diversity_share(v->e->head.training, step);
    v->n = (int)batch.rows;
    v->padded = dd_pad(v->n);
    dd_team_share(v->team, v->padded / DD_PANEL, &v->first, &v->last);
    v->first *= DD_PANEL;
    v->last *= DD_PANEL;
}

/* Rows after the batch's end stay finite: a point at the origin at timestep 0. Their gradient is 0. */
static void draw_rows(const step_view *v)
{
    dd_cpu_workspace *w = v->w;
    const dd_replica *spec = &v->replica->spec;
    dd_batch batch = dd_batch_of_step((uint32_t)v->step, spec->data->n, (uint32_t)v->e->head.training->batch);
    dd_permutation order;
    dd_permutation_init(&order, spec->seed, DD_DRAW_PERMUTATION, batch.epoch, spec->data->n);
    size_t dimensions = (size_t)dimensions_of(v->e);
    for (int r = v->first; r < v->last; r++) {
        float *x = w->x + dimensions * (size_t)r, *target = w->target + dimensions * (size_t)r;
        int t = 0;
        if (r < v->n) {
            uint32_t point = dd_permutation_at(&order, batch.first + (uint32_t)r);
            t = dd_draw_point(v->e->schedule, spec->seed, DD_DRAW_TRAIN, (uint32_t)v->step, (uint32_t)r,
                              (int)dimensions, spec->data->x + dimensions * point, x, target);
        } else {
            memset(x, 0, dimensions * sizeof *x);
            memset(target, 0, dimensions * sizeof *target);
        }
        w->weight[r] = v->e->schedule->weight[t];
        w->timestep[r] = t;
    }
}

/* Each thread finds the batch's distinct timesteps itself, which is cheaper than another barrier. */
static void find_timesteps(const step_view *v)
{
    thread_scratch *s = v->scratch;
    const dd_cpu_embedding *embedding = &v->e->embedding;
    int timesteps = v->e->schedule->timesteps;
    memset(s->rank, -1, (size_t)timesteps * sizeof *s->rank);
    for (int r = 0; r < v->padded; r++)
        s->rank[v->w->timestep[r]] = 0;
    s->distinct = 0;
    size_t panel = (size_t)v->w->distinct_max * DD_PANEL;
    for (int t = 0; t < timesteps; t++) {
        if (s->rank[t] < 0)
            continue;
        s->rank[t] = s->distinct;
        for (int p = 0; p < v->e->layout.t_width / DD_PANEL; p++)
            memcpy(s->time_embedded + (size_t)p * panel + DD_PANEL * (size_t)s->distinct,
                   embedding->time + (size_t)p * embedding->time_panel + DD_PANEL * (size_t)t,
                   DD_PANEL * sizeof(float));
        s->distinct++;
    }
    for (int r = 0; r < v->padded; r++)
        s->time_row[r] = s->rank[v->w->timestep[r]];
}

static void phase_embed(const step_view *v)
{
    dd_cpu_workspace *w = v->w;
    int first, last;
    find_timesteps(v);
    dd_cpu_embed(&v->e->embedding, v->kernels, v->replica->direction, w->x, v->first, v->last, v->scratch->row,
                 &w->activations);
    dd_team_share(v->team, dd_cpu_time_table_panels(&v->e->layout), &first, &last);
    dd_cpu_time_table_fill(&v->e->layout, v->kernels, v->replica->state[DD_STATE_ONLINE], v->scratch->time_embedded,
                           (size_t)w->distinct_max * DD_PANEL, v->scratch->distinct, first, last, &w->table);
}

/* The sum starts with the first coordinate's term (gating.h says why). */
static float squared_distance(int dimensions, const float *a, const float *b)
{
    float square = (a[0] - b[0]) * (a[0] - b[0]);
    for (int c = 1; c < dimensions; c++)
        square += (a[c] - b[c]) * (a[c] - b[c]);
    return square;
}

static void phase_forward(const step_view *v)
{
    dd_cpu_workspace *w = v->w;
    dd_cpu_output out;
    int gates = v->e->layout.model->gates, dimensions = dimensions_of(v->e);
    dd_cpu_forward(&v->e->layout, v->kernels, v->replica->state[DD_STATE_ONLINE], &w->table, v->scratch->time_row,
                   v->first, v->last, &w->activations);
    for (int r = v->first; r < v->last; r++) {
        dd_cpu_output_row(&v->e->layout, &w->activations, r, &out);
        for (int c = 0; c < dimensions; c++)
            w->predicted[(size_t)c * w->stride + (size_t)r] = out.mixture[c];
        memcpy(w->gate + (size_t)(r * gates), out.weight, (size_t)gates * sizeof *w->gate);
        w->square[r] = w->weight[r] * squared_distance(dimensions, out.mixture, w->target + dimensions * r);
    }
    if (diverse_inside(v->e))
        dd_cpu_hidden_prepare(&v->e->layout, v->kernels, &w->activations, v->first, v->last, &w->hidden);
}

/* Gradient p [D] of MSE - weight * diversity at row r's prediction. With n rows and d the distance: d MSE / d p_i =
 * 2 weight_i (p_i - target_i) / (D n), d diversity / d p_i = 2 / n^2 sum_j d d(p_i, p_j) / d p_i. */
static void prediction_gradient(const step_view *v, int r, float *p)
{
    const dd_cpu_workspace *w = v->w;
    int dimensions = dimensions_of(v->e);
    memset(p, 0, (size_t)dimensions * sizeof *p);
    if (r >= v->n)
        return;
    double n = v->n;
    float half_entries = (float)(.5 * dimensions * n), pull = (float)(v->diversity * 2. / (n * n));
    for (int c = 0; c < dimensions; c++) {
        size_t at = (size_t)c * w->stride + (size_t)r;
        float error = w->predicted[at] - w->target[dimensions * r + c];
        p[c] = w->weight[r] * error / half_entries - pull * w->slope[at];
    }
}

/* The same at the towers' outputs. */
static void output_gradient(const step_view *v, int r)
{
    dd_cpu_activations *a = &v->w->activations;
    const dd_cpu_layout *layout = &v->e->layout;
    int experts = layout->model->experts, dimensions = layout->model->dimensions;
    float p[DD_MAX_DIMENSIONS];
    dd_cpu_output out;
    prediction_gradient(v, r, p);
    dd_cpu_output_row(layout, a, r, &out);
    for (int e = 0; e < experts; e++)
        for (int c = 0; c < dimensions; c++)
            a->gradient[e][layout->tower[e].layers - 1][dd_cpu_place(a->stride, r, c)] = out.weight[e] * p[c];
    if (layout->model->gates)
        dd_gate_gradient(layout->model->gates, out.soft, out.expert, p, dimensions,
                         a->gradient[experts][layout->tower[experts].layers - 1] + DD_PANEL * (size_t)r);
}

/* Sums of distances, and their gradients, for rows [first, last) of the predictions. */
static void output_distances(const step_view *v, int first, int last)
{
    dd_cpu_workspace *w = v->w;
    const dd_training_config *t = v->e->head.training;
    float scale = (float)t->diversity_scale;
    int dimensions = dimensions_of(v->e);
    if (dimensions == 2)
        v->kernels->distances(t->diversity_distance, scale, w->predicted, w->predicted + w->stride, v->n, first, last,
                              w->distance, w->slope, w->slope + w->stride);
    else
        v->kernels->distances_wide(t->diversity_distance, scale, w->predicted, w->stride, dimensions, v->n, first, last,
                                   w->distance, w->slope);
}

static void phase_backward(const step_view *v)
{
    dd_cpu_workspace *w = v->w;
    int last = v->last < v->n ? v->last : v->n, inside = diverse_inside(v->e);
    const dd_training_config *t = v->e->head.training;
    if (inside) /* the outputs' slopes stay 0 */
        dd_cpu_hidden_gradient(&v->e->layout, v->kernels, t, v->diversity, &w->activations, v->n, v->first, v->last,
                               &w->hidden, w->distance);
    else
        output_distances(v, v->first, last);
    for (int r = v->first; r < v->last; r++)
        output_gradient(v, r);
    dd_cpu_backward(&v->e->layout, v->kernels, w->transposed, inside ? w->hidden.gradient : NULL, v->first, v->last,
                    &w->activations);
}

/* Gradient of the weights of the embedded timestep. Rows with the same timestep have the same inputs, so their
 * gradients are summed first. */
static void timestep_gradient(const step_view *v, const dd_cpu_slice *slice, const dd_cpu_layer *l)
{
    thread_scratch *s = v->scratch;
    size_t panel = (size_t)v->w->distinct_max * DD_PANEL;
    int depth = dd_pad(s->distinct);
    for (int p = 0; p < slice->panels; p++) {
        const float *gradient =
            v->w->activations.gradient[slice->tower][0] + (size_t)(slice->panel + p) * v->w->activations.stride;
        float *sum = s->time_gradient + (size_t)p * panel;
        memset(sum, 0, (size_t)depth * DD_PANEL * sizeof *sum);
        for (int r = 0; r < v->n; r++)
            for (int c = 0; c < DD_PANEL; c++)
                sum[DD_PANEL * s->time_row[r] + c] += gradient[DD_PANEL * r + c];
    }
    v->kernels->backward_weight(&(dd_weight_args){
        .inputs = v->e->layout.t_width,
        .panels = slice->panels,
        .depth = depth,
        .input = s->time_embedded,
        .input_panel = panel,
        .gradient = s->time_gradient,
        .gradient_panel = panel,
        .output = v->w->gradient + l->weight + (size_t)slice->panel * (size_t)l->in * DD_PANEL +
                  (size_t)v->e->layout.x_width * DD_PANEL,
        .output_panel = (size_t)l->in * DD_PANEL,
    });
}

static void phase_weights(const step_view *v)
{
    dd_cpu_workspace *w = v->w;
    const dd_cpu_layout *layout = &v->e->layout;
    const dd_cpu_activations *a = &w->activations;
    int first, last;
    dd_team_share(v->team, layout->slices, &first, &last);
    for (int i = first; i < last; i++) {
        const dd_cpu_slice *slice = &layout->slice[i];
        const dd_cpu_layer *l = &layout->tower[slice->tower].layer[slice->layer];
        size_t panel = (size_t)l->in * DD_PANEL;
        float *weight = w->gradient + l->weight + (size_t)slice->panel * panel;
        const float *gradient = a->gradient[slice->tower][slice->layer] + (size_t)slice->panel * a->stride;
        v->kernels->backward_weight(&(dd_weight_args){
            .inputs = slice->layer ? l->in : layout->x_width,
            .panels = slice->panels,
            .depth = v->padded,
            .input = slice->layer ? a->active[slice->tower][slice->layer - 1] : a->embedded,
            .input_panel = a->stride,
            .gradient = gradient,
            .gradient_panel = a->stride,
            .output = weight,
            .output_panel = panel,
        });
        if (slice->layer == 0)
            timestep_gradient(v, slice, l);
        float *bias = w->gradient + l->bias + (size_t)slice->panel * DD_PANEL;
        for (int p = 0; p < slice->panels; p++)
            v->kernels->column_sums(gradient + (size_t)p * a->stride, v->padded, bias + p * DD_PANEL);
        w->slice_square[i] = v->kernels->square_sum(weight, (size_t)slice->panels * panel) +
                             v->kernels->square_sum(bias, (size_t)slice->panels * DD_PANEL);
    }
}

static double gradient_norm(const step_view *v)
{
    double square = 0;
    for (int i = 0; i < v->e->layout.slices; i++)
        square += v->w->slice_square[i];
    return sqrt(square);
}

static void transpose_slice(const step_view *v, const dd_cpu_slice *slice)
{
    const dd_cpu_layer *l = &v->e->layout.tower[slice->tower].layer[slice->layer];
    if (slice->layer == 0)
        return;
    for (int p = slice->panel; p < slice->panel + slice->panels; p++)
        v->kernels->transpose(v->replica->state[DD_STATE_ONLINE] + l->weight + (size_t)p * (size_t)l->in * DD_PANEL,
                              l->in, v->w->transposed + l->transposed + (size_t)p * DD_PANEL * DD_PANEL,
                              (size_t)l->out * DD_PANEL);
}

static void phase_update(const step_view *v, double norm)
{
    const dd_training_config *t = v->e->head.training;
    const dd_replica *spec = &v->replica->spec;
    double lr = dd_learning_rate(spec->learning_rate, v->step, t->steps);
    dd_adamw_args args = {
        .scale = (float)fmin(1., spec->clip_norm / (norm + 1e-6)),
        .decay = (float)(1. - lr * spec->weight_decay),
        .beta2 = (float)t->beta2,
        .one_minus_beta1 = (float)(1. - t->beta1),
        .one_minus_beta2 = (float)(1. - t->beta2),
        .epsilon = (float)t->epsilon,
        .step_size = (float)(lr / (1. - pow(t->beta1, v->step + 1))),
        .inverse_root = (float)(1. / sqrt(1. - pow(t->beta2, v->step + 1))),
        .ema = (float)dd_ema_factor(t, v->step),
    };
    int first, last;
    dd_team_share(v->team, v->e->layout.slices, &first, &last);
    for (int i = last - 1; i >= first; i--) { /* the last written gradients are still in the cache */
        const dd_cpu_slice *slice = &v->e->layout.slice[i];
        const dd_cpu_layer *l = &v->e->layout.tower[slice->tower].layer[slice->layer];
        size_t panel = (size_t)l->in * DD_PANEL;
        size_t weight = l->weight + (size_t)slice->panel * panel, bias = l->bias + (size_t)slice->panel * DD_PANEL;
        float *const *state = v->replica->state;
        v->kernels->adamw(&args, (size_t)slice->panels * panel, v->w->gradient + weight,
                          state[DD_STATE_ONLINE] + weight, state[DD_STATE_MOMENT1] + weight,
                          state[DD_STATE_MOMENT2] + weight, state[DD_STATE_EMA] + weight);
        v->kernels->adamw(&args, (size_t)slice->panels * DD_PANEL, v->w->gradient + bias, state[DD_STATE_ONLINE] + bias,
                          state[DD_STATE_MOMENT1] + bias, state[DD_STATE_MOMENT2] + bias, state[DD_STATE_EMA] + bias);
        transpose_slice(v, slice);
    }
}

/* Forward, backward and weight gradient of the drawn batch. */
static void compute_gradient(const step_view *v)
{
    phase_embed(v);
    dd_team_barrier(v->team);
    phase_forward(v);
    dd_team_barrier(v->team);
    phase_backward(v);
    dd_team_barrier(v->team);
    phase_weights(v);
    dd_team_barrier(v->team);
}

/* Write row `place` of the log: each thread its rows of the gate, and rank 0 the sums over the batch. */
static void write_log(const step_view *v, dd_train_log *log, size_t place, double norm)
{
    const dd_cpu_workspace *w = v->w;
    if (log->gate) {
        int first, last;
        dd_team_share(v->team, log->batch, &first, &last);
        for (int r = first; r < last; r++) {
            for (int k = 0; k < log->gates; k++)
                log->gate[(place * (size_t)log->batch + (size_t)r) * (size_t)log->gates + (size_t)k] =
                    r < v->n ? w->gate[r * log->gates + k] : NAN;
            log->timestep[place * (size_t)log->batch + (size_t)r] = (int16_t)(r < v->n ? w->timestep[r] : -1);
        }
    }
    if (v->team->rank)
        return;
    double square = 0, distance = 0, n = v->n, entries = dimensions_of(v->e) * n;
    for (int r = 0; r < v->n; r++) {
        square += w->square[r];
        distance += w->distance[r];
    }
    log->mse[place] = (float)(square / entries);
    log->diversity[place] = (float)(distance / (n * n));
    log->loss[place] = (float)(square / entries - v->diversity * distance / (n * n));
    log->grad_norm[place] = (float)norm;
}

/* ---- a block of steps ---- */

typedef struct block {
    dd_ensemble *e;
    int first_step, steps;
    dd_train_log *log; /* NULL: compute only the gradient of first_step and leave it in the workspace */
    int replica;       /* the replica that all threads train together; -1: each trains its own */
} block;

static void train_replica(const block *b, int replica, dd_cpu_workspace *w, const dd_team *team)
{
    dd_ensemble *e = b->e;
    step_view v = {.e = e,
                   .kernels = e->context->kernels,
                   .w = w,
                   .replica = &e->replica[replica],
                   .team = team,
                   .scratch = &w->scratch[team->rank]};
    int first, last;
    dd_team_share(team, e->layout.slices, &first, &last);
    for (int i = first; i < last; i++)
        transpose_slice(&v, &e->layout.slice[i]);
    view_step(&v, b->first_step);
    draw_rows(&v);
    dd_team_barrier(team);
    for (int s = 0; s < b->steps; s++) {
        compute_gradient(&v);
        if (!b->log)
            return;
        double norm = gradient_norm(&v);
        phase_update(&v, norm);
        write_log(&v, b->log, (size_t)replica * (size_t)b->log->capacity + (size_t)s, norm);
        dd_team_barrier(team); /* the next batch replaces the data of the log */
        view_step(&v, v.step + 1);
        draw_rows(&v);
        dd_team_barrier(team);
    }
}

static void train_task(void *argument, const dd_team *team)
{
    const block *b = argument;
    if (b->replica >= 0) {
        train_replica(b, b->replica, b->e->workspace[0], team);
        return;
    }
    dd_team alone = {.rank = 0, .size = 1};
    int together = b->e->head.replicas / team->size * team->size;
    for (int r = team->rank; r < together; r += team->size)
        train_replica(b, r, b->e->workspace[team->rank], &alone);
}

dd_status dd_cpu_train(dd_ensemble *e, int first_step, int steps, dd_train_log *log)
{
    DD_TRY(workspaces_create(e));
    int threads = dd_pool_threads(e->context->pool);
    int alone = e->head.replicas / threads * threads;
    block b = {.e = e, .first_step = first_step, .steps = steps, .log = log, .replica = -1};
    if (alone)
        dd_pool_run(e->context->pool, train_task, &b);
    for (b.replica = alone; b.replica < e->head.replicas; b.replica++)
        dd_pool_run(e->context->pool, train_task, &b);
    return DD_OK;
}

dd_status dd_cpu_gradient(dd_ensemble *e, int step, float *gradient)
{
    DD_TRY(workspaces_create(e));
    block b = {.e = e, .first_step = step, .steps = 1};
    for (b.replica = 0; b.replica < e->head.replicas; b.replica++) {
        dd_pool_run(e->context->pool, train_task, &b);
        dd_cpu_unpack(&e->layout, e->workspace[0]->gradient,
                      gradient + (size_t)b.replica * e->layout.model->parameters);
    }
    return DD_OK;
}
