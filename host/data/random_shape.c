#include "data/random_shape.h"

#include <math.h>
#include <stddef.h>

#include "base/philox.h"
#include "data/generator.h"

double dd_shape_uniform(dd_random_shape *r)
{
    uint32_t word[4];
    dd_philox(r->seed, DD_DRAW_SHAPE, r->component, r->block++, word);
    return dd_uniform53(word[0], word[1]);
}

void dd_shape_normals(dd_random_shape *r, int count, double *normal)
{
    for (int c = 0; c < count; c += 2) {
        uint32_t word[4];
        double pair[2];
        dd_philox(r->seed, DD_DRAW_SHAPE, r->component, r->block++, word);
        dd_source_normal2(word, pair);
        normal[c] = pair[0];
        if (c + 1 < count)
            normal[c + 1] = pair[1];
    }
}

static double product(const double *a, const double *b, int n)
{
    double sum = 0.;
    for (int c = 0; c < n; c++)
        sum += a[c] * b[c];
    return sum;
}

/* Once removes the other axes to about 1e-13; the second time removes the rounding errors of the first. */
void dd_shape_axes(dd_random_shape *r, int rank, int dimensions, double *axis)
{
    for (int j = 0; j < rank; j++) {
        double *row = axis + (size_t)j * (size_t)dimensions;
        dd_shape_normals(r, dimensions, row);
        for (int i = 0; i < 2 * j; i++) {
            const double *other = axis + (size_t)(i % j) * (size_t)dimensions;
            double along = product(row, other, dimensions);
            for (int c = 0; c < dimensions; c++)
                row[c] -= along * other[c];
        }
        double length = sqrt(product(row, row, dimensions));
        for (int c = 0; c < dimensions; c++)
            row[c] /= length;
    }
}
