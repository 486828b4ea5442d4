/* Regions: modes, or cells of a grid. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "data/dataset.h"
#include "data/truth_regions.h"

#include "analysis/regions.h"

enum { CELLS_OF_LINE = 64, CELLS = 8 }; /* along each axis */

static double along(const dd_regions *r, int axis, const float *x)
{
    return r->principal ? dd_principal_place(r->principal, axis, x) : x[axis];
}

/* Bounds of the points along the axes of the grid. */
static void find_bounds(const dd_points *points, dd_regions *r)
{
    for (int axis = 0; axis < r->axes; axis++) {
        double low = INFINITY, high = -INFINITY;
        for (uint32_t i = 0; i < points->n; i++) {
            double place = along(r, axis, points->x + (size_t)r->dimensions * i);
            low = fmin(low, place);
            high = fmax(high, place);
        }
        r->low[axis] = low;
        r->extent[axis] = high > low ? high - low : 1.;
    }
}

static void centre_of_cell(const dd_regions *r, int cell, double *centre)
{
    double place[2];
    for (int axis = 0; axis < r->axes; axis++) {
        int number = axis ? cell / r->cells : cell % r->cells;
        place[axis] = r->low[axis] + r->extent[axis] * (number + .5) / r->cells;
    }
    if (r->principal)
        dd_principal_point(r->principal, place, r->axes, centre);
    for (int axis = 0; axis < r->axes && !r->principal; axis++)
        centre[axis] = place[axis];
}

dd_status dd_regions_create(const dd_points *points, const dd_principal *principal, dd_regions *r)
{
    int dimensions = points->columns.count;
    *r = (dd_regions){.dimensions = dimensions,
                      .principal = principal,
                      .axes = dimensions > 1 ? 2 : 1,
                      .cells = dimensions > 1 ? CELLS : CELLS_OF_LINE};
    find_bounds(points, r);
    if (points->generated) {
        DD_TRY(dd_points_truth(points, &r->truth));
        if (!r->truth.countable) /* one support, or a few curves, are too coarse to show where a gate changes */
            dd_truth_free(&r->truth);
    }
    int modes = dd_truth_regions(&r->truth);
    r->count = modes ? modes : dimensions > 1 ? CELLS * CELLS : CELLS_OF_LINE;
    r->centre = malloc((size_t)r->count * (size_t)dimensions * sizeof *r->centre);
    r->share = malloc((size_t)r->count * sizeof *r->share);
    if (!r->centre || !r->share)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d regions", r->count);
    for (int i = 0; i < r->count; i++) {
        double *centre = r->centre + (size_t)i * (size_t)dimensions;
        r->share[i] = modes ? dd_truth_share(&r->truth, i) : NAN;
        if (modes)
            dd_truth_centre(&r->truth, i, centre);
        else
            centre_of_cell(r, i, centre);
    }
    return DD_OK;
}

void dd_regions_free(dd_regions *r)
{
    dd_truth_free(&r->truth);
    free(r->centre);
    free(r->share);
}

int dd_regions_of(const dd_regions *r, const float *x)
{
    if (dd_truth_regions(&r->truth)) {
        dd_standing standing;
        double point[DD_MAX_DIMENSIONS];
        for (int c = 0; c < r->dimensions; c++)
            point[c] = x[c];
        return dd_truth_region(&r->truth, point, &standing);
    }
    int place[2] = {0, 0};
    for (int axis = 0; axis < r->axes; axis++) {
        double cell = floor((along(r, axis, x) - r->low[axis]) / r->extent[axis] * r->cells);
        place[axis] = (int)fmin(fmax(cell, 0.), r->cells - 1.);
    }
    return place[1] * r->cells + place[0];
}

/* "mode", "subspace", "corner" or "grid cell" */
static int kind_of(const dd_regions *r)
{
    const dd_truth *t = &r->truth;
    if (!dd_truth_regions(t))
        return 3;
    return t->kind == DD_TRUTH_CUBE ? 2 : t->kind == DD_TRUTH_MIXTURE && t->rank < t->dimensions;
}

const char *dd_regions_one(const dd_regions *r)
{
    return (const char *const[]){"mode", "subspace", "corner", "grid cell"}[kind_of(r)];
}

const char *dd_regions_many(const dd_regions *r)
{
    return (const char *const[]){"modes", "subspaces", "corners", "cells"}[kind_of(r)];
}
