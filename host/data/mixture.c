#define _GNU_SOURCE /* M_PI */
#include "data/mixture.h"

#include <math.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/dot.h"
#include "base/philox.h"
#include "config/config.h"

static void take_arrays(dd_truth *t, dd_arena *arena)
{
    size_t dimensions = (size_t)t->dimensions, rank = (size_t)t->rank;
    DD_TAKE(arena, t->component, (size_t)t->components);
    for (int k = 0; k < t->components; k++) {
        dd_component none, *c = arena->memory ? &t->component[k] : &none;
        DD_TAKE(arena, c->centre, dimensions);
        DD_TAKE(arena, c->axis, rank * dimensions);
        DD_TAKE(arena, c->variance, rank);
    }
}

dd_status dd_mixture_create(int components, int dimensions, int rank, dd_truth *t)
{
    dd_arena arena = {0};
    t->kind = DD_TRUTH_MIXTURE;
    t->dimensions = dimensions;
    t->components = components;
    t->rank = rank;
    t->countable = true;
    dd_truth_radii(dimensions, &t->good, &t->off);
    take_arrays(t, &arena);
    t->memory = dd_arena_allocate(&arena);
    if (!t->memory) {
        t->components = 0;
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d Gaussians in %d dimensions", components, dimensions);
    }
    take_arrays(t, &arena);
    return DD_OK;
}

/* With p_j = axis_j (x - signal centre) and the variances v_j and r of S along and outside of the axes:
 *   (x - signal centre)' S^-1 (x - signal centre) = sum_j p_j^2 / v_j + (|x - signal centre|^2 - sum_j p_j^2) / r */
double dd_component_at(const dd_truth *t, int k, double signal, double noise, const double *x, double *distance,
                       double *mean_noise)
{
    const dd_component *g = &t->component[k];
    int dimensions = t->dimensions, outside = dimensions - t->rank;
    double from[DD_MAX_DIMENSIONS], left = 0., square = 0., logs = dimensions * log(2. * M_PI);
    double rest = signal * signal * g->rest + noise * noise, rest_rate = outside ? 1. / rest : 0.;
    for (int c = 0; c < dimensions; c++) {
        from[c] = x[c] - signal * g->centre[c];
        left += from[c] * from[c];
        if (mean_noise)
            mean_noise[c] = noise * rest_rate * from[c];
    }
    for (int j = 0; j < t->rank; j++) {
        const double *axis = g->axis + (size_t)j * (size_t)dimensions;
        double variance = signal * signal * g->variance[j] + noise * noise, p = dd_dot(axis, from, dimensions);
        left -= p * p;
        square += p * p / variance;
        logs += log(variance);
        for (int c = 0; c < dimensions && mean_noise; c++)
            mean_noise[c] += noise * (1. / variance - rest_rate) * p * axis[c];
    }
    if (outside) {
        square += fmax(left, 0.) * rest_rate;
        logs += outside * log(rest);
    }
    if (distance)
        *distance = sqrt(square);
    return log(g->weight) - .5 * (square + logs);
}

static int choose(const dd_truth *t, double uniform)
{
    int k = 0;
    for (; k < t->components - 1 && uniform >= t->component[k].weight; k++)
        uniform -= t->component[k].weight;
    return k;
}

/* covariance^1/2 e = sqrt(rest) e + sum_j (sqrt(variance_j) - sqrt(rest)) (axis_j e) axis_j. */
void dd_mixture_draw(const dd_truth *t, const dd_source *source, uint32_t i, double *x)
{
    uint32_t word[4];
    double normal[DD_MAX_DIMENSIONS];
    dd_source_block(source, i, 0, word);
    const dd_component *g = &t->component[choose(t, dd_uniform53(word[0], word[1]))];
    double rest = sqrt(g->rest);
    dd_source_normals(source, i, 4, t->dimensions, normal);
    for (int c = 0; c < t->dimensions; c++)
        x[c] = g->centre[c] + rest * normal[c];
    for (int j = 0; j < t->rank; j++) {
        const double *axis = g->axis + (size_t)j * (size_t)t->dimensions;
        double p = dd_dot(axis, normal, t->dimensions);
        for (int c = 0; c < t->dimensions; c++)
            x[c] += (sqrt(g->variance[j]) - rest) * p * axis[c];
    }
}
