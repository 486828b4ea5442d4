#include "backend/cpu/layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static void lay_out_tower(dd_cpu_layout *l, const dd_tower *tower, dd_cpu_tower *out)
{
    out->layers = tower->layers;
    for (int i = 0; i < tower->layers; i++) {
        const dd_layer *from = &tower->layer[i];
        dd_cpu_layer *to = &out->layer[i];
        to->in = i ? dd_pad(from->in) : l->x_width + l->t_width;
        to->out = dd_pad(from->out);
        to->residual = from->residual;
        to->weight_tensor = from->weight;
        to->bias_tensor = from->bias;
        to->weight = l->packed;
        l->packed += (size_t)to->in * (size_t)to->out;
        to->bias = l->packed;
        l->packed += (size_t)to->out;
        if (i) {
            to->transposed = l->transposed;
            l->transposed += (size_t)to->in * (size_t)to->out;
        }
    }
}

static dd_status make_slices(dd_cpu_layout *l)
{
    int count = 0;
    for (int pass = 0; pass < 2; pass++) {
        count = 0;
        for (int t = 0; t < l->towers; t++)
            for (int i = 0; i < l->tower[t].layers; i++) {
                int panels = l->tower[t].layer[i].out / DD_PANEL;
                for (int p = 0; p < panels; p += 2, count++)
                    if (pass)
                        l->slice[count] = (dd_cpu_slice){t, i, p, panels - p < 2 ? 1 : 2};
            }
        if (!pass && !(l->slice = malloc((size_t)count * sizeof *l->slice)))
            return dd_fail(DD_ERR_MEMORY, "out of memory for the network's layout");
    }
    l->slices = count;
    return DD_OK;
}

dd_status dd_cpu_layout_create(const dd_model *model, dd_cpu_layout *layout)
{
    memset(layout, 0, sizeof *layout);
    layout->model = model;
    layout->x_width = dd_pad(model->x_width);
    layout->t_width = dd_pad(model->config.embedding_width);
    layout->towers = model->towers;
    for (int t = 0; t < model->towers; t++)
        lay_out_tower(layout, &model->tower[t], &layout->tower[t]);
    return make_slices(layout);
}

void dd_cpu_layout_free(dd_cpu_layout *layout)
{
    free(layout->slice);
    layout->slice = NULL;
}

/* Call visit for every parameter with its index in both vectors. */
static void for_each_place(const dd_cpu_layout *layout, void (*visit)(size_t flat, size_t packed, void *user),
                           void *user)
{
    int x_inputs = layout->model->x_width;
    for (int t = 0; t < layout->towers; t++)
        for (int i = 0; i < layout->tower[t].layers; i++) {
            const dd_cpu_layer *l = &layout->tower[t].layer[i];
            const dd_tensor *weight = &layout->model->tensor[l->weight_tensor];
            const dd_tensor *bias = &layout->model->tensor[l->bias_tensor];
            for (int o = 0; o < weight->rows; o++) {
                size_t panel = l->weight + (size_t)(o / DD_PANEL) * DD_PANEL * (size_t)l->in + (size_t)(o % DD_PANEL);
                for (int k = 0; k < weight->cols; k++) {
                    int place = i == 0 && k >= x_inputs ? layout->x_width + k - x_inputs : k;
                    visit(weight->offset + (size_t)o * (size_t)weight->cols + (size_t)k,
                          panel + DD_PANEL * (size_t)place, user);
                }
                visit(bias->offset + (size_t)o, l->bias + (size_t)o, user);
            }
        }
}

typedef struct copy {
    const float *from;
    float *to;
} copy;

static void to_packed(size_t flat, size_t packed, void *user)
{
    copy *c = user;
    c->to[packed] = c->from[flat];
}

static void to_flat(size_t flat, size_t packed, void *user)
{
    copy *c = user;
    c->to[flat] = c->from[packed];
}

void dd_cpu_pack(const dd_cpu_layout *layout, const float *flat, float *packed)
{
    memset(packed, 0, layout->packed * sizeof *packed);
    for_each_place(layout, to_packed, &(copy){flat, packed});
}

void dd_cpu_unpack(const dd_cpu_layout *layout, const float *packed, float *flat)
{
    for_each_place(layout, to_flat, &(copy){packed, flat});
}
