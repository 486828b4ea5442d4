/* The activation functions and their derivatives. Where a sum has a product, its one rounding is written out, so that
 * every kernel computes the same bits. */
#ifndef DD_CUDA_ACTIVATION_CUH
#define DD_CUDA_ACTIVATION_CUH

#include "launch.h"

static __device__ inline float dd_sigmoid(float x)
{
    return 1.f / (1.f + expf(-x));
}

static __device__ inline float dd_activate(dd_activation kind, float x)
{
    switch (kind) {
    case DD_SILU:
        return x * dd_sigmoid(x);
    case DD_GELU:
        return .5f * x * (1.f + erff(x * .707106781186547524f));
    case DD_TANH:
        return tanhf(x);
    case DD_RELU:
        break;
    }
    return x < 0.f ? 0.f : x; /* NaN stays NaN, so that the loss shows a broken network */
}

static __device__ inline float dd_activation_slope(dd_activation kind, float x)
{
    switch (kind) {
    case DD_SILU: {
        float s = dd_sigmoid(x);
        return s * __fmaf_rn(x, 1.f - s, 1.f);
    }
    case DD_GELU:
        return __fmaf_rn(x * .398942280401432678f, expf(-.5f * x * x), .5f * (1.f + erff(x * .707106781186547524f)));
    case DD_TANH: {
        float y = tanhf(x);
        return __fmaf_rn(-y, y, 1.f);
    }
    case DD_RELU:
        break;
    }
    return x > 0.f ? 1.f : 0.f;
}

#endif
