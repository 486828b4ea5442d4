/* Eight atoms at a time, in GCC's and Clang's vector extension. Each function is compiled for several instruction sets
 * from the same source, and one is chosen at run time. None uses a fused multiply-add, so all give the same bits. */
#include "oracle/oracle_sum.h"

#include <math.h>
#include <stdint.h>

typedef double vd __attribute__((vector_size(8 * DD_LANES)));
typedef int64_t vi __attribute__((vector_size(8 * DD_LANES)));
typedef uint64_t vu __attribute__((vector_size(8 * DD_LANES)));
typedef double vd_unaligned __attribute__((vector_size(8 * DD_LANES), aligned(8), may_alias));

#define LOAD(p) (*(const vd_unaligned *)(p))
#define INLINE static inline __attribute__((always_inline))

INLINE double least_body(const dd_level *level, const dd_block *b, const dd_sum_at *at)
{
    vd least = (vd){0} + INFINITY;
    for (int i = b->first; i < b->first + b->count; i += DD_LANES) {
        vd dx = at->x[0] - at->signal * LOAD(level->x + i), dy = at->x[1] - at->signal * LOAD(level->y + i);
        vd e = at->rate[0] * dx * dx + at->rate[1] * dy * dy;
        vi below = e < least;
        least = (vd)(((vi)e & below) | ((vi)least & ~below));
    }
    double result = INFINITY;
    for (int l = 0; l < DD_LANES; l++)
        result = least[l] < result ? least[l] : result;
    return result;
}

/* exp: 2^n exp(r) with r = x - n ln 2 in [-ln 2 / 2, ln 2 / 2], Taylor's series to r^13 / 13!, whose remainder is
 * 4e-18. An argument below -700 counts as -700: the result 1e-304 does not change any sum. */
INLINE void sum_body(const dd_level *level, const dd_block *b, const dd_sum_at *at, double shift, double sum[3])
{
    static const double c[] = {
        1.,         1.,          .5,           1. / 6.,       1. / 24.,       1. / 120.,       1. / 720.,
        1. / 5040., 1. / 40320., 1. / 362880., 1. / 3628800., 1. / 39916800., 1. / 479001600., 1. / 6227020800.};
    const double magic = 0x1.8p52, log2e = 0x1.71547652b82fep0; /* adding magic rounds to a whole number */
    const double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
    vd total = {0}, total_x = {0}, total_y = {0};
    for (int i = b->first; i < b->first + b->count; i += DD_LANES) {
        vd dx = at->x[0] - at->signal * LOAD(level->x + i), dy = at->x[1] - at->signal * LOAD(level->y + i);
        vd e = shift - (at->rate[0] * dx * dx + at->rate[1] * dy * dy);
        vi above = e > -700.;
        e = (vd)(((vi)e & above) | ((vi)((vd){0} - 700.) & ~above));
        vd n = e * log2e + magic;
        vu bits = (vu)n;
        n -= magic;
        vd r = (e - n * ln2_high) - n * ln2_low, r2 = r * r, r4 = r2 * r2;
        /* Estrin's scheme: the products are independent, so the processor can compute them in parallel. */
        vd low = (c[0] + c[1] * r) + (c[2] + c[3] * r) * r2;
        vd next = (c[4] + c[5] * r) + (c[6] + c[7] * r) * r2;
        vd third = (c[8] + c[9] * r) + (c[10] + c[11] * r) * r2;
        vd p = (low + next * r4) + (third + (c[12] + c[13] * r) * r4) * (r4 * r4);
        vd w = LOAD(level->weight + i) * (vd)((vu)p + (bits << 52));
        total += w;
        total_x += w * dx;
        total_y += w * dy;
    }
    for (int l = 0; l < DD_LANES; l++) {
        sum[0] += total[l];
        sum[1] += total_x[l];
        sum[2] += total_y[l];
    }
}

#define COMPILED_FOR(isa, ...)                                                                                         \
    __VA_ARGS__ static double least_##isa(const dd_level *level, const dd_block *b, const dd_sum_at *at)               \
    {                                                                                                                  \
        return least_body(level, b, at);                                                                               \
    }                                                                                                                  \
    __VA_ARGS__ static void sum_##isa(const dd_level *level, const dd_block *b, const dd_sum_at *at, double shift,     \
                                      double sum[3])                                                                   \
    {                                                                                                                  \
        sum_body(level, b, at, shift, sum);                                                                            \
    }

COMPILED_FOR(plain)

#if defined(__x86_64__)
COMPILED_FOR(avx2, __attribute__((target("avx2"))))
COMPILED_FOR(avx512, __attribute__((target("avx512f"))))
#define CHOOSE(function)                                                                                               \
    (__builtin_cpu_supports("avx512f") ? function##_avx512                                                             \
     : __builtin_cpu_supports("avx2")  ? function##_avx2                                                               \
                                       : function##_plain)
#else
#define CHOOSE(function) function##_plain
#endif

double dd_sum_least(const dd_level *level, const dd_block *block, const dd_sum_at *at)
{
    return CHOOSE(least)(level, block, at);
}

void dd_sum_block(const dd_level *level, const dd_block *block, const dd_sum_at *at, double shift, double sum[3])
{
    CHOOSE(sum)(level, block, at, shift, sum);
}
