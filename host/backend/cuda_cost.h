/* What a training step costs on a GPU: the kernels and products that the CUDA backend starts, what each computes and
 * moves, and the least time that a device needs for that.
 *
 *     dd_cost cost;
 *     dd_cost_of_step(&model, &config.training, 20, &cost);
 *     dd_cost_floor floor = dd_cost_least_time(&cost, &dd_cost_devices[0]);
 *
 * Only the time of a start is measured. Counts follow from the architecture in the way cuda/network.cu uses it, and a
 * test compares them with the kernels that run. The time is a lower bound: every product runs at the device's peak, and
 * every operand is moved once between device memory and the kernel that uses it. A cache that keeps operands between
 * kernels can be faster than the memory part.
 */
#ifndef DD_CUDA_COST_H
#define DD_CUDA_COST_H

#include <stdbool.h>

#include "model/model.h"

/* What the number of launches depends on; the CUDA backend takes both from here. */
enum {
    DD_CUDA_NARROW = 4,   /* coordinates for which one kernel computes the experts' last layers and mixes them */
    DD_CUDA_PRODUCTS = 12 /* most own products of one launch */
};

enum { DD_COST_ITEMS = 6 * DD_MAX_LAYERS + 16, DD_COST_DEVICES = 5 };

/* One kernel or product for all replicas. */
typedef struct dd_cost_item {
    const char *name;
    bool product;        /* a product of matrices */
    bool concurrent;     /* on the second stream, at the same time as the items that follow */
    double flops, bytes; /* a multiply-add is two; bytes of device memory, each operand once */
} dd_cost_item;

typedef struct dd_cost {
    int items;
    dd_cost_item item[DD_COST_ITEMS];
    double bytes_to_device, bytes_to_host; /* a step */
    int graph_launches;                    /* a whole run */
} dd_cost;

/* Data sheets' figures: float32 outside the tensor cores, memory bandwidth. */
typedef struct dd_cost_device {
    const char *name;
    double flops, bandwidth; /* per s */
} dd_cost_device;

extern const dd_cost_device dd_cost_devices[DD_COST_DEVICES];

/* Least seconds per step: the longest of three parts. Kernels that run at the same time may use arithmetic and memory
 * better together than each alone, so it is not the sum of the longest parts of the kernels. */
typedef struct dd_cost_floor {
    double arithmetic, memory; /* summed over all kernels */
    double starts;             /* of the kernels that follow each other */
    double step;
} dd_cost_floor;

/* block: steps of one graph, which are logged together (dd_log_chunk). */
void dd_cost_of_step(const dd_model *model, const dd_training_config *training, int block, int replicas, dd_cost *cost);
dd_cost_floor dd_cost_least_time(const dd_cost *cost, const dd_cost_device *device);

int dd_cost_products(const dd_cost *cost); /* of the items, products of matrices */

#endif
