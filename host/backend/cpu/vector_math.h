/* Vectors of LANES floats in GCC's and Clang's vector extension, and the functions the networks need,
 * each within about 2 ulp (absolute 2e-7 where a result passes through zero). Included after
 * instruction_set.h.
 */
#ifndef DD_CPU_VECTOR_MATH_H
#define DD_CPU_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef float vf_unaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));

INLINE vf load(const float *p)
{
    return *(const vf_unaligned *)p;
}
INLINE void store(float *p, vf v)
{
    *(vf_unaligned *)p = v;
}
INLINE vf broadcast(float s)
{
    return s - (vf){0};
}
INLINE vi broadcast_int(int32_t s)
{
    return s - (vi){0};
}

/* a * b + c with one rounding. It calls the function lane by lane, and the compiler makes one instruction of it. An
 * expression a * b + c is not enough: if a * b also occurs elsewhere, the compiler may reuse that product, which is
 * already rounded. */
INLINE vf fused(vf a, vf b, vf c)
{
    vf out;
    for (int i = 0; i < LANES; i++)
#if defined(__FMA__) || defined(__aarch64__)
        out[i] = __builtin_fmaf(a[i], b[i], c[i]);
#else
        out[i] = (float)((double)a[i] * b[i] + c[i]); /* no such instruction: exact except for a second rounding */
#endif
    return out;
}

INLINE vf masked(vf a, vf mask)
{
    return (vf)((vi)a & (vi)mask);
}
INLINE vf select(vi mask, vf yes, vf no)
{
    return (vf)(((vi)yes & mask) | ((vi)no & ~mask));
}

/* value where `sign` is above 0, else 0 (also if sign is NaN). */
INLINE vf where_positive(vf sign, vf value)
{
    return (vf)((vi)value & (vi)(sign > 0.f));
}

/* All ones in the first `count` lanes. */
INLINE vf lanes_below(int count)
{
    vi index;
    for (int i = 0; i < LANES; i++)
        index[i] = i;
    return (vf)(index < count);
}

/* max(x, 0), and NaN for NaN, so that the loss shows a broken network. */
INLINE vf relu(vf x)
{
    return (vf)((vi)x & ~(vi)(x < 0.f));
}

INLINE vf root(vf x)
{
    vf out;
    for (int i = 0; i < LANES; i++)
        out[i] = __builtin_sqrtf(x[i]);
    return out;
}

INLINE vf absolute(vf x)
{
    return (vf)((vi)x & 0x7FFFFFFF);
}

/* Nearest integer of |x| < 2^22. */
INLINE vf nearest(vf x, vi *integer)
{
    const vf magic = broadcast(12582912.f); /* 1.5 * 2^23 */
    vf shifted = x + magic;
    *integer = (vi)shifted - (vi)magic;
    return shifted - magic;
}

/* Sine and cosine of angle + error, |error| below an ulp of angle. Reduction by pi/2 in three parts (Cody & Waite),
 * exact while |angle| is below about 2^15; for larger angles lane by lane in float64. */
INLINE void sincos_vector(vf angle, vf error, vf *sine, vf *cosine)
{
    vi quadrant;
    vf n = nearest(angle * 0.636619772367581343f, &quadrant);
    vf r = fused(n, broadcast(-1.5703125f), angle);
    r = fused(n, broadcast(-4.837512969970703125e-4f), r);
    r = fused(n, broadcast(-7.549790126404332e-8f), r);
    r += error;
    vf r2 = r * r;
    /* Taylor coefficients adjusted for |r| <= pi/4 (Cephes, sinf.c and cosf.c). */
    vf s = r + r * r2 * (-1.6666654611e-1f + r2 * (8.3321608736e-3f + r2 * -1.9515295891e-4f));
    vf c =
        1.f - .5f * r2 + r2 * r2 * (4.166664568298827e-2f + r2 * (-1.388731625493765e-3f + r2 * 2.443315711809948e-5f));
    vi swap = (vi)((quadrant & 1) != 0);
    vf sin_value = select(swap, c, s), cos_value = select(swap, s, c);
    *sine = (vf)((vi)sin_value ^ ((quadrant & 2) << 30));
    *cosine = (vf)((vi)cos_value ^ (((quadrant + 1) & 2) << 30));
    for (int i = 0; i < LANES; i++)
        if (!(angle[i] < 30000.f && angle[i] > -30000.f)) {
            (*sine)[i] = (float)sin((double)angle[i] + error[i]);
            (*cosine)[i] = (float)cos((double)angle[i] + error[i]);
        }
}

