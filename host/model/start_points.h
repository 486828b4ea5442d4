/* The points at which sampling starts when sampling.start = "data". */
#ifndef DD_START_POINTS_H
#define DD_START_POINTS_H

#include "base/error.h"
#include "data/dataset.h"
#include "model/schedule.h"

/* x_T (n, D) of one replica, made as in training: points drawn at random and noised to the last timestep. Sample i uses
 * the normals that would otherwise be its x_T, and the point that word 2 of their first block selects. */
void dd_draw_start(const dd_schedule *schedule, const dd_points *points, uint64_t seed, uint32_t n, float *start);

/* The same into new memory, which the caller frees. */
DD_CHECKED dd_status dd_start_create(const dd_schedule *schedule, const dd_points *points, uint64_t seed, uint32_t n,
                                     float **start);

#endif
