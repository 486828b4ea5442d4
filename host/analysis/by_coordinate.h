/* The gate's weights against each coordinate of the data: what the gate follows.
 *
 *     dd_by_coordinate b;
 *     DD_TRY(dd_by_coordinate_create(scene, &b));
 *     dd_by_coordinate_add(scene, &b, t, x, weight);     // for each timestep
 *     DD_TRY(dd_by_coordinate_fill(scene, &b));          // by_coordinate/..., information/data_coordinate
 *     dd_by_coordinate_free(&b);
 */
#ifndef DD_BY_COORDINATE_H
#define DD_BY_COORDINATE_H

#include "analysis/scene.h"

enum { DD_COORDINATE_BINS = 20 };

/* Each coordinate has bins between its quantiles, so that all bins have as many points. */
typedef struct dd_by_coordinate {
    double *edge;   /* [D][bins + 1] */
    double *place;  /* [D][bins] sum of the coordinate */
    double *points; /* [D][bins] */
    double *sum;    /* [D][bins][experts] weights, over all timesteps */
    double *chosen; /* [chosen timesteps][D][bins][experts] */
    double *count;  /* [chosen timesteps][D][bins] */
    uint32_t *both; /* [experts][D][bins][gate bins] points by coordinate and weight, over all timesteps */
    void *memory;
} dd_by_coordinate;

/* Bins from at most 20,000 fresh points. Free also after an error. */
DD_CHECKED dd_status dd_by_coordinate_create(dd_scene *scene, dd_by_coordinate *b);
void dd_by_coordinate_free(dd_by_coordinate *b);

/* Add the points of timestep t: x [per_timestep][D] before noise, and the weights at the noised points
 * [per_timestep][experts]. */
void dd_by_coordinate_add(const dd_scene *scene, dd_by_coordinate *b, int t, const float *x, const float *weight);

DD_CHECKED dd_status dd_by_coordinate_fill(dd_scene *scene, const dd_by_coordinate *b);

#endif
