/* Distances from the regions of a distribution of the plane. */
#ifndef DD_PLANE_H
#define DD_PLANE_H

#include "data/truth.h"

/* The region that x (2) belongs to: the one with the smallest distance. The unit of the distance depends on the region:
 * standard deviations (Gaussian, curve), or coordinates outside of it (disc, box: 0 inside; of several, the nearest
 * centre wins). */
int dd_plane_nearest(const dd_plane *plane, const double *x, double *distance);

#endif
