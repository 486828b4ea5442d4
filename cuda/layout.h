/* The parameter vectors on the device: one for each of dd_state_part, and the gradient.
 *
 * One call multiplies the matrices of all replicas and experts if they have a constant stride. So a vector is a
 * sequence of slabs, one for each tensor of a tower, [replica][member][...], where the members are the experts (or only
 * the gate). The first layers of all towers have the same input and are one slab, [replica][experts' outputs, gate's
 * outputs][input], so one product computes them. Weights are [out][in] as in dd_model. The part of a replica (or
 * member) in a slab is padded with zeros to a multiple of 4 numbers. The padding stays zero, because its gradient is
 * zero.
 */
#ifndef DD_CUDA_LAYOUT_H
#define DD_CUDA_LAYOUT_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/cuda_cost.h"
#include "model/model.h"

/* Element e of replica r, member m: at + r * replica + m * member + e. */
typedef struct dd_cuda_slab {
    size_t at, replica, member;
} dd_cuda_slab;

/* Towers of equal shape: the experts, or the gate. Layers 0 .. hidden-1 are hidden, layer `hidden` gives
 * the outputs. */
typedef struct dd_cuda_group {
    int members;
    int hidden;
    int outputs; /* coordinates, or the gate's logits */
    bool wide;   /* the last layer is a product: experts of more than DD_CUDA_NARROW coordinates */
    int column;  /* offset of the first member's outputs in the joint first layer; members follow each other */
    int width[DD_MAX_LAYERS];
    bool residual[DD_MAX_LAYERS];
    dd_cuda_slab weight[DD_MAX_LAYERS], bias[DD_MAX_LAYERS]; /* of layers 1 .. hidden */
} dd_cuda_group;

/* A part of a slab for one thread block: element e of replica r is at + r * replica + e, e < count. */
typedef struct dd_cuda_chunk {
    size_t at, replica;
    int count;
} dd_cuda_chunk;

/* A tensor of dd_model: element e of replica r is at + r * replica + e here, flat + e in dd_model's vector. */
typedef struct dd_cuda_place {
    size_t at, replica, flat, count;
} dd_cuda_place;

enum {
    DD_CUDA_EXPERTS = 0,
    DD_CUDA_GATE = 1,
    DD_CUDA_GROUPS = 2,
    DD_CUDA_CHUNK = 2048,
    DD_CUDA_SLABS = 2 + 2 * DD_CUDA_GROUPS * DD_MAX_LAYERS
};

typedef struct dd_cuda_layout {
    int replicas;
    int input;       /* width of the embedded point */
    int first_width; /* outputs of the joint first layer */
    int groups;      /* 1, or 2 with a gate */
    dd_cuda_group group[DD_CUDA_GROUPS];
    dd_cuda_slab first_weight, first_bias;
    int slabs;
    dd_cuda_slab slab[DD_CUDA_SLABS]; /* all of them, in their order in the vector */
    size_t length;                    /* of a vector */
    int chunks;                       /* of one replica */
    size_t longest;                   /* tensor */
    dd_cuda_place place[DD_MAX_TENSORS];
} dd_cuda_layout;

void dd_cuda_layout_create(const dd_model *model, int replicas, dd_cuda_layout *layout);

/* chunk [layout.chunks] */
void dd_cuda_layout_chunks(const dd_cuda_layout *layout, dd_cuda_chunk *chunk);

#endif
