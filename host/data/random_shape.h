/* The random numbers that decide the distribution of a random dataset.
 *
 *     dd_random_shape r = {.seed = data->seed, .component = k};
 *     double u = dd_shape_uniform(&r);
 *     dd_shape_normals(&r, dimensions, centre);
 *
 * Component k has the blocks (DD_DRAW_SHAPE, step = k, index = 0, 1, ...) and uses them in order.
 */
#ifndef DD_RANDOM_SHAPE_H
#define DD_RANDOM_SHAPE_H

#include <stdint.h>

typedef struct dd_random_shape {
    uint64_t seed;
    uint32_t component;
    uint64_t block; /* the next one */
} dd_random_shape;

/* Uniform in (0, 1), from words 0 and 1 of the next block. */
double dd_shape_uniform(dd_random_shape *r);
/* `count` standard normals, two from each block. */
void dd_shape_normals(dd_random_shape *r, int count, double *normal);
/* `rank` random orthonormal rows in D dimensions, rank <= D: normal vectors after Gram and Schmidt, whose distribution
 * no rotation changes. axis (rank, D). */
void dd_shape_axes(dd_random_shape *r, int rank, int dimensions, double *axis);

#endif
