/* An analysis that is being made: the data that its parts (parts.h) share. Each part adds the arrays of one or two
 * groups. */
#ifndef DD_SCENE_H
#define DD_SCENE_H

#include <stdbool.h>

#include "analysis/analysis_arrays.h"
#include "analysis/analysis_file.h"
#include "analysis/principal.h"
#include "analysis/regions.h"
#include "run/loaded_run.h"

enum { DD_SCENE_QUANTILES = 5 };

typedef struct dd_scene {
    const dd_loaded *stored;
    const char *path;
    int experts, timesteps, dimensions;
    dd_points fresh;
    uint32_t per_timestep;  /* fresh points at each timestep */
    dd_principal principal; /* of the training points, if they have more than two coordinates */
    dd_regions regions;
    dd_sample_gates samples;
    dd_analysis *out;
    /* Axes of several groups. `sampled` has the timesteps of sampling; it is `timestep` if sampling uses all of them.
     * `chosen` has the few timesteps of maps. */
    const dd_axis *expert, *coordinate, *timestep, *sampled, *chosen, *quantile, *region;
} dd_scene;

/* Make a new axis with values 0, 1, ..., which the caller may overwrite, and a new array of zeros over axes. The
 * analysis owns their memory. Names and texts must be string constants. */
DD_CHECKED dd_status dd_scene_axis(dd_scene *scene, const char *name, int size, bool whole, const char *units,
                                   const char *long_name, const dd_axis **axis);
DD_CHECKED dd_status dd_scene_array(dd_scene *scene, const char *name, int rank, const dd_axis *const *axis,
                                    const char *units, const char *long_name, float **value);

/* Fresh point number `i`, in a random order; numbers after the last start again at the first. */
const float *dd_scene_point(const dd_scene *scene, uint64_t i);

/* Run the networks at x [n][D] and timestep t. Outputs: weights of the experts [n][experts], which sum to 1; their
 * predictions [n][experts][D] and the mixture [n][D], which are noise, x_0 or v as the networks learn. Each may be
 * NULL. */
DD_CHECKED dd_status dd_scene_predict(const dd_scene *scene, const float *x, uint32_t n, int t, float *weight,
                                      float *expert, float *mixture);

/* Mean Euclidean distance between the noise that the predictions [experts][D] of two experts imply at one point of
 * timestep t, over all pairs. */
double dd_disagreement(const dd_scene *scene, int t, const float *expert);

/* Quantiles of values [n], at the fractions of the quantile axis; sorts the values. */
void dd_scene_quantiles(const dd_scene *scene, double *values, size_t n, float *out);

/* For each expert's binned weights: mutual information with the region and with the timestep, and entropy, in bits,
 * [experts] each. Computed from counts [experts][regions][bins] and [experts][timesteps][bins]. */
void dd_scene_information(const dd_scene *scene, const uint32_t *by_region, const uint32_t *by_timestep, int timesteps,
                          float *region, float *timestep, float *entropy);

/* The bin of a weight; NaN, from a damaged file, is in the first bin. */
static inline int dd_gate_bin(float weight)
{
    float bin = weight * DD_GATE_BINS;
    return bin >= DD_GATE_BINS - 1 ? DD_GATE_BINS - 1 : bin > 0.f ? (int)bin : 0;
}

#endif
