/* First stage of the gradient's global norm: a sum of squares for each chunk. step.cu adds these sums in order. */
#include "launch.h"
#include "reduce.cuh"

/* Grid (chunks, R). */
static __global__ void squares_kernel(const dd_cuda_chunk *chunk, const float *gradient, float *partial)
{
    dd_grid_begin();
    __shared__ float warp_sum[DD_WARPS];
    const dd_cuda_chunk c = chunk[blockIdx.x];
    const float *g = gradient + c.at + blockIdx.y * c.replica;
    float sum = 0.f;
    for (int i = threadIdx.x; i < c.count; i += DD_BLOCK)
        sum += g[i] * g[i];
    sum = dd_block_sum(sum, warp_sum);
    if (threadIdx.x == 0)
        partial[(size_t)blockIdx.y * gridDim.x + blockIdx.x] = sum;
}

extern "C" dd_status dd_cuda_launch_squares(int chunks, const dd_cuda_chunk *chunk, const float *gradient,
                                            float *partial, int replicas, cudaStream_t stream)
{
    return DD_LAUNCH(squares_kernel, dim3((unsigned)chunks, (unsigned)replicas), dim3(DD_BLOCK), stream, chunk,
                     gradient, partial);
}
