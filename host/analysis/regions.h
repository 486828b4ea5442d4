/* Where points of an analysis belong. */
#ifndef DD_REGIONS_H
#define DD_REGIONS_H

#include "base/error.h"
#include "data/points.h"
#include "data/truth.h"

/* Where a point belongs: to a mode of the data where the dataset has some, else to a cell of a grid over the data. */
typedef struct dd_regions {
    int count;
    dd_truth truth;           /* truth.regions 0 where there are cells */
    double low[2], extent[2]; /* of all cells */
    double (*centre)[2];      /* [count] */
    double *share;            /* [count] of the data, NaN for a cell */
} dd_regions;

DD_CHECKED dd_status dd_regions_create(const dd_points *points, dd_regions *regions);
void dd_regions_free(dd_regions *regions);
int dd_regions_of(const dd_regions *regions, const float xy[2]);

#endif
