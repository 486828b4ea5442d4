#include "analysis/by_coordinate.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/information.h"
#include "base/arena.h"
#include "base/statistics.h"

enum { BINS = DD_COORDINATE_BINS, MOST_POINTS = 20000 };

static void take_arrays(const dd_scene *s, dd_by_coordinate *b, dd_arena *arena)
{
    size_t rows = (size_t)s->dimensions * BINS, experts = (size_t)s->experts, chosen = (size_t)s->chosen->size;
    DD_TAKE(arena, b->edge, (size_t)s->dimensions * (BINS + 1));
    DD_TAKE(arena, b->place, rows);
    DD_TAKE(arena, b->points, rows);
    DD_TAKE(arena, b->sum, rows * experts);
    DD_TAKE(arena, b->chosen, chosen * rows * experts);
    DD_TAKE(arena, b->count, chosen * rows);
    DD_TAKE(arena, b->both, experts * rows * DD_GATE_BINS);
}

/* The edges of the bins: quantiles of each coordinate. */
static dd_status find_edges(const dd_scene *s, dd_by_coordinate *b)
{
    double fraction[BINS + 1];
    for (int i = 0; i <= BINS; i++)
        fraction[i] = (double)i / BINS;
    uint32_t n = s->fresh.n < MOST_POINTS ? s->fresh.n : MOST_POINTS;
    double *values = malloc(n * sizeof *values);
    if (!values)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the quantiles of %u points", n);
    for (int c = 0; c < s->dimensions; c++) {
        for (uint32_t i = 0; i < n; i++)
            values[i] = dd_scene_point(s, i)[c];
        dd_quantiles(values, n, fraction, BINS + 1, b->edge + (size_t)c * (BINS + 1));
    }
    free(values);
    return DD_OK;
}

