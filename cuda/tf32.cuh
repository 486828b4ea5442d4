/* Products in float32 on tensor cores, which multiply numbers with a mantissa of 10 bits (TF32).
 *
 * A number is split into two such numbers, high and low: x = high + low to within 2^-22 |x|. Then
 *     a b = high high + (low high + high low) + (low low, below 2^-22 |a b|, left out),
 * which is three products (3xTF32; Ootomo and Yokota, Int. J. High Perform. Comput. Appl. 36, 2022, p. 475).
 * Tensor cores cut sums off instead of rounding them, so a long sum on them drifts towards zero. Therefore the three
 * products of each 16 x 8 x 8 begin at 0, the small ones first, and are added to the sum outside, where it is rounded.
 */
#ifndef DD_CUDA_TF32_CUH
#define DD_CUDA_TF32_CUH

#include "ptx.cuh"

typedef struct dd_tf32_split {
    uint32_t high, low;
} dd_tf32_split;

static __device__ inline dd_tf32_split dd_split_tf32(float x)
{
    dd_tf32_split s;
    s.high = dd_round_tf32(x);
    s.low = dd_round_tf32(x - __uint_as_float(s.high));
    return s;
}

/* The lane's part of a factor: four numbers of A (16, 8), two of B (8, 8), placed as in dd_mma_tf32. */
typedef struct dd_tf32_a {
    uint32_t high[4], low[4];
} dd_tf32_a;
typedef struct dd_tf32_b {
    uint32_t high[2], low[2];
} dd_tf32_b;

static __device__ inline dd_tf32_a dd_tf32_split_a(float x0, float x1, float x2, float x3)
{
    const float x[4] = {x0, x1, x2, x3};
    dd_tf32_a a;
    for (int i = 0; i < 4; i++) {
        dd_tf32_split s = dd_split_tf32(x[i]);
        a.high[i] = s.high;
        a.low[i] = s.low;
    }
    return a;
}

static __device__ inline dd_tf32_b dd_tf32_split_b(float x0, float x1)
{
    const dd_tf32_split s0 = dd_split_tf32(x0), s1 = dd_split_tf32(x1);
    dd_tf32_b b = {{s0.high, s1.high}, {s0.low, s1.low}};
    return b;
}

/* sum += A B, by all lanes of a warp. The lane's part of the 16 x 8 sums is as in dd_mma_tf32. */
static __device__ inline void dd_tf32_multiply(float sum[4], const dd_tf32_a *a, const dd_tf32_b *b)
{
    float product[4] = {0.f, 0.f, 0.f, 0.f};
    dd_mma_tf32(product, a->low, b->high);
    dd_mma_tf32(product, a->high, b->low);
    dd_mma_tf32(product, a->high, b->high);
    for (int i = 0; i < 4; i++)
        sum[i] += product[i];
}

#endif
