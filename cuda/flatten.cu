/* One replica's vector between the device's layout and dd_model's order. */
#include "launch.h"
#include "reduce.cuh"

enum { PER_BLOCK = 8 * DD_BLOCK };

/* Grid (longest tensor / 2048, tensors). */
static __global__ void flatten_kernel(const dd_cuda_place *place, int replica, const float *vector, float *flat)
{
    dd_grid_begin();
    const dd_cuda_place p = place[blockIdx.y];
    size_t first = (size_t)blockIdx.x * PER_BLOCK;
    for (size_t i = first + threadIdx.x; i < first + PER_BLOCK && i < p.count; i += DD_BLOCK)
        flat[p.flat + i] = vector[p.at + replica * p.replica + i];
}

extern "C" dd_status dd_cuda_launch_flatten(int tensors, const dd_cuda_place *place, size_t longest, int replica,
                                            const float *vector, float *flat, cudaStream_t stream)
{
    dim3 grid((unsigned)((longest + PER_BLOCK - 1) / PER_BLOCK), (unsigned)tensors);
    return DD_LAUNCH(flatten_kernel, grid, dim3(DD_BLOCK), stream, place, replica, vector, flat);
}

/* Grid (longest tensor / 2048, tensors). */
static __global__ void unflatten_kernel(const dd_cuda_place *place, int replica, const float *flat, float *vector)
{
    dd_grid_begin();
    const dd_cuda_place p = place[blockIdx.y];
    size_t first = (size_t)blockIdx.x * PER_BLOCK;
    for (size_t i = first + threadIdx.x; i < first + PER_BLOCK && i < p.count; i += DD_BLOCK)
        vector[p.at + replica * p.replica + i] = flat[p.flat + i];
}

extern "C" dd_status dd_cuda_launch_unflatten(int tensors, const dd_cuda_place *place, size_t longest, int replica,
                                              const float *flat, float *vector, cudaStream_t stream)
{
    dim3 grid((unsigned)((longest + PER_BLOCK - 1) / PER_BLOCK), (unsigned)tensors);
    return DD_LAUNCH(unflatten_kernel, grid, dim3(DD_BLOCK), stream, place, replica, flat, vector);
}
