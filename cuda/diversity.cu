/* The mean distance between a batch's predictions, and the gradient of the whole loss at the towers' outputs.
 *
 * With n rows of D coordinates, predictions p and d the distance: d MSE / d p_i = 2 weight_i (p_i - target_i) / (D n),
 * and d diversity / d p_i = 2 / n^2 sum_j d d(p_i, p_j) / d p_i. */
#include "distance.cuh"
#include "launch.h"
#include "reduce.cuh"

/* Factors of a row's gradient: on its error, and on the sum of its distances' gradients. */
typedef struct row_factors {
    float error_weight, half_entries, pull;
} row_factors;

static __device__ inline row_factors factors_of(const dd_cuda_diversity &d, int r, size_t at, int n, int dimensions)
{
    double weight = d.replica[r].diversity_weight * d.recipe[d.counter[r].row].diversity;
    row_factors f = {d.error_weight[at], .5f * (float)dimensions * (float)n, (float)(weight * 2. / ((double)n * n))};
    return f;
}

static __device__ inline float gradient_of(const row_factors &f, float predicted, float target, float slope)
{
    return f.error_weight * (predicted - target) / f.half_entries - f.pull * slope;
}

/* ---- one or two coordinates ---- */

enum { TILE = 256 };

/* One of the distances of config.h and its gradient, for a difference `apart`; inverse = 1 / scale^2. */
template <dd_diversity_kind kind, int D>
static __device__ inline float pair_distance(float inverse, const float apart[D], float along[D])
{
    float sum = kind == DD_DIVERSITY_L1 ? fabsf(apart[0]) : apart[0] * apart[0], slope = 0.f;
#pragma unroll
    for (int c = 1; c < D; c++)
        sum += kind == DD_DIVERSITY_L1 ? fabsf(apart[c]) : apart[c] * apart[c];
    if (kind != DD_DIVERSITY_L1)
        sum = dd_square_distance(kind, inverse, sum, &slope);
#pragma unroll
    for (int c = 0; c < D; c++)
        along[c] = kind == DD_DIVERSITY_L1 ? dd_sign(apart[c]) : apart[c] * slope;
    return sum;
}

/* A row's distances to other rows, and their gradient at the row. */
template <int D> struct row_sums {
    float distance, slope[D];
};

/* This lane's share of the sums over the first `others` rows. The block goes through them in tiles in shared memory;
 * every thread of the block must call it. */
template <dd_diversity_kind kind, int D>
static __device__ inline row_sums<D> sum_distances(const dd_cuda_diversity &d, const float *predicted, int others,
                                                   const float own[D], float (*tile)[TILE])
{
    int lane = threadIdx.x % DD_WARP;
    float inverse = 1.f / (d.scale * d.scale);
    row_sums<D> s = {};
    for (int start = 0; start < others; start += TILE) {
        int rows = others - start < TILE ? others - start : TILE;
        for (int j = threadIdx.x; j < rows; j += DD_BLOCK)
            for (int c = 0; c < D; c++)
                tile[c][j] = predicted[D * (start + j) + c];
        __syncthreads();
        for (int j = lane; j < rows; j += DD_WARP) {
            float apart[D], along[D];
            for (int c = 0; c < D; c++)
                apart[c] = own[c] - tile[c][j];
            s.distance += pair_distance<kind, D>(inverse, apart, along);
            for (int c = 0; c < D; c++)
                s.slope[c] += along[c];
        }
        __syncthreads();
    }
    s.distance = dd_warp_sum(s.distance);
    for (int c = 0; c < D; c++)
        s.slope[c] = dd_warp_sum(s.slope[c]);
    return s;
}

/* The gradient p at the mixture of a row becomes that at the outputs of the experts and of the gate. */
template <int D>
static __device__ inline void store_gradient(const dd_cuda_diversity &d, int r, int row, const float p[D])
{
    size_t at = (size_t)r * d.rows + row;
    for (int i = 0; i < d.members; i++) {
        float weight = d.weight[at * d.members + i];
        float *gradient = d.expert_gradient + D * (((size_t)r * d.members + i) * d.rows + row);
        for (int c = 0; c < D; c++)
            gradient[c] = weight * p[c];
    }
    if (d.gates)
        dd_gate_gradient(d.gates, d.soft + at * d.members, d.expert_out + D * at * d.members, p, D,
                         d.gate_gradient + at * d.gates);
}