dd_status dd_by_coordinate_create(dd_scene *s, dd_by_coordinate *b)
{
    dd_arena arena = {0};
    take_arrays(s, b, &arena);
    b->memory = dd_arena_allocate(&arena);
    if (!b->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the gate against %d coordinates", s->dimensions);
    take_arrays(s, b, &arena);
    return find_edges(s, b);
}

void dd_by_coordinate_free(dd_by_coordinate *b)
{
    free(b->memory);
    *b = (dd_by_coordinate){0};
}

/* How many inner edges are at most x. */
static size_t bin_of(const double *edge, double x)
{
    size_t bin = 0;
    while (bin < BINS - 1 && x >= edge[bin + 1])
        bin++;
    return bin;
}

/* The place of timestep t among the chosen ones; their number where it is not one of them. */
static size_t chosen_place(const dd_scene *s, int t)
{
    size_t place = 0, size = (size_t)s->chosen->size;
    while (place < size && (int)s->chosen->value[place] != t)
        place++;
    return place;
}

/* Add a point whose coordinate is in bin `row` (of D * bins), with the weights of the experts. */
static void add_weights(const dd_scene *s, dd_by_coordinate *b, size_t row, const float *weight)
{
    size_t rows = (size_t)s->dimensions * BINS, experts = (size_t)s->experts;
    b->points[row] += 1.;
    for (size_t e = 0; e < experts; e++) {
        b->sum[row * experts + e] += weight[e];
        b->both[(e * rows + row) * DD_GATE_BINS + (size_t)dd_gate_bin(weight[e])]++;
    }
}

/* The same at a chosen timestep: row of chosen * D * bins. */
static void add_chosen(dd_by_coordinate *b, size_t row, size_t experts, const float *weight)
{
    b->count[row] += 1.;
    for (size_t e = 0; e < experts; e++)
        b->chosen[row * experts + e] += weight[e];
}

void dd_by_coordinate_add(const dd_scene *s, dd_by_coordinate *b, int t, const float *x, const float *weight)
{
    size_t dimensions = (size_t)s->dimensions, experts = (size_t)s->experts, place = chosen_place(s, t);
    for (size_t i = 0; i < s->per_timestep; i++)
        for (size_t c = 0; c < dimensions; c++) {
            double value = x[i * dimensions + c];
            size_t row = c * BINS + bin_of(b->edge + c * (BINS + 1), value);
            b->place[row] += value;
            add_weights(s, b, row, weight + i * experts);
            if (place < (size_t)s->chosen->size)
                add_chosen(b, place * dimensions * BINS + row, experts, weight + i * experts);
        }
}

/* Means of n rows of `columns` sums; NaN in a row without points. */
static void means(const double *sum, const double *points, size_t n, size_t columns, float *out)
{
    for (size_t i = 0; i < n * columns; i++)
        out[i] = points[i / columns] > 0. ? (float)(sum[i] / points[i / columns]) : NAN;
}

static dd_status fill_bins(dd_scene *s, const dd_by_coordinate *b, const dd_axis *bin)
{
    float *edges, *centre, *points;
    const dd_axis *edge;
    size_t rows = (size_t)s->dimensions * BINS;
    DD_TRY(dd_scene_axis(s, "edge", BINS + 1, true, "1", "edge of a bin", &edge));
    DD_TRY(dd_scene_array(s, "by_coordinate/edges", 2, (const dd_axis *[]){s->coordinate, edge}, "1",
                          "edges of the bins: quantiles of the coordinate", &edges));
    DD_TRY(dd_scene_array(s, "by_coordinate/centre", 2, (const dd_axis *[]){s->coordinate, bin}, "1",
                          "mean of the coordinate over the points of the bin", &centre));
    DD_TRY(dd_scene_array(s, "by_coordinate/points", 2, (const dd_axis *[]){s->coordinate, bin}, "1",
                          "fresh points in the bin", &points));
    for (size_t i = 0; i < (size_t)s->dimensions * (BINS + 1); i++)
        edges[i] = (float)b->edge[i];
    for (size_t i = 0; i < rows; i++)
        points[i] = (float)b->points[i];
    means(b->place, b->points, rows, 1, centre);
    return DD_OK;
}

static dd_status fill_weights(dd_scene *s, const dd_by_coordinate *b, const dd_axis *bin)
{
    float *weight, *mean;
    size_t rows = (size_t)s->dimensions * BINS, experts = (size_t)s->experts;
    DD_TRY(dd_scene_array(s, "by_coordinate/weight", 4, (const dd_axis *[]){s->chosen, s->coordinate, bin, s->expert},
                          "1", "mean weight of each expert on noised points whose coordinate was in the bin", &weight));
    DD_TRY(dd_scene_array(s, "by_coordinate/weight_mean", 3, (const dd_axis *[]){s->coordinate, bin, s->expert}, "1",
                          "the same over all timesteps", &mean));
    means(b->chosen, b->count, (size_t)s->chosen->size * rows, experts, weight);
    means(b->sum, b->points, rows, experts, mean);
    return DD_OK;
}

static dd_status fill_information(dd_scene *s, const dd_by_coordinate *b)
{
    float *bits;
    DD_TRY(dd_scene_array(
        s, "information/data_coordinate", 2, (const dd_axis *[]){s->coordinate, s->expert}, "bit",
        "mutual information of an expert's weight and the bin of a coordinate, on fresh noised points", &bits));
    for (int c = 0; c < s->dimensions; c++)
        for (int e = 0; e < s->experts; e++)
            bits[c * s->experts + e] = (float)dd_information_bits(
                b->both + ((size_t)e * (size_t)s->dimensions + (size_t)c) * BINS * DD_GATE_BINS, BINS, DD_GATE_BINS);
    return DD_OK;
}

dd_status dd_by_coordinate_fill(dd_scene *s, const dd_by_coordinate *b)
{
    const dd_axis *bin;
    DD_TRY(dd_scene_axis(s, "bin", BINS, true, "1", "bin of a coordinate", &bin));
    DD_TRY(fill_bins(s, b, bin));
    DD_TRY(fill_weights(s, b, bin));
    return fill_information(s, b);
}
