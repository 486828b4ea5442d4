/* Makes a batch on the device: the points (by permutation), their noise and timesteps, and the networks' input and
 * target. */
#include "embedding.cuh"
#include "launch.h"
#include "model/recipe.h"
#include "random.cuh"
#include "reduce.cuh"

/* a b + c d, where each product is rounded before the sum, as on the CPU: for a large coordinate one ulp is a large
 * angle. */
static __device__ inline float sum_of_products(float a, float b, float c, float d)
{
    return __fadd_rn(__fmul_rn(a, b), __fmul_rn(c, d));
}

/* What a row's timestep and noise are drawn as. */
typedef struct row_draw {
    dd_purpose purpose;
    uint32_t step, place;
} row_draw;

/* A point [D] noised to timestep t: x [D] and its target [D]. A lane takes every 32nd coordinate. */
static __device__ inline void noise_point(const dd_cuda_gather &g, const float *point, uint64_t seed, row_draw draw,
                                          int t, float *x, float *target)
{
    const dd_cuda_schedule &s = g.schedule;
    for (int c = threadIdx.x % DD_WARP; c < g.embedding.dimensions; c += DD_WARP) {
        float noise = dd_cuda_draw_normal(seed, draw.purpose, draw.step, draw.place, c);
        x[c] = sum_of_products(s.signal[t], point[c], s.noise[t], noise);
        target[c] = s.target_point[t] * point[c] + s.target_noise[t] * noise;
    }
}

static __device__ inline void clear_point(const dd_cuda_gather &g, float *x, float *target)
{
    for (int c = threadIdx.x % DD_WARP; c < g.embedding.dimensions; c += DD_WARP)
        x[c] = target[c] = 0.f;
}

/* Row `row` of replica r from point `index` of its set (or none); error_weight [T]; x [D] is the warp's. */
static __device__ void gather_row(const dd_cuda_gather &g, int r, int row, bool real, uint32_t index, row_draw draw,
                                  const float *error_weight, float *x)
{
    int lane = threadIdx.x % DD_WARP, dimensions = g.embedding.dimensions, t = 0;
    size_t at = (size_t)r * g.rows + row;
    float *target = g.target + at * dimensions;
    if (real) {
        uint64_t seed = g.replica[r].seed;
        t = (int)dd_cuda_below(dd_cuda_draw(seed, draw.purpose, draw.step, draw.place).z,
                               (uint32_t)g.schedule.timesteps);
        noise_point(g, g.points[r].x + (size_t)index * dimensions, seed, draw, t, x, target);
    } else {
        clear_point(g, x, target);
    }
    __syncwarp();
    if (lane == 0) {
        g.error_weight[at] = error_weight[t];
        g.timestep[at] = t;
    }
    dd_cuda_embed_row(g.embedding, r, x, t, lane, g.embedded + at * g.embedding.input);
}

/* A warp a row; grid (rows / 8, R). */
static __global__ void gather_kernel(const dd_cuda_gather g)
{
    dd_grid_begin();
    __shared__ dd_permutation order;
    __shared__ float x[DD_WARPS][DD_MAX_DIMENSIONS];
    int r = blockIdx.y, row = blockIdx.x * DD_WARPS + threadIdx.x / DD_WARP;
    uint32_t step = (uint32_t)g.counter[r].step, n = g.points[r].n;
    dd_batch batch = dd_batch_of_step(step, n, g.batch);
    dd_cuda_permutation(&order, g.replica[r].seed, DD_DRAW_PERMUTATION, batch.epoch, n);
    __syncthreads();
    if (blockIdx.x == 0 && threadIdx.x == 0)
        g.count[r] = (int)batch.rows;
    if (row >= g.rows)
        return;
    bool real = (uint32_t)row < batch.rows;
    uint32_t index = real ? dd_permutation_at(&order, batch.first + (uint32_t)row) : 0;
    row_draw draw = {DD_DRAW_TRAIN, step, (uint32_t)row};
    gather_row(g, r, row, real, index, draw, g.schedule.weight, x[threadIdx.x / DD_WARP]);
}

extern "C" dd_status dd_cuda_launch_gather(const dd_cuda_gather *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + DD_WARPS - 1) / DD_WARPS, (unsigned)args->replicas);
    return DD_LAUNCH(gather_kernel, grid, dim3(DD_BLOCK), stream, *args);
}

/* One warp per row; grid (rows / 8, R). Row i of the pass is row i % batch of batch i / batch. */
static __global__ void gather_evaluate_kernel(const dd_cuda_gather g)
{
    dd_grid_begin();
    __shared__ dd_permutation order;
    __shared__ float x[DD_WARPS][DD_MAX_DIMENSIONS];
    int r = blockIdx.y, row = blockIdx.x * DD_WARPS + threadIdx.x / DD_WARP;
    uint32_t first = (uint32_t)g.counter[r].step, n = g.points[r].n;
    uint32_t left = first < n ? n - first : 0, rows = left < (uint32_t)g.rows ? left : (uint32_t)g.rows;
    dd_cuda_permutation(&order, g.replica[r].seed, DD_DRAW_EVAL_ORDER, 0, n);
    __syncthreads();
    if (blockIdx.x == 0 && threadIdx.x == 0)
        g.count[r] = (int)rows;
    if (row >= g.rows)
        return;
    bool real = (uint32_t)row < rows;
    uint32_t place = first + (uint32_t)row, index = real ? dd_permutation_at(&order, place) : 0;
    row_draw draw = {g.purpose, place / g.batch, place % g.batch};
    gather_row(g, r, row, real, index, draw, g.schedule.error_weight, x[threadIdx.x / DD_WARP]);
}

extern "C" dd_status dd_cuda_launch_gather_evaluate(const dd_cuda_gather *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + DD_WARPS - 1) / DD_WARPS, (unsigned)args->replicas);
    return DD_LAUNCH(gather_evaluate_kernel, grid, dim3(DD_BLOCK), stream, *args);
}
