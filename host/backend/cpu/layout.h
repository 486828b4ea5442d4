/* The packed parameter vector: the layout in which the CPU backend keeps parameters, their average and the optimiser's
 * moments, so that a step only has to pack the transposed copy.
 *
 * A layer's weights are panels of 16 outputs; row k of a panel holds the weights of input k. Inputs and
 * outputs are padded to 16 with zeros, which stay zero: their gradients are zero. The first layer's
 * inputs are in two parts, the embedded coordinates [0, x_width) and the embedded timestep
 * [x_width, x_width + t_width), each padded.
 */
#ifndef DD_CPU_LAYOUT_H
#define DD_CPU_LAYOUT_H

#include <stdbool.h>

#include "backend/cpu/kernels.h"
#include "base/error.h"
#include "model/model.h"

static inline int dd_pad(int n)
{
    return (n + DD_PANEL - 1) / DD_PANEL * DD_PANEL;
}

typedef struct dd_cpu_layer {
    int in, out; /* padded */
    bool residual;
    size_t weight, bias; /* offsets in the packed vector */
    size_t transposed;   /* offset in the transposed copy; the first layer has none */
    int weight_tensor, bias_tensor;
} dd_cpu_layer;

typedef struct dd_cpu_tower {
    int layers;
    dd_cpu_layer layer[DD_MAX_LAYERS];
} dd_cpu_tower;

/* A slice of the work on the weight gradient and of the optimiser's pass: one or two output panels of a layer. */
typedef struct dd_cpu_slice {
    int tower, layer, panel, panels;
} dd_cpu_slice;

typedef struct dd_cpu_layout {
    const dd_model *model;
    int x_width, t_width; /* padded widths of the embedded coordinates and of the embedded timestep */
    int towers;
    dd_cpu_tower tower[DD_MAX_TOWERS];
    size_t packed, transposed; /* lengths */
    int slices;
    dd_cpu_slice *slice;
} dd_cpu_layout;

DD_CHECKED dd_status dd_cpu_layout_create(const dd_model *model, dd_cpu_layout *layout);
void dd_cpu_layout_free(dd_cpu_layout *layout);

/* Copy between the flat vector of dd_model and the packed one. Packing also writes the zeros. */
void dd_cpu_pack(const dd_cpu_layout *layout, const float *flat, float *packed);
void dd_cpu_unpack(const dd_cpu_layout *layout, const float *packed, float *flat);

#endif