/* A warp handles a row i, and its lanes share the rows j; grid (rows / 8, R). */
template <dd_diversity_kind kind, int D> static __global__ void diversity_kernel(const dd_cuda_diversity d)
{
    dd_grid_begin();
    __shared__ float tile[D][TILE];
    int r = blockIdx.y, lane = threadIdx.x % DD_WARP, row = blockIdx.x * DD_WARPS + threadIdx.x / DD_WARP;
    int n = d.count[r];
    size_t first = (size_t)r * d.rows, at = first + row;
    const float *predicted = d.predicted + D * first;
    float own[D], p[D] = {};
    for (int c = 0; c < D; c++)
        own[c] = row < n ? predicted[D * row + c] : 0.f;
    row_sums<D> s = sum_distances<kind, D>(d, predicted, d.gram ? 0 : n, own, tile);
    if (lane || row >= d.rows)
        return;
    if (row < n) {
        row_factors f = factors_of(d, r, at, n, D);
        for (int c = 0; c < D; c++)
            p[c] = gradient_of(f, own[c], d.target[D * at + c], s.slope[c]);
    }
    if (!d.gram)
        d.distance[at] = s.distance;
    store_gradient<D>(d, r, row, p);
}

/* ---- any number of coordinates ---- */

enum { WIDE_TILE = DD_WARP, PARTS = DD_MAX_DIMENSIONS / DD_WARP };

/* Rows of a batch in shared memory. An odd distance between two rows lets all lanes read the same coordinate of a row
 * each, without waiting for each other. */
typedef float wide_rows[DD_MAX_DIMENSIONS + 1];

/* A lane's share of a row: its distances to some rows, and every 32nd coordinate of their gradient. */
typedef struct wide_sums {
    float distance, slope[PARTS];
} wide_sums;

/* Copy rows of `dimensions` numbers to the tile; every thread of the block must call it. */
static __device__ inline void load_tile(const float *from, int rows, int dimensions, wide_rows *tile)
{
    for (int j = threadIdx.x / DD_WARP; j < rows; j += DD_WARPS)
        for (int c = threadIdx.x % DD_WARP; c < dimensions; c += DD_WARP)
            tile[j][c] = from[j * dimensions + c];
}

/* The distance of the warp's row to another one; slope as in dd_square_distance, 1 for L1. */
template <dd_diversity_kind kind>
static __device__ inline float wide_distance(float inverse, int dimensions, const float *own, const float *other,
                                             float *slope)
{
    float sum = 0.f;
    for (int c = 0; c < dimensions; c++) {
        float apart = own[c] - other[c];
        sum += kind == DD_DIVERSITY_L1 ? fabsf(apart) : apart * apart;
    }
    *slope = 1.f;
    return kind == DD_DIVERSITY_L1 ? sum : dd_square_distance(kind, inverse, sum, slope);
}

/* Add the `rows` rows of a tile: first a lane takes a row, for its distance; then a lane takes coordinates, for the
 * gradient. */
template <dd_diversity_kind kind>
static __device__ inline void add_tile(float inverse, int rows, int dimensions, const float *own, const wide_rows *tile,
                                       wide_sums &s)
{
    int lane = threadIdx.x % DD_WARP;
    float slope = 0.f;
    if (lane < rows)
        s.distance += wide_distance<kind>(inverse, dimensions, own, tile[lane], &slope);
    for (int j = 0; j < rows; j++) {
        float slope_j = __shfl_sync(0xffffffffu, slope, j);
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
            int c = lane + part * DD_WARP;
            if (c < dimensions) {
                float apart = own[c] - tile[j][c];
                s.slope[part] += slope_j * (kind == DD_DIVERSITY_L1 ? dd_sign(apart) : apart);
            }
        }
    }
}

/* The gradient p at the mixture of a row, a lane every 32nd coordinate, becomes that at the experts' outputs. */
static __device__ inline void store_wide(const dd_cuda_diversity &d, int r, int row, const float p[PARTS])
{
    size_t at = (size_t)r * d.rows + row;
    for (int i = 0; i < d.members; i++) {
        float weight = d.weight[at * d.members + i];
        float *gradient = d.expert_gradient + (((size_t)r * d.members + i) * d.rows + row) * d.dimensions;
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
            int c = threadIdx.x % DD_WARP + part * DD_WARP;
            if (c < d.dimensions)
                gradient[c] = weight * p[part];
        }
    }
}

/* And that at the gate's logits: the warp sums p . expert over the coordinates, so that one coordinate is left for
 * gating.h. A single logit needs the products with the experts' difference, whose rounding is smaller. */
