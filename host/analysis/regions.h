/* Divides the space of the points into the regions of an analysis. */
#ifndef DD_REGIONS_H
#define DD_REGIONS_H

#include "analysis/principal.h"
#include "base/error.h"
#include "data/points.h"
#include "data/truth.h"

/* The regions: the modes of the data if the dataset has modes, else the cells of a grid over the data: 64 of one
 * coordinate, 8 x 8 of two coordinates or, where there are more, of the first two principal components. */
typedef struct dd_regions {
    int count, dimensions;
    dd_truth truth;                /* without regions if the regions are cells */
    const dd_principal *principal; /* axes of the grid; NULL: the coordinates */
    int axes, cells;               /* of the grid, and cells along each of its axes */
    double low[2], extent[2];      /* of all cells */
    double *centre;                /* [count][D] */
    double *share;                 /* [count] share of the data; NaN for a cell */
} dd_regions;

/* principal: of the points if they have more than two coordinates; regions keep a pointer to it. */
DD_CHECKED dd_status dd_regions_create(const dd_points *points, const dd_principal *principal, dd_regions *regions);
void dd_regions_free(dd_regions *regions);
int dd_regions_of(const dd_regions *regions, const float *x);

/* What a region is called, for one and for several: "mode", "modes". The second is an attribute in the file. */
const char *dd_regions_one(const dd_regions *regions);
const char *dd_regions_many(const dd_regions *regions);

#endif
