/* The place of every tensor in the device's parameter vectors. */
#include "layout.h"

#include <string.h>

static size_t pad(size_t count, size_t to)
{
    return (count + to - 1) / to * to;
}

/* Add a slab: `members` tensors of `count` numbers for each replica. Its start is a multiple of 256 bytes. */
static dd_cuda_slab add_slab(dd_cuda_layout *l, int members, size_t count)
{
    dd_cuda_slab slab;
    slab.at = l->length;
    slab.member = pad(count, 4);
    slab.replica = (size_t)members * slab.member;
    l->length += pad((size_t)l->replicas * slab.replica, 64);
    l->chunks += (int)((slab.replica + DD_CUDA_CHUNK - 1) / DD_CUDA_CHUNK);
    l->slab[l->slabs++] = slab;
    return slab;
}

static void set_place(dd_cuda_layout *l, const dd_model *model, int tensor, const dd_cuda_slab *slab, size_t within)
{
    dd_cuda_place *place = &l->place[tensor];
    place->at = slab->at + within;
    place->replica = slab->replica;
    place->flat = model->tensor[tensor].offset;
    place->count = model->tensor[tensor].count;
    if (place->count > l->longest)
        l->longest = place->count;
}

static void add_group(dd_cuda_layout *l, const dd_model *model, int first_tower, int members)
{
    dd_cuda_group *g = &l->group[l->groups++];
    const dd_tower *tower = &model->tower[first_tower];
    g->members = members;
    g->hidden = tower->layers - 1;
    g->outputs = tower->layer[g->hidden].out;
    g->wide = first_tower < model->experts && g->outputs > DD_CUDA_NARROW;
    g->column = l->first_width;
    for (int i = 0; i < g->hidden; i++) {
        g->width[i] = tower->layer[i].out;
        g->residual[i] = tower->layer[i].residual;
    }
    l->first_width += members * g->width[0];
    for (int i = 1; i <= g->hidden; i++) {
        const dd_layer *layer = &tower->layer[i];
        g->weight[i] = add_slab(l, members, (size_t)layer->out * (size_t)layer->in);
        g->bias[i] = add_slab(l, members, (size_t)layer->out);
        for (int m = 0; m < members; m++) {
            const dd_layer *own = &model->tower[first_tower + m].layer[i];
            set_place(l, model, own->weight, &g->weight[i], (size_t)m * g->weight[i].member);
            set_place(l, model, own->bias, &g->bias[i], (size_t)m * g->bias[i].member);
        }
    }
}

void dd_cuda_layout_create(const dd_model *model, int replicas, dd_cuda_layout *l)
{
    memset(l, 0, sizeof *l);
    l->replicas = replicas;
    l->input = model->input_width;
    add_group(l, model, 0, model->experts);
    if (model->gates)
        add_group(l, model, model->experts, 1);
    l->first_weight = add_slab(l, 1, (size_t)l->first_width * (size_t)l->input);
    l->first_bias = add_slab(l, 1, (size_t)l->first_width);
    size_t column = 0;
    for (int t = 0; t < model->towers; t++) {
        const dd_layer *layer = &model->tower[t].layer[0];
        set_place(l, model, layer->weight, &l->first_weight, column * (size_t)l->input);
        set_place(l, model, layer->bias, &l->first_bias, column);
        column += (size_t)layer->out;
    }
}

void dd_cuda_layout_chunks(const dd_cuda_layout *l, dd_cuda_chunk *chunk)
{
    for (int s = 0; s < l->slabs; s++) {
        const dd_cuda_slab *slab = &l->slab[s];
        for (size_t first = 0; first < slab->replica; first += DD_CUDA_CHUNK, chunk++) {
            size_t left = slab->replica - first;
            chunk->at = slab->at + first;
            chunk->replica = slab->replica;
            chunk->count = left < DD_CUDA_CHUNK ? (int)left : DD_CUDA_CHUNK;
        }
    }
}
