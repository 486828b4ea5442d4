/* Divides the plane into the regions of an analysis. */
#ifndef DD_REGIONS_H
#define DD_REGIONS_H

#include "base/error.h"
#include "data/points.h"
#include "data/truth.h"

/* The regions: the modes of the data if the dataset has modes, else the cells of a grid over the data. */
typedef struct dd_regions {
    int count;
    dd_truth truth;           /* without regions if the regions are cells */
    double low[2], extent[2]; /* of all cells */
    double (*centre)[2];      /* [count] */
    double *share;            /* [count] share of the data; NaN for a cell */
} dd_regions;

DD_CHECKED dd_status dd_regions_create(const dd_points *points, dd_regions *regions);
void dd_regions_free(dd_regions *regions);
int dd_regions_of(const dd_regions *regions, const float xy[2]);

#endif
