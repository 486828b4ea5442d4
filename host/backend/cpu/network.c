/* Forward and backward through the towers. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/arena.h"
#include "model/gating.h"

/* ---- embedding ---- */

/* Tables for one timestep, while the embedding is made. */
typedef struct time_tables {
    double *frequency;    /* [half] */
    float *high, *low;    /* [half_padded] frequency of a timestep, scale included, in two parts */
    float *sine, *cosine; /* [half_padded] */
} time_tables;

static void take_embedding(dd_cpu_embedding *e, dd_arena *arena)
{
    DD_TAKE(arena, e->frequency, (size_t)e->half_padded);
    DD_TAKE(arena, e->frequency_low, (size_t)e->half_padded);
    DD_TAKE(arena, e->time, (size_t)(dd_pad(2 * e->half) / DD_PANEL) * e->time_panel);
}

static void take_time_tables(const dd_cpu_embedding *e, time_tables *t, dd_arena *arena)
{
    size_t half = (size_t)e->half_padded;
    DD_TAKE(arena, t->frequency, half);
    DD_TAKE(arena, t->high, half);
    DD_TAKE(arena, t->low, half);
    DD_TAKE(arena, t->sine, half);
    DD_TAKE(arena, t->cosine, half);
}

static void fill_frequencies(const dd_model *model, time_tables *t, dd_cpu_embedding *e)
{
    dd_model_frequencies(model, t->frequency);
    for (int i = 0; i < e->half; i++) {
        double f = model->config.input_scale * t->frequency[i], g = model->config.time_scale * t->frequency[i];
        e->frequency[i] = (float)f;
        e->frequency_low[i] = (float)(f - e->frequency[i]);
        t->high[i] = (float)g;
        t->low[i] = (float)(g - t->high[i]);
    }
}

static void embed_timesteps(const dd_kernels *kernels, const time_tables *tables, int timesteps, dd_cpu_embedding *e)
{
    for (int t = 0; t < timesteps; t++) {
        kernels->sine_cosine((float)t, tables->high, tables->low, e->half_padded, tables->sine, tables->cosine);
        for (int c = 0; c < 2 * e->half; c++)
            e->time[dd_cpu_place(e->time_panel, t, c)] = c < e->half ? tables->sine[c] : tables->cosine[c - e->half];
    }
}

dd_status dd_cpu_embedding_create(const dd_model *model, int timesteps, const dd_kernels *kernels, dd_cpu_embedding *e)
{
    time_tables tables;
    dd_arena arena = {0}, scratch = {0};
    memset(e, 0, sizeof *e);
    e->kind = model->config.embedding;
    e->dimensions = model->dimensions;
    e->directions = e->kind == DD_EMBED_FOURIER ? model->config.fourier_features / 2 : 0;
    e->directions_padded = dd_pad(e->directions);
    e->half = model->config.embedding_width / 2;
    e->half_padded = dd_pad(e->half);
    e->scratch = e->kind == DD_EMBED_FOURIER ? 4 * (size_t)e->directions_padded : 2 * (size_t)e->half_padded;
    e->time_rows = dd_pad(timesteps);
    e->time_panel = (size_t)e->time_rows * DD_PANEL;
    take_embedding(e, &arena);
    take_time_tables(e, &tables, &scratch);
    e->memory = dd_arena_allocate(&arena);
    if (!e->memory || !dd_arena_allocate(&scratch)) {
        dd_cpu_embedding_free(e);
        return dd_fail(DD_ERR_MEMORY, "out of memory for the embedding of %d timesteps", timesteps);
    }
    take_embedding(e, &arena);
    take_time_tables(e, &tables, &scratch);
    fill_frequencies(model, &tables, e);
    embed_timesteps(kernels, &tables, timesteps, e);
    free(scratch.memory);
    return DD_OK;
}

void dd_cpu_embedding_free(dd_cpu_embedding *e)
{
    free(e->memory);
    memset(e, 0, sizeof *e);
}

/* Write `count` columns of row r from column `column` on. */
static void put_columns(float *matrix, size_t stride, int row, int column, const float *value, int count)
{
    for (int c = 0; c < count;) {
        int place = column + c, run = DD_PANEL - place % DD_PANEL;
        if (run > count - c)
            run = count - c;
        memcpy(matrix + dd_cpu_place(stride, row, place), value + c, (size_t)run * sizeof *value);
        c += run;
    }
}

static void embed_coordinates(const dd_cpu_embedding *e, const dd_kernels *kernels, const float *x, int row,
                              float *scratch, dd_cpu_activations *a)
{
    float *sine = scratch, *cosine = scratch + e->half_padded;
    for (int c = 0; c < e->dimensions; c++) {
        kernels->sine_cosine(x[c], e->frequency, e->frequency_low, e->half_padded, sine, cosine);
        put_columns(a->embedded, a->stride, row, 2 * c * e->half, sine, e->half);
        put_columns(a->embedded, a->stride, row, (2 * c + 1) * e->half, cosine, e->half);
    }
}

/* The angles are sums in float64: one of several hundred, rounded to float32, would change the sine. The kernel takes
 * them in two parts, as the frequencies of x = 1. */
