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

/* Row `row` of replica r from point `index` of its set (or none), drawn as (purpose, step, place); error_weight [T]. */
static __device__ void gather_row(const dd_cuda_gather &g, int r, int row, bool real, uint32_t index,
                                  dd_purpose purpose, uint32_t step, uint32_t place, const float *error_weight)
{
    const dd_cuda_schedule &s = g.schedule;
    int lane = threadIdx.x % DD_WARP;
    float x0 = 0.f, x1 = 0.f;
    float2 target = make_float2(0.f, 0.f);
    int t = 0;
    if (real) {
        uint4 word = dd_cuda_draw(g.replica[r].seed, purpose, step, place);
        const float *xy = g.points[r].x + 2 * (size_t)index;
        float2 noise = dd_cuda_normal2(word.x, word.y);
        t = (int)dd_cuda_below(word.z, (uint32_t)s.timesteps);
        x0 = sum_of_products(s.signal[t], xy[0], s.noise[t], noise.x);
        x1 = sum_of_products(s.signal[t], xy[1], s.noise[t], noise.y);
        target.x = s.target_point[t] * xy[0] + s.target_noise[t] * noise.x;
        target.y = s.target_point[t] * xy[1] + s.target_noise[t] * noise.y;
    }
    size_t at = (size_t)r * g.rows + row;
    if (lane == 0) {
        g.target[2 * at] = target.x;
        g.target[2 * at + 1] = target.y;
        g.error_weight[at] = error_weight[t];
        g.timestep[at] = t;
    }
    dd_cuda_embed_row(g.embedding, x0, x1, t, lane, g.embedded + at * 3 * g.embedding.width);
}

/* A warp a row; grid (rows / 8, R). */
static __global__ void gather_kernel(const dd_cuda_gather g)
{
    __shared__ dd_permutation order;
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
    gather_row(g, r, row, real, index, DD_DRAW_TRAIN, step, (uint32_t)row, g.schedule.weight);
}

extern "C" dd_status dd_cuda_launch_gather(const dd_cuda_gather *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + DD_WARPS - 1) / DD_WARPS, (unsigned)args->replicas);
    return DD_LAUNCH(gather_kernel, grid, dim3(DD_BLOCK), stream, *args);
}

/* One warp per row; grid (rows / 8, R). Row i of the pass is row i % batch of batch i / batch. */
static __global__ void gather_evaluate_kernel(const dd_cuda_gather g)
{
    __shared__ dd_permutation order;
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
    gather_row(g, r, row, real, index, g.purpose, place / g.batch, place % g.batch, g.schedule.error_weight);
}

extern "C" dd_status dd_cuda_launch_gather_evaluate(const dd_cuda_gather *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + DD_WARPS - 1) / DD_WARPS, (unsigned)args->replicas);
    return DD_LAUNCH(gather_evaluate_kernel, grid, dim3(DD_BLOCK), stream, *args);
}
