/* The parts of the distances of config.h for one pair: a function of the squared length, or for L1 a sign. */
#ifndef DD_CUDA_DISTANCE_CUH
#define DD_CUDA_DISTANCE_CUH

#include <cuda_runtime.h>

#include "config/config.h"

static __device__ inline float dd_sign(float x)
{
    return (float)((x > 0.f) - (x < 0.f));
}

/* d(p, q) of square = |p - q|^2; its gradient at p is slope (p - q). inverse = 1 / scale^2. Not for L1. */
static __device__ inline float dd_square_distance(dd_diversity_kind kind, float inverse, float square, float *slope)
{
    switch (kind) {
    case DD_DIVERSITY_SQUARED:
        *slope = 2.f;
        return square;
    case DD_DIVERSITY_RBF: {
        float power = -.5f * inverse * square;
        *slope = expf(power) * inverse;
        return -expm1f(power); /* near 0 most of 1 - exp would be rounding */
    }
    case DD_DIVERSITY_LOG:
        *slope = 2.f * inverse / (1.f + square * inverse);
        return log1pf(square * inverse);
    default:
        break;
    }
    float distance = sqrtf(square);
    *slope = square > 0.f ? 1.f / distance : 0.f;
    return distance;
}

#endif
