/* An analysis while it is made: what its parts (analysis_*.c) share. Each part adds the arrays of one or two groups. */
#ifndef DD_ANALYSIS_RUN_H
#define DD_ANALYSIS_RUN_H

#include "analysis.h"
#include "pool.h"
#include "store_analysis.h"
#include "truth.h"

enum { DD_GATE_BINS = 20 }; /* equal bins of a weight's range [0, 1], for its mutual information */

/* Where a point belongs: to a mode of the data where the dataset has some, else to a cell of a grid over the data. */
typedef struct dd_regions {
    int count;
    dd_truth truth;           /* truth.regions 0 where there are cells */
    double low[2], extent[2]; /* of all cells */
    double (*centre)[2];      /* [count] */
    double *share;            /* [count] of the data, NaN for a cell */
} dd_regions;

int dd_regions_create(const dd_points *points, dd_regions *regions);
void dd_regions_free(dd_regions *regions);
int dd_regions_of(const dd_regions *regions, const float xy[2]);

typedef struct dd_scene {
    const dd_stored *stored;
    const char *path;
    int experts, timesteps;
    dd_points fresh;
    uint32_t per_timestep; /* fresh points at each timestep */
    dd_regions regions;
    dd_sample_gates samples;
    dd_analysis *out;
    /* Axes of several groups. `sampled` has the timesteps that sampling goes through: `timestep` where those are all.
     */
    const dd_axis *expert, *coordinate, *timestep, *sampled, *quantile, *region;
} dd_scene;

/* A new axis of values 0, 1, ... to be overwritten, and a new array of zeros over axes; what they point to is the
 * analysis's. Names and texts are string constants. */
int dd_scene_axis(dd_scene *scene, const char *name, int size, int whole, const char *units, const char *long_name,
                  const dd_axis **axis);
int dd_scene_array(dd_scene *scene, const char *name, int rank, const dd_axis *const *axis, const char *units,
                   const char *long_name, float **value);

/* Fresh point number `i`, in an order that mixes them; numbers beyond the last begin anew. */
const float *dd_scene_point(const dd_scene *scene, uint64_t i);

/* The networks at x [n][2] and timestep t: weights of the experts [n][experts], which sum to 1, their predictions
 * [n][experts][2] and the mixture [n][2], of noise, x_0 or v as the networks learn; each may be NULL. */
int dd_scene_predict(const dd_scene *scene, const float *x, uint32_t n, int t, float *weight, float *expert,
                     float *mixture);

/* Mean Euclidean distance between the noise that the predictions [experts][2] of two experts imply at one point of
 * timestep t, over all pairs. */
double dd_disagreement(const dd_scene *scene, int t, const float *expert);

/* Quantiles of values [n], which it sorts, at the quantile axis' shares. */
void dd_scene_quantiles(const dd_scene *scene, double *values, size_t n, float *out);

/* Of each expert's binned weights: mutual information with the region and with the timestep, and entropy, in bits,
 * [experts] each; from counts [experts][regions][bins] and [experts][timesteps][bins]. */
void dd_scene_information(const dd_scene *scene, const uint32_t *by_region, const uint32_t *by_timestep, int timesteps,
                          float *region, float *timestep, float *entropy);

/* The bin of a weight; a damaged file's NaN is in the first. */
static inline int dd_gate_bin(float weight)
{
    float bin = weight * DD_GATE_BINS;
    return bin >= DD_GATE_BINS - 1 ? DD_GATE_BINS - 1 : bin > 0.f ? (int)bin : 0;
}

/* The parts, in the order of the file. */
int dd_analyse_map(dd_scene *scene);        /* map */
int dd_analyse_points(dd_scene *scene);     /* by_timestep, by_region, information on fresh points; data */
int dd_analyse_sampling(dd_scene *scene);   /* the same of the stored samples' gates, where there are some */
int dd_analyse_training(dd_scene *scene);   /* training; of a learned gate */
int dd_analyse_trajectory(dd_scene *scene); /* trajectory */

#endif
