/* Draws on the device: the blocks of philox.h from cuRAND's generator, so that GPU and CPU have the same
 * integers, and numbers from them by philox.h's formulas. */
#ifndef DD_CUDA_RANDOM_CUH
#define DD_CUDA_RANDOM_CUH

#include <cuda_runtime.h>
#include <curand_kernel.h>

#include "base/permutation.h"
#include "base/philox.h"
#include "trigonometry.cuh"

/* dd_philox's four words. */
static __device__ inline uint4 dd_cuda_draw(uint64_t seed, dd_purpose purpose, uint32_t step, uint64_t index)
{
    curandStatePhilox4_32_10_t state;
    curand_init(seed, (uint64_t)purpose << 32 | step, 4 * index, &state);
    return curand4(&state);
}

/* dd_normal2. The products are rounded before the sums, as on the CPU: if u is near 1, one ulp of u changes the
 * radius. */
static __device__ inline float2 dd_cuda_normal2(uint32_t word0, uint32_t word1)
{
    float u = __fmul_rn((float)word0, 2.3283064e-10f) + 1.1641532e-10f;
    float v = __fmul_rn((float)word1, 1.4629180792671596e-9f) + 7.3145903963357980e-10f;
    float radius = sqrtf(-2.0f * logf(u)), sine, cosine;
    dd_sine_cosine(v, 0.318309886f, 1.2841276e-8f, &sine, &cosine); /* 1 / pi in two parts */
    return make_float2(radius * sine, radius * cosine);
}

/* The normal of one coordinate of a row or sample: dd_draw_pair. */
static __device__ inline float dd_cuda_draw_normal(uint64_t seed, dd_purpose purpose, uint32_t step, uint64_t index,
                                                   int coordinate)
{
    int pair = coordinate / 2;
    uint64_t block = (uint64_t)((pair + 1) / 2);
    uint4 word = dd_cuda_draw(seed, purpose, step, index + (block << 32));
    bool second = pair > 0 && pair % 2 == 0;
    float2 normal = dd_cuda_normal2(second ? word.z : word.x, second ? word.w : word.y);
    return coordinate % 2 ? normal.y : normal.x;
}

/* dd_below */
static __device__ inline uint32_t dd_cuda_below(uint32_t word, uint32_t bound)
{
    return (uint32_t)(((uint64_t)word * bound) >> 32);
}

/* dd_permutation_init by a block's first two threads, half of the keys each. p is in shared memory; read it after a
 * barrier. */
static __device__ inline void dd_cuda_permutation(dd_permutation *p, uint64_t seed, dd_purpose purpose, uint32_t epoch,
                                                  uint32_t n)
{
    uint32_t half = threadIdx.x;
    if (half == 0) {
        p->n = n;
        p->half_bits = dd_permutation_half_bits(n);
    }
    if (half < 2) {
        uint4 word = dd_cuda_draw(seed, purpose, epoch, half);
        p->key[4 * half] = word.x;
        p->key[4 * half + 1] = word.y;
        p->key[4 * half + 2] = word.z;
        p->key[4 * half + 3] = word.w;
    }
}

#endif