static void embed_features(const dd_cpu_embedding *e, const dd_kernels *kernels, const double *direction,
                           const float *x, int row, float *scratch, dd_cpu_activations *a)
{
    size_t count = (size_t)e->directions_padded;
    float *high = scratch, *low = high + count, *sine = low + count, *cosine = sine + count;
    for (size_t i = 0; i < count; i += DD_PANEL) {
        double angle[DD_PANEL] = {0.};
        for (int c = 0; c < e->dimensions; c++)
            for (size_t k = 0; k < DD_PANEL; k++)
                angle[k] += direction[(size_t)c * count + i + k] * x[c];
        for (size_t k = 0; k < DD_PANEL; k++) {
            high[i + k] = (float)angle[k];
            low[i + k] = (float)(angle[k] - high[i + k]);
        }
    }
    kernels->sine_cosine(1.f, high, low, e->directions_padded, sine, cosine);
    put_columns(a->embedded, a->stride, row, 0, sine, e->directions);
    put_columns(a->embedded, a->stride, row, e->directions, cosine, e->directions);
}

void dd_cpu_embed(const dd_cpu_embedding *e, const dd_kernels *kernels, const double *direction, const float *x,
                  int first, int last, float *scratch, dd_cpu_activations *a)
{
    for (int r = first; r < last; r++) {
        const float *point = x + e->dimensions * r;
        switch (e->kind) {
        case DD_EMBED_SINUSOIDAL:
            embed_coordinates(e, kernels, point, r, scratch, a);
            break;
        case DD_EMBED_FOURIER:
            embed_features(e, kernels, direction, point, r, scratch, a);
            break;
        case DD_EMBED_LINEAR:
            put_columns(a->embedded, a->stride, r, 0, point, e->dimensions);
            break;
        }
    }
}

/* ---- buffers ---- */

static void take_tower(const dd_cpu_tower *tower, int t, bool for_training, dd_cpu_activations *a, dd_arena *arena)
{
    int widest = 0;
    for (int i = 0; i < tower->layers; i++)
        widest = tower->layer[i].out > widest ? tower->layer[i].out : widest;
    for (int i = 0; i < tower->layers; i++) {
        if (!for_training && i >= 2) {
            a->hidden[t][i] = a->hidden[t][i % 2];
            a->active[t][i] = a->active[t][i % 2];
            continue;
        }
        size_t panels = (size_t)(for_training ? tower->layer[i].out : widest) / DD_PANEL;
        DD_TAKE(arena, a->hidden[t][i], panels * a->stride);
        DD_TAKE(arena, a->active[t][i], panels * a->stride);
        if (for_training)
            DD_TAKE(arena, a->gradient[t][i], panels * a->stride);
    }
}

static void take_activations(const dd_cpu_layout *layout, bool for_training, dd_cpu_activations *a, dd_arena *arena)
{
    DD_TAKE(arena, a->embedded, (size_t)layout->x_width / DD_PANEL * a->stride);
    for (int t = 0; t < layout->towers; t++)
        take_tower(&layout->tower[t], t, for_training, a, arena);
}

