/* The timestep's part of the first layers, which is the same for all samples. Together with their bias it is a bias for
 * each reverse step.
 */
#include "launch.h"
#include "reduce.cuh"

/* A warp a column; grid (W / 8, R). */
static __global__ void time_bias_kernel(const dd_cuda_time_bias b)
{
    dd_grid_begin();
    int r = blockIdx.y, column = blockIdx.x * DD_WARPS + threadIdx.x / DD_WARP, lane = threadIdx.x % DD_WARP;
    if (column >= b.columns)
        return;
    int width = b.embedding.width, x_width = b.embedding.x_width;
    const float *weight = b.weight + r * b.weight_replica + (size_t)column * b.embedding.input + x_width;
    float bias = b.bias[r * b.bias_replica + column];
    for (int s = 0; s < b.schedule.steps; s++) {
        const float *time = b.embedding.time + (size_t)b.schedule.timestep[s] * width;
        float sum = 0.f;
        for (int c = lane; c < width; c += DD_WARP)
            sum += time[c] * weight[c];
        sum = dd_warp_sum(sum);
        if (lane == 0)
            b.time_bias[((size_t)r * b.schedule.steps + s) * b.columns + column] = sum + bias;
    }
}

extern "C" dd_status dd_cuda_launch_time_bias(const dd_cuda_time_bias *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->columns + DD_WARPS - 1) / DD_WARPS, (unsigned)args->replicas);
    return DD_LAUNCH(time_bias_kernel, grid, dim3(DD_BLOCK), stream, *args);
}
