/* Sine and cosine for angles of any size, without the slow path of the CUDA library and its local memory. */
#ifndef DD_CUDA_TRIGONOMETRY_CUH
#define DD_CUDA_TRIGONOMETRY_CUH

#include <cuda_runtime.h>
#include <math.h>

/* Sine and cosine of pi * x * (frequency + frequency_low), both within about 2e-7. Counting in half turns makes the
 * reduction exact: a fused multiply-add gives the product's rounding error, and whole quarter turns are subtracted
 * twice, because for angles above 2^22 quarter turns the error itself can be a quarter turn. */
static __device__ inline void dd_sine_cosine(float x, float frequency, float frequency_low, float *sine, float *cosine)
{
    float turn = x * frequency;
    float error = fmaf(x, frequency, -turn) + x * frequency_low;
    float quarters = rintf(2.f * turn);
    float rest = fmaf(-.5f, quarters, turn) + error;
    float more = rintf(2.f * rest);
    rest = fmaf(-.5f, more, rest);
    int quadrant = (int)(quarters - 4.f * floorf(.25f * quarters)) + (int)(more - 4.f * floorf(.25f * more));
    float r = 3.14159265f * rest, r2 = r * r;
    /* Taylor coefficients adjusted for |r| <= pi/4 (Cephes, sinf.c and cosf.c). */
    float s = r + r * r2 * (-1.6666654611e-1f + r2 * (8.3321608736e-3f + r2 * -1.9515295891e-4f));
    float c =
        1.f - .5f * r2 + r2 * r2 * (4.166664568298827e-2f + r2 * (-1.388731625493765e-3f + r2 * 2.443315711809948e-5f));
    float swapped_s = quadrant & 1 ? c : s, swapped_c = quadrant & 1 ? s : c;
    *sine = quadrant & 2 ? -swapped_s : swapped_s;
    *cosine = (quadrant + 1) & 2 ? -swapped_c : swapped_c;
}

#endif