/* e^x; 0 for x below -87 and e^88 for x above 88. */
INLINE vf exp_vector(vf x)
{
    vf low = (vf)((vi)(x < -87.f)), clamped = select((vi)(x > 88.f), broadcast(88.f), x);
    clamped = select((vi)low, broadcast(0.f), clamped);
    vi power;
    vf n = nearest(clamped * 1.44269504088896341f, &power);
    vf r = fused(n, broadcast(-.693359375f), clamped);
    r = fused(n, broadcast(2.12194440e-4f), r);
    /* Cephes, expf.c */
    vf p = 1.9875691500e-4f + (vf){0};
    p = fused(p, r, broadcast(1.3981999507e-3f));
    p = fused(p, r, broadcast(8.3334519073e-3f));
    p = fused(p, r, broadcast(4.1665795894e-2f));
    p = fused(p, r, broadcast(1.6666665459e-1f));
    p = fused(p, r, broadcast(5.0000001201e-1f));
    vf value = p * r * r + r + 1.f;
    value *= (vf)((power + 127) << 23);
    return (vf)((vi)value & ~(vi)low);
}

INLINE vf sigmoid_vector(vf x)
{
    return 1.f / (1.f + exp_vector(-x));
}

INLINE vf tanh_vector(vf x)
{
    vf size = absolute(x), x2 = x * x;
    vf large = 1.f - 2.f / (exp_vector(2.f * size) + 1.f);
    large = (vf)((vi)large | ((vi)x & (int32_t)0x80000000));
    /* Cephes, tanhf.c, for |x| < .625 */
    vf p = -5.70498872745e-3f + (vf){0};
    p = fused(p, x2, broadcast(2.06390887954e-2f));
    p = fused(p, x2, broadcast(-5.37397155531e-2f));
    p = fused(p, x2, broadcast(1.33314422036e-1f));
    p = fused(p, x2, broadcast(-3.33332819422e-1f));
    return select((vi)(size < .625f), p * x2 * x + x, large);
}

INLINE vf log1p_lanes(vf x)
{
    vf out = x;
    for (int i = 0; i < LANES; i++)
        out[i] = log1pf(x[i]);
    return out;
}

INLINE vf erf_lanes(vf x)
{
    vf out = x;
    for (int i = 0; i < LANES; i++)
        out[i] = erff(x[i]);
    return out;
}

INLINE vf activate(dd_activation activation, vf x)
{
    switch (activation) {
    case DD_SILU:
        return x * sigmoid_vector(x);
    case DD_TANH:
        return tanh_vector(x);
    case DD_GELU:
        return .5f * x * (1.f + erf_lanes(x * .707106781186547524f));
    case DD_RELU:
        break;
    }
    return relu(x);
}

INLINE vf derivative(dd_activation activation, vf x)
{
    switch (activation) {
    case DD_SILU: {
        vf s = sigmoid_vector(x);
        return s * (1.f + x * (1.f - s));
    }
    case DD_TANH: {
        vf y = tanh_vector(x);
        return 1.f - y * y;
    }
    case DD_GELU:
        return .5f * (1.f + erf_lanes(x * .707106781186547524f)) + x * .398942280401432678f * exp_vector(-.5f * x * x);
    case DD_RELU:
        break;
    }
    return where_positive(x, broadcast(1.f));
}

/* d(p, q) from the squared length |p - q|^2; its gradient at p is slope * (p - q). inverse = 1 / scale^2. */
INLINE vf square_distance(const dd_diversity_kind kind, float inverse, vf square, vf *slope)
{
    vf distance;
    if (kind == DD_DIVERSITY_SQUARED) {
        *slope = broadcast(2.f);
        return square;
    }
    if (kind == DD_DIVERSITY_RBF) {
        vf kernel = exp_vector(square * (-.5f * inverse));
        *slope = kernel * inverse;
        return 1.f - kernel;
    }
    if (kind == DD_DIVERSITY_LOG) {
        *slope = 2.f * inverse / (1.f + square * inverse);
        return log1p_lanes(square * inverse);
    }
    distance = root(square);
    *slope = where_positive(square, 1.f / distance);
    return distance;
}

INLINE float lane_sum(const float lane[DD_PANEL])
{
    float total = 0.f;
    for (int l = 0; l < DD_PANEL; l++)
        total += lane[l];
    return total;
}

#endif
