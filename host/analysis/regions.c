/* Regions of the plane: modes, or cells of a grid. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "data/dataset.h"
#include "data/truth_regions.h"

#include "analysis/regions.h"

enum { CELLS = 8 }; /* along each axis */

/* Bounds of the points. */
static void bounds(const dd_points *points, double low[2], double high[2])
{
    for (int c = 0; c < 2; c++) {
        low[c] = INFINITY;
        high[c] = -INFINITY;
        for (uint32_t i = 0; i < points->n; i++) {
            low[c] = fmin(low[c], points->x[2 * (size_t)i + (size_t)c]);
            high[c] = fmax(high[c], points->x[2 * (size_t)i + (size_t)c]);
        }
    }
}

dd_status dd_regions_create(const dd_points *points, dd_regions *r)
{
    double high[2];
    *r = (dd_regions){0};
    bounds(points, r->low, high);
    for (int c = 0; c < 2; c++)
        r->extent[c] = high[c] > r->low[c] ? high[c] - r->low[c] : 1.;
    if (points->generated) {
        DD_TRY(dd_points_truth(points, &r->truth));
        if (!r->truth.countable) /* one support, or a few curves, are too coarse to show where a gate changes */
            dd_truth_free(&r->truth);
    }
    int modes = dd_truth_regions(&r->truth);
    r->count = modes ? modes : CELLS * CELLS;
    r->centre = malloc((size_t)r->count * sizeof *r->centre);
    r->share = malloc((size_t)r->count * sizeof *r->share);
    if (!r->centre || !r->share)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d regions", r->count);
    for (int i = 0; i < r->count; i++) {
        int place[2] = {i % CELLS, i / CELLS};
        for (int c = 0; c < 2; c++)
            r->centre[i][c] = r->low[c] + r->extent[c] * (place[c] + .5) / CELLS;
        r->share[i] = modes ? dd_truth_share(&r->truth, i) : NAN;
        if (modes)
            dd_truth_centre(&r->truth, i, r->centre[i]);
    }
    return DD_OK;
}

void dd_regions_free(dd_regions *r)
{
    dd_truth_free(&r->truth);
    free(r->centre);
    free(r->share);
}

int dd_regions_of(const dd_regions *r, const float xy[2])
{
    if (dd_truth_regions(&r->truth)) {
        dd_standing standing;
        return dd_truth_region(&r->truth, (const double[2]){xy[0], xy[1]}, &standing);
    }
    int place[2];
    for (int c = 0; c < 2; c++) {
        double cell = floor((xy[c] - r->low[c]) / r->extent[c] * CELLS);
        place[c] = (int)fmin(fmax(cell, 0.), CELLS - 1.);
    }
    return place[1] * CELLS + place[0];
}
