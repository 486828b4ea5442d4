/* The diversity loss of the experts' last hidden layers. With h_i an expert's layer on row i of a batch of n, and c_ij
 * (kernels.h) from the inner products of all rows, the gradient of the mean distance at h_i is 2 / n^2 (h_i sum_j c_ij
 * - sum_j c_ij h_j): two products of matrices, computed by the layers' kernels. Only one expert's inner products are
 * stored at a time, and a thread needs only its own rows of them.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/arena.h"

/* An expert's last hidden layer. */
static int layer_of(const dd_cpu_layout *layout, int expert)
{
    return layout->tower[expert].layers - 2;
}
static int panels_of(const dd_cpu_layout *layout, int expert)
{
    return layout->tower[expert].layer[layer_of(layout, expert)].out / DD_PANEL;
}

static void take_arrays(const dd_cpu_layout *layout, const dd_cpu_activations *a, dd_cpu_hidden_diversity *h,
                        dd_arena *arena)
{
    size_t rows = (size_t)a->rows, panels = (size_t)panels_of(layout, 0);
    DD_TAKE(arena, h->gram, rows / DD_PANEL * h->gram_panel);
    DD_TAKE(arena, h->slope, rows);
    DD_TAKE(arena, h->zero, rows);
    for (int e = 0; e < layout->model->experts; e++) {
        DD_TAKE(arena, h->transposed[e], rows * panels * DD_PANEL);
        DD_TAKE(arena, h->square[e], rows);
        DD_TAKE(arena, h->gradient[e], panels * a->stride);
    }
}

dd_status dd_cpu_hidden_create(const dd_cpu_layout *layout, const dd_cpu_activations *a, dd_cpu_hidden_diversity *h)
{
    dd_arena arena = {0};
    h->gram_panel = a->stride;
    take_arrays(layout, a, h, &arena);
    h->memory = dd_arena_allocate(&arena);
    if (!h->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the hidden layers' distances of %d rows", a->rows);
    take_arrays(layout, a, h, &arena);
    return DD_OK;
}

void dd_cpu_hidden_free(dd_cpu_hidden_diversity *h)
{
    free(h->memory);
    memset(h, 0, sizeof *h);
}

void dd_cpu_hidden_prepare(const dd_cpu_layout *layout, const dd_kernels *kernels, const dd_cpu_activations *a,
                           int first, int last, dd_cpu_hidden_diversity *h)
{
    for (int e = 0; e < layout->model->experts; e++) {
        int panels = panels_of(layout, e);
        size_t width = (size_t)panels * DD_PANEL;
        const float *active = a->active[e][layer_of(layout, e)];
        for (int p = 0; p < panels; p++)
            kernels->transpose(active + (size_t)p * a->stride + DD_PANEL * (size_t)first, last - first,
                               h->transposed[e] + (size_t)first * width + (size_t)p * DD_PANEL * DD_PANEL,
                               width * DD_PANEL);
        /* Squared lengths, summed in the same order as the inner products, so that equal vectors are at distance 0. */
        for (int row = first; row < last; row += DD_PANEL) {
            float block[DD_PANEL * DD_PANEL];
            kernels->forward(&(dd_forward_args){.rows = DD_PANEL,
                                                .depth = (int)width,
                                                .panels = 1,
                                                .input = active + DD_PANEL * (size_t)row,
                                                .input_panel = a->stride,
                                                .weight = h->transposed[e] + (size_t)row * width,
                                                .weight_panel = width * DD_PANEL,
                                                .start = h->zero,
                                                .start_panel = DD_PANEL,
                                                .output = block,
                                                .output_panel = sizeof block / sizeof *block});
            for (int i = 0; i < DD_PANEL; i++)
                h->square[e][row + i] = block[DD_PANEL * i + i];
        }
    }
}

void dd_cpu_hidden_gradient(const dd_cpu_layout *layout, const dd_kernels *kernels, const dd_training_config *training,
                            double weight, const dd_cpu_activations *a, int n, int first, int last,
                            dd_cpu_hidden_diversity *h, float *distance)
{
    int experts = layout->model->experts, padded = dd_pad(n);
    size_t shift = DD_PANEL * (size_t)first;
    memset(distance + first, 0, (size_t)(last - first) * sizeof *distance);
    for (int e = 0; e < experts; e++) {
        int layer = layer_of(layout, e), panels = panels_of(layout, e);
        const float *active = a->active[e][layer];
        dd_forward_args args = {.rows = last - first,
                                .depth = panels * DD_PANEL,
                                .panels = padded / DD_PANEL,
                                .input = active + shift,
                                .input_panel = a->stride,
                                .weight = h->transposed[e],
                                .weight_panel = (size_t)panels * DD_PANEL * DD_PANEL,
                                .start = h->zero,
                                .start_panel = DD_PANEL,
                                .output = h->gram + shift,
                                .output_panel = h->gram_panel};
        kernels->forward(&args);
        kernels->gram_distances(training->diversity_distance, (float)training->diversity_scale, h->gram, h->gram_panel,
                                h->square[e], n, first, last, distance, h->slope);
        args.depth = padded;
        args.panels = panels;
        args.input = h->gram + shift;
        args.input_panel = h->gram_panel;
        args.weight = active;
        args.weight_panel = a->stride;
        args.output = h->gradient[e] + shift;
        args.output_panel = a->stride;
        kernels->forward(&args);
        kernels->hidden_gradient((float)(-2. * weight / ((double)n * n * experts)), h->slope, a->hidden[e][layer],
                                 active, panels, a->stride, first, last, layout->model->config.activation,
                                 h->gradient[e]);
    }
    for (int i = first; i < last; i++)
        distance[i] /= (float)experts;
}
