/* Sums over a warp and over a block, in an order that never changes. */
#ifndef DD_CUDA_REDUCE_CUH
#define DD_CUDA_REDUCE_CUH

#include <cuda_runtime.h>

enum { DD_WARP = 32, DD_BLOCK = 256, DD_WARPS = DD_BLOCK / DD_WARP };

/* The sum of all 32 lanes' values, in each of them. */
template <typename T> static __device__ inline T dd_warp_sum(T value)
{
    for (int offset = DD_WARP / 2; offset > 0; offset /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, offset);
    return value;
}

/* The sum of all DD_BLOCK threads' values, in each of them. warp_sum [DD_WARPS] is shared memory and may be reused
 * afterwards. Every thread of the block must call it. */
template <typename T> static __device__ inline T dd_block_sum(T value, T *warp_sum)
{
    value = dd_warp_sum(value);
    if (threadIdx.x % DD_WARP == 0)
        warp_sum[threadIdx.x / DD_WARP] = value;
    __syncthreads();
    T sum = 0;
    for (int w = 0; w < DD_WARPS; w++)
        sum += warp_sum[w];
    __syncthreads();
    return sum;
}

#endif
