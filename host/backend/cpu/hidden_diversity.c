/* The diversity loss of the experts' last hidden layers. With h_i an expert's layer on row i of a batch of n, and c_ij
 * (kernels.h) from the inner products of all rows, the gradient of the mean distance at h_i is 2 / n^2 (h_i sum_j c_ij
 * - sum_j c_ij h_j): two products of matrices, computed by the layers' kernels. Only one expert's inner products are
 * stored at a time, and a thread needs only its own rows of them.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"

/* An expert's last hidden layer. */
static int layer_of(const dd_cpu_layout *layout, int expert)
{
    return layout->tower[expert].layers - 2;
}
static int panels_of(const dd_cpu_layout *layout, int expert)
{
    return layout->tower[expert].layer[layer_of(layout, expert)].out / DD_PANEL;
}

dd_status dd_cpu_hidden_create(const dd_cpu_layout *layout, const dd_cpu_activations *a, dd_cpu_hidden_diversity *h)
{
    size_t rows = (size_t)a->rows, experts = (size_t)layout->model->experts;
    size_t width = (size_t)panels_of(layout, 0) * DD_PANEL, gradient = (size_t)panels_of(layout, 0) * a->stride;
    h->gram_panel = a->stride;
    h->memory = dd_cpu_alloc(rows / DD_PANEL * a->stride + 2 * rows + experts * (rows * (width + 1) + gradient));
    if (!h->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the hidden layers' distances of %zu rows", rows);
    h->gram = h->memory;
    h->slope = h->gram + rows / DD_PANEL * a->stride;
    h->zero = h->slope + rows;
    float *next = h->zero + rows;
    for (size_t e = 0; e < experts; e++) {
        h->transposed[e] = next;
        h->square[e] = next + rows * width;
        h->gradient[e] = h->square[e] + rows;
        next = h->gradient[e] + gradient;
    }
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