static __device__ inline void store_wide_gate(const dd_cuda_diversity &d, size_t at, const float p[PARTS], float *along)
{
    const float *expert = d.expert_out + at * d.members * d.dimensions, one = 1.f;
    int lane = threadIdx.x % DD_WARP;
    for (int i = 0; i < d.gates; i++) {
        const float *own = expert + i * d.dimensions;
        float sum = 0.f;
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
            int c = lane + part * DD_WARP;
            if (c < d.dimensions)
                sum += p[part] * (d.gates == 1 ? own[c] - own[d.dimensions + c] : own[c]);
        }
        sum = dd_warp_sum(sum);
        if (lane == 0)
            along[i] = sum;
    }
    if (lane == 0) {
        if (d.gates == 1)
            along[1] = 0.f;
        dd_gate_gradient(d.gates, d.soft + at * d.members, along, &one, 1, d.gate_gradient + at * d.gates);
    }
}

/* A warp handles a row i; grid (rows / 8, R). */
template <dd_diversity_kind kind> static __global__ void diversity_wide_kernel(const dd_cuda_diversity d)
{
    dd_grid_begin();
    __shared__ wide_rows tile[WIDE_TILE], rows[DD_WARPS];
    __shared__ float along[DD_WARPS][DD_MAX_EXPERTS];
    int r = blockIdx.y, warp = threadIdx.x / DD_WARP, lane = threadIdx.x % DD_WARP, row = blockIdx.x * DD_WARPS + warp;
    int n = d.count[r], others = d.gram ? 0 : n, dimensions = d.dimensions;
    size_t first = (size_t)r * d.rows, at = first + row;
    const float *predicted = d.predicted + first * dimensions;
    float *own = rows[warp], inverse = 1.f / (d.scale * d.scale);
    for (int c = lane; c < dimensions; c += DD_WARP)
        own[c] = row < n ? predicted[(size_t)row * dimensions + c] : 0.f;
    __syncwarp();
    wide_sums s = {};
    for (int start = 0; start < others; start += WIDE_TILE) {
        int count = others - start < WIDE_TILE ? others - start : (int)WIDE_TILE;
        load_tile(predicted + (size_t)start * dimensions, count, dimensions, tile);
        __syncthreads();
        add_tile<kind>(inverse, count, dimensions, own, tile, s);
        __syncthreads();
    }
    s.distance = dd_warp_sum(s.distance);
    if (row >= d.rows)
        return;
    float p[PARTS] = {};
    if (row < n) {
        row_factors f = factors_of(d, r, at, n, dimensions);
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
            int c = lane + part * DD_WARP;
            if (c < dimensions)
                p[part] = gradient_of(f, own[c], d.target[at * dimensions + c], s.slope[part]);
        }
    }
    if (lane == 0 && !d.gram)
        d.distance[at] = s.distance;
    store_wide(d, r, row, p);
    if (d.gates)
        store_wide_gate(d, at, p, along[warp]);
}

/* ---- */

template <dd_diversity_kind kind> static dd_status launch(const dd_cuda_diversity *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + DD_WARPS - 1) / DD_WARPS, (unsigned)args->replicas), block(DD_BLOCK);
    if (args->dimensions == 1)
        return DD_LAUNCH((diversity_kernel<kind, 1>), grid, block, stream, *args);
    if (args->dimensions == 2)
        return DD_LAUNCH((diversity_kernel<kind, 2>), grid, block, stream, *args);
    return DD_LAUNCH(diversity_wide_kernel<kind>, grid, block, stream, *args);
}

extern "C" dd_status dd_cuda_launch_diversity(const dd_cuda_diversity *args, cudaStream_t stream)
{
    switch (args->kind) {
    case DD_DIVERSITY_EUCLIDEAN:
        return launch<DD_DIVERSITY_EUCLIDEAN>(args, stream);
    case DD_DIVERSITY_SQUARED:
        return launch<DD_DIVERSITY_SQUARED>(args, stream);
    case DD_DIVERSITY_L1:
        return launch<DD_DIVERSITY_L1>(args, stream);
    case DD_DIVERSITY_RBF:
        return launch<DD_DIVERSITY_RBF>(args, stream);
    case DD_DIVERSITY_LOG:
        return launch<DD_DIVERSITY_LOG>(args, stream);
    }
    return dd_fail(DD_ERR_INTERNAL, "diversity distance %d", (int)args->kind);
}