dd_status dd_cpu_activations_create(const dd_cpu_layout *layout, int rows, bool for_training, dd_cpu_activations *a)
{
    dd_arena arena = {0};
    memset(a, 0, sizeof *a);
    a->rows = dd_pad(rows);
    /* Half a tile more than the rows: panels with a distance of 4096 bytes would share cache sets. */
    a->stride = (size_t)(a->rows + 8) * DD_PANEL;
    take_activations(layout, for_training, a, &arena);
    size_t bytes = arena.used;
    a->memory = dd_arena_allocate(&arena);
    if (!a->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the activations of %d points (%zu bytes)", rows, bytes);
    take_activations(layout, for_training, a, &arena);
    for (int t = 0; t < layout->towers; t++)
        a->active[t][layout->tower[t].layers - 1] = NULL;
    return DD_OK;
}

void dd_cpu_activations_free(dd_cpu_activations *a)
{
    free(a->memory);
    memset(a, 0, sizeof *a);
}

/* ---- the timestep's part of the first layer ---- */

int dd_cpu_time_table_panels(const dd_cpu_layout *layout)
{
    int panels = 0;
    for (int t = 0; t < layout->towers; t++)
        panels += layout->tower[t].layer[0].out / DD_PANEL;
    return panels;
}

static void take_time_table(const dd_cpu_layout *layout, dd_cpu_time_table *table, dd_arena *arena)
{
    for (int t = 0; t < layout->towers; t++)
        DD_TAKE(arena, table->tower[t], (size_t)(layout->tower[t].layer[0].out / DD_PANEL) * table->stride);
}

dd_status dd_cpu_time_table_create(const dd_cpu_layout *layout, int rows, dd_cpu_time_table *table)
{
    dd_arena arena = {0};
    memset(table, 0, sizeof *table);
    table->stride = (size_t)(dd_pad(rows) + 8) * DD_PANEL;
    take_time_table(layout, table, &arena);
    table->memory = dd_arena_allocate(&arena);
    if (!table->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the first layer's table of %d timesteps", rows);
    take_time_table(layout, table, &arena);
    return DD_OK;
}

void dd_cpu_time_table_free(dd_cpu_time_table *table)
{
    free(table->memory);
    memset(table, 0, sizeof *table);
}

void dd_cpu_time_table_fill(const dd_cpu_layout *layout, const dd_kernels *kernels, const float *parameters,
                            const float *embedded, size_t embedded_panel, int rows, int first, int last,
                            dd_cpu_time_table *table)
{
    for (int t = 0, before = 0; t < layout->towers; t++) {
        const dd_cpu_layer *l = &layout->tower[t].layer[0];
        int panels = l->out / DD_PANEL;
        int from = first > before ? first - before : 0, to = last - before < panels ? last - before : panels;
        before += panels;
        if (from >= to)
            continue;
        size_t weight_panel = (size_t)l->in * DD_PANEL;
        kernels->forward(&(dd_forward_args){
            .rows = dd_pad(rows),
            .depth = layout->t_width,
            .panels = to - from,
            .input = embedded,
            .input_panel = embedded_panel,
            .weight = parameters + l->weight + (size_t)from * weight_panel + (size_t)layout->x_width * DD_PANEL,
            .weight_panel = weight_panel,
            .start = parameters + l->bias + (size_t)from * DD_PANEL,
            .start_panel = DD_PANEL,
            .output = table->tower[t] + (size_t)from * table->stride,
            .output_panel = table->stride,
        });
    }
}

/* ---- forward and backward ---- */

void dd_cpu_forward(const dd_cpu_layout *layout, const dd_kernels *kernels, const float *parameters,
                    const dd_cpu_time_table *table, const int32_t *time_row, int first, int last, dd_cpu_activations *a)
{
    size_t shift = (size_t)first * DD_PANEL;
    for (int t = 0; t < layout->towers; t++)
        for (int i = 0; i < layout->tower[t].layers; i++) {
            const dd_cpu_layer *l = &layout->tower[t].layer[i];
            dd_forward_args args = {
                .rows = last - first,
                .depth = i ? l->in : layout->x_width,
                .panels = l->out / DD_PANEL,
                .input = (i ? a->active[t][i - 1] : a->embedded) + shift,
                .input_panel = a->stride,
                .weight = parameters + l->weight,
                .weight_panel = (size_t)l->in * DD_PANEL,
                .start = i ? parameters + l->bias : table->tower[t],
                .start_panel = i ? DD_PANEL : table->stride,
                .start_row = i ? NULL : time_row + first,
                .residual = l->residual ? a->hidden[t][i - 1] + shift : NULL,
                .output = a->hidden[t][i] + shift,
                .activated = a->active[t][i] ? a->active[t][i] + shift : NULL,
                .output_panel = a->stride,
                .activation = layout->model->config.activation,
            };
            kernels->forward(&args);
        }
}

void dd_cpu_backward(const dd_cpu_layout *layout, const dd_kernels *kernels, const float *transposed,
                     float *const *along, int first, int last, dd_cpu_activations *a)
{
    size_t shift = (size_t)first * DD_PANEL;
    for (int t = 0; t < layout->towers; t++)
        for (int i = layout->tower[t].layers - 1; i > 0; i--) {
            const dd_cpu_layer *l = &layout->tower[t].layer[i];
            dd_backward_args args = {
                .rows = last - first,
                .depth = l->out,
                .panels = l->in / DD_PANEL,
                .gradient = a->gradient[t][i] + shift,
                .gradient_panel = a->stride,
                .transposed = transposed + l->transposed,
                .transposed_panel = (size_t)l->out * DD_PANEL,
                .hidden = a->hidden[t][i - 1] + shift,
                .along = l->residual ? a->gradient[t][i] + shift : NULL,
                .along_panel = a->stride,
                .output = a->gradient[t][i - 1] + shift,
                .output_panel = a->stride,
                .activation = layout->model->config.activation,
            };
            if (along && along[t] && i == layout->tower[t].layers - 1)
                args.along = along[t] + shift;
            kernels->backward_input(&args);
        }
}

void dd_cpu_output_row(const dd_cpu_layout *layout, const dd_cpu_activations *a, int row, dd_cpu_output *out)
{
    const dd_model *model = layout->model;
    int experts = model->experts, dimensions = model->dimensions;
    for (int e = 0; e < experts; e++)
        for (int c = 0; c < dimensions; c++)
            out->expert[e * dimensions + c] =
                a->hidden[e][layout->tower[e].layers - 1][dd_cpu_place(a->stride, row, c)];
    const float *logit =
        model->gates ? a->hidden[experts][layout->tower[experts].layers - 1] + DD_PANEL * (size_t)row : NULL;
    dd_gate_soft(experts, model->gates, logit, out->soft);
    memcpy(out->weight, out->soft, sizeof out->weight);
    dd_gate_use(model->config.gate, experts, out->weight);
    for (int c = 0; c < dimensions; c++) {
        out->mixture[c] = 0.f;
        for (int e = 0; e < experts; e++)
            out->mixture[c] += out->weight[e] * out->expert[e * dimensions + c];
    }
}
