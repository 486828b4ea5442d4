/* Sums of distances between points of any number of coordinates. Compiled like kernels.c, which has them for two
 * coordinates.
 */
#include "backend/cpu/kernels_wide.h"

#include <string.h>

#include "backend/cpu/instruction_set.h"
#include "backend/cpu/vector_math.h"

/* Sums of one point over its partners: of the distances, and of their gradient along each coordinate. */
typedef struct row_sums {
    vf distance, along[DD_MAX_DIMENSIONS];
} row_sums;

/* Add the LANES partners that begin at p + j, as far as `use` has them. The L1 distance has a slope of its own along
 * each coordinate. */
INLINE void add_l1(const float *p, size_t stride, int dimensions, int i, int j, vf use, row_sums *sums)
{
    vf length = broadcast(0.f);
    for (int c = 0; c < dimensions; c++, p += stride) {
        vf apart = p[i] - load(p + j);
        length += absolute(apart);
        vf sign = where_positive(apart, broadcast(1.f)) - where_positive(-apart, broadcast(1.f));
        sums->along[c] += masked(sign, use);
    }
    sums->distance += masked(length, use);
}

/* The same for distances that are functions of the squared length: their gradient is slope * (p_i - p_j). */
INLINE void add_lengths(const dd_diversity_kind kind, float inverse, const float *p, size_t stride, int dimensions,
                        int i, int j, vf use, row_sums *sums)
{
    const float *at = p;
    vf square = broadcast(0.f), slope;
    for (int c = 0; c < dimensions; c++, at += stride) {
        vf apart = at[i] - load(at + j);
        square += apart * apart;
    }
    sums->distance += masked(square_distance(kind, inverse, square, &slope), use);
    slope = masked(slope, use);
    for (int c = 0; c < dimensions; c++, p += stride)
        sums->along[c] += slope * (p[i] - load(p + j));
}

INLINE void distances_of(const dd_diversity_kind kind, float inverse, const float *p, size_t stride, int dimensions,
                         int n, int i, row_sums sums[PARTS])
{
    for (int v = 0; v < PARTS; v++) {
        memset(&sums[v], 0, offsetof(row_sums, along) + (size_t)dimensions * sizeof(vf));
        for (int j = v * LANES; j < n; j += DD_PANEL)
            if (kind == DD_DIVERSITY_L1)
                add_l1(p, stride, dimensions, i, j, lanes_below(n - j), &sums[v]);
            else
                add_lengths(kind, inverse, p, stride, dimensions, i, j, lanes_below(n - j), &sums[v]);
    }
}

void CONCAT(dd_distances_wide_, DD_ISA)(dd_diversity_kind kind, float scale, const float *p, size_t stride,
                                        int dimensions, int n, int first, int last, float *distance, float *slope)
{
    float inverse = 1.f / (scale * scale), lane[DD_PANEL];
    row_sums sums[PARTS];
    for (int i = first; i < last; i++) {
        switch (kind) {
#define OF(kind)                                                                                                       \
    case kind:                                                                                                         \
        distances_of(kind, inverse, p, stride, dimensions, n, i, sums);                                                \
        break;
            OF(DD_DIVERSITY_EUCLIDEAN)
            OF(DD_DIVERSITY_SQUARED)
            OF(DD_DIVERSITY_L1)
            OF(DD_DIVERSITY_RBF)
            OF(DD_DIVERSITY_LOG)
#undef OF
        }
        for (int v = 0; v < PARTS; v++)
            store(lane + v * LANES, sums[v].distance);
        distance[i] = lane_sum(lane);
        for (int c = 0; c < dimensions; c++) {
            for (int v = 0; v < PARTS; v++)
                store(lane + v * LANES, sums[v].along[c]);
            slope[(size_t)c * stride + (size_t)i] = lane_sum(lane);
        }
    }
}
