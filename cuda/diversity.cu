/* The mean distance between a batch's predictions, and the gradient of the whole loss at the towers' outputs. */
#include "distance.cuh"
#include "launch.h"
#include "reduce.cuh"

enum { TILE = 256 };

static __device__ inline float sign(float x)
{
    return (float)((x > 0.f) - (x < 0.f));
}

/* One of the distances of config.h and its gradient, for a difference (dx, dy); inverse = 1 / scale^2. */
static __device__ inline float pair_distance(dd_diversity_kind kind, float inverse, float dx, float dy, float2 *along)
{
    if (kind == DD_DIVERSITY_L1) {
        along->x = sign(dx);
        along->y = sign(dy);
        return fabsf(dx) + fabsf(dy);
    }
    float slope, distance = dd_square_distance(kind, inverse, dx * dx + dy * dy, &slope);
    along->x = dx * slope;
    along->y = dy * slope;
    return distance;
}

/* A row's distances to other rows, and their gradient at the row. */
typedef struct row_sums {
    float distance, slope_x, slope_y;
} row_sums;

/* This lane's share of the sums over the first `others` rows. The block goes through them in tiles x, y [TILE] in
 * shared memory; every thread of the block must call it. */
template <dd_diversity_kind kind>
static __device__ inline row_sums sum_distances(const dd_cuda_diversity &d, const float *predicted, int others,
                                                float own_x, float own_y, float *x, float *y)
{
    int lane = threadIdx.x % DD_WARP;
    float inverse = 1.f / (d.scale * d.scale);
    row_sums s = {0.f, 0.f, 0.f};
    for (int start = 0; start < others; start += TILE) {
        int rows = others - start < TILE ? others - start : TILE;
        for (int j = threadIdx.x; j < rows; j += DD_BLOCK) {
            x[j] = predicted[2 * (start + j)];
            y[j] = predicted[2 * (start + j) + 1];
        }
        __syncthreads();
        for (int j = lane; j < rows; j += DD_WARP) {
            float2 along;
            s.distance += pair_distance(kind, inverse, own_x - x[j], own_y - y[j], &along);
            s.slope_x += along.x;
            s.slope_y += along.y;
        }
        __syncthreads();
    }
    return s;
}

/* The gradient (px, py) at the mixture of a row becomes that at the outputs of the experts and of the gate. */
static __device__ inline void store_gradient(const dd_cuda_diversity &d, int r, int row, float px, float py)
{
    size_t at = (size_t)r * d.rows + row;
    for (int i = 0; i < d.members; i++) {
        float weight = d.weight[at * d.members + i];
        float *gradient = d.expert_gradient + 2 * (((size_t)r * d.members + i) * d.rows + row);
        gradient[0] = weight * px;
        gradient[1] = weight * py;
    }
    const float p[2] = {px, py};
    if (d.gates)
        dd_gate_gradient(d.gates, d.soft + at * d.members, d.expert_out + 2 * at * d.members, p, 2,
                         d.gate_gradient + at * d.gates);
}

/* With n rows, predictions p and d the distance: d MSE / d p_i = weight_i (p_i - target_i) / n, and d diversity / d p_i
 * = 2 / n^2 sum_j d d(p_i, p_j) / d p_i. A warp handles a row i, and its lanes share the rows j; grid (rows / 8, R). */
template <dd_diversity_kind kind> static __global__ void diversity_kernel(const dd_cuda_diversity d)
{
    __shared__ float x[TILE], y[TILE];
    int r = blockIdx.y, lane = threadIdx.x % DD_WARP, row = blockIdx.x * DD_WARPS + threadIdx.x / DD_WARP;
    int n = d.count[r];
    size_t first = (size_t)r * d.rows;
    const float *predicted = d.predicted + 2 * first;
    float own_x = row < n ? predicted[2 * row] : 0.f, own_y = row < n ? predicted[2 * row + 1] : 0.f;
    row_sums s = sum_distances<kind>(d, predicted, d.gram ? 0 : n, own_x, own_y, x, y);
    s.distance = dd_warp_sum(s.distance);
    s.slope_x = dd_warp_sum(s.slope_x);
    s.slope_y = dd_warp_sum(s.slope_y);
    if (lane || row >= d.rows)
        return;
    size_t at = first + row;
    float px = 0.f, py = 0.f;
    if (row < n) {
        double weight = d.replica[r].diversity_weight * d.recipe[d.counter[r].row].diversity;
        float count = (float)n, pull = (float)(weight * 2. / ((double)n * n));
        px = d.error_weight[at] * (own_x - d.target[2 * at]) / count - pull * s.slope_x;
        py = d.error_weight[at] * (own_y - d.target[2 * at + 1]) / count - pull * s.slope_y;
    }
    if (!d.gram)
        d.distance[at] = s.distance;
    store_gradient(d, r, row, px, py);
}

extern "C" dd_status dd_cuda_launch_diversity(const dd_cuda_diversity *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + DD_WARPS - 1) / DD_WARPS, (unsigned)args->replicas), block(DD_BLOCK);
    switch (args->kind) {
    case DD_DIVERSITY_EUCLIDEAN:
        return DD_LAUNCH(diversity_kernel<DD_DIVERSITY_EUCLIDEAN>, grid, block, stream, *args);
    case DD_DIVERSITY_SQUARED:
        return DD_LAUNCH(diversity_kernel<DD_DIVERSITY_SQUARED>, grid, block, stream, *args);
    case DD_DIVERSITY_L1:
        return DD_LAUNCH(diversity_kernel<DD_DIVERSITY_L1>, grid, block, stream, *args);
    case DD_DIVERSITY_RBF:
        return DD_LAUNCH(diversity_kernel<DD_DIVERSITY_RBF>, grid, block, stream, *args);
    case DD_DIVERSITY_LOG:
        return DD_LAUNCH(diversity_kernel<DD_DIVERSITY_LOG>, grid, block, stream, *args);
    }
    return dd_fail(DD_ERR_INTERNAL, "diversity distance %d", (int)args->kind);
}
