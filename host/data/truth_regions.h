/* The regions of a distribution of any kind, and which of them a point belongs to. */
#ifndef DD_TRUTH_REGIONS_H
#define DD_TRUTH_REGIONS_H

#include "data/truth.h"

/* The region that x (D) belongs to. Plane: dd_plane_nearest. Mixture: the component of the greatest weight times
 * density. Cube: the corner with the signs of x. Embedded: the region of the point's projection onto the plane. */
int dd_truth_region(const dd_truth *truth, const double *x, dd_standing *standing);

/* How many regions there are; 0 for a distribution that was freed. */
int dd_truth_regions(const dd_truth *truth);
double dd_truth_share(const dd_truth *truth, int region);
void dd_truth_centre(const dd_truth *truth, int region, double *centre); /* [D] */

/* Plane and embedded: the coordinates y (2) in the plane of x (D). Returns false if x is OFF in the directions outside
 * of the plane. */
bool dd_truth_in_plane(const dd_truth *truth, const double *x, double y[2]);

#endif
