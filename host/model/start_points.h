/* Where sampling starts. */
#ifndef DD_START_POINTS_H
#define DD_START_POINTS_H

#include "base/error.h"
#include "data/dataset.h"
#include "model/schedule.h"

/* x_T (n, 2) of one replica as training makes it: points drawn at random, noised to the last timestep; for
 * sampling.start = "data". Sample i takes the normals that its x_T would be otherwise, and the point that word 2 of the
 * same block names. */
void dd_draw_start(const dd_schedule *schedule, const dd_points *points, uint64_t seed, uint32_t n, float *start);

/* The same into memory of its own, which the caller frees. */
DD_CHECKED dd_status dd_start_create(const dd_schedule *schedule, const dd_points *points, uint64_t seed, uint32_t n,
                                     float **start);

#endif
