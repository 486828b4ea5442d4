/* Density and coverage, squared MMD, and mean distance: the metrics that use all pairs of points, block by block. */
#include "metrics/set_distances.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/config.h"

enum {
    BLOCK = 512,      /* points of a block in the plane, whose coordinates fit the first-level cache */
    WIDE_BLOCK = 128, /* in other dimensions */
    LANES = 16        /* parallel sums; the number is fixed, so that the bits do not depend on the machine's vectors */
};

/* Also compiled for AVX2; the program chooses at its start. Without contraction both versions give the same bits. */
#if defined __x86_64__ && defined __linux__
#define FOR_THIS_MACHINE __attribute__((target_clones("avx2", "default")))
#else
#define FOR_THIS_MACHINE
#endif

uint32_t dd_thin(const float *point, uint32_t n, int dimensions, uint32_t most, float *thinned)
{
    uint32_t m = n < most ? n : most;
    size_t row = (size_t)dimensions;
    for (uint32_t i = 0; i < m; i++)
        memcpy(thinned + row * i, point + row * ((uint64_t)i * n / m), row * sizeof *thinned);
    return m;
}

/* ---- density and coverage ---- */

/* Coordinates by axis, in float64: differences of floats are then exact or nearly exact, and their squares are rounded
 * once. */
typedef struct columns {
    double *x; /* (dimensions, n) */
    uint32_t n;
    int dimensions;
} columns;

static dd_status columns_create(const float *point, uint32_t n, int dimensions, columns *p)
{
    size_t row = (size_t)dimensions;
    *p = (columns){.x = malloc(row * n * sizeof *p->x + 1), .n = n, .dimensions = dimensions};
    if (!p->x)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the distances of %u points", n);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < row; c++)
            p->x[c * n + i] = point[row * i + c];
    return DD_OK;
}

static inline __attribute__((always_inline)) void squares_of_plane(const columns *p, uint32_t first, uint32_t count,
                                                                   double x, double y, double *square)
{
    const double *px = p->x + first, *py = px + p->n;
    for (uint32_t j = 0; j < count; j++) {
        double dx = px[j] - x, dy = py[j] - y;
        square[j] = dx * dx + dy * dy;
    }
}

/* Squared distances from point i of q to points of p. */
static inline __attribute__((always_inline)) void squares(const columns *p, uint32_t first, uint32_t count,
                                                          const columns *q, uint32_t i, double *square)
{
    const double *from = q->x + i;
    if (p->dimensions == 2) {
        squares_of_plane(p, first, count, from[0], from[q->n], square);
        return;
    }
    memset(square, 0, count * sizeof *square);
    for (size_t c = 0; c < (size_t)p->dimensions; c++) {
        const double *x = p->x + c * p->n + first;
        double at = from[c * q->n];
        for (uint32_t j = 0; j < count; j++)
            square[j] += (x[j] - at) * (x[j] - at);
    }
}

/* Squared distance from point i to its k-th nearest other one. */
FOR_THIS_MACHINE static double ball(const columns *p, uint32_t i)
{
    enum { K = DD_DENSITY_NEIGHBOUR };
    double best[K], square[BLOCK]; /* best is in ascending order */
    for (int k = 0; k < K; k++)
        best[k] = INFINITY;
    for (uint32_t first = 0; first < p->n; first += BLOCK) {
        uint32_t count = p->n - first < BLOCK ? p->n - first : BLOCK;
        squares(p, first, count, p, i, square);
        if (i >= first && i < first + count)
            square[i - first] = INFINITY;
        for (uint32_t j = 0; j < count; j++) {
            if (square[j] >= best[K - 1])
                continue;
            int place = K - 1;
            for (; place > 0 && best[place - 1] > square[j]; place--)
                best[place] = best[place - 1];
            best[place] = square[j];
        }
    }
    return best[K - 1];
}

/* How many points of p are within a squared distance of point i of q. */
FOR_THIS_MACHINE static uint32_t count_within(const columns *p, const columns *q, uint32_t i, double limit)
{
    double square[BLOCK];
    uint32_t within = 0;
    for (uint32_t first = 0; first < p->n; first += BLOCK) {
        uint32_t count = p->n - first < BLOCK ? p->n - first : BLOCK;
        squares(p, first, count, q, i, square);
        for (uint32_t j = 0; j < count; j++)
            within += square[j] <= limit;
    }
    return within;
}

dd_status dd_density_coverage(const float *real, uint32_t n, const float *generated, uint32_t m, int dimensions,
                              double *density, double *coverage)
{
    columns r = {0}, g = {0};
    dd_status status = DD_OK;
    *density = *coverage = NAN;
    if (n < DD_DENSITY_NEIGHBOUR + 1 || !m)
        return DD_OK;
    DD_CHECK(columns_create(real, n, dimensions, &r));
    DD_CHECK(columns_create(generated, m, dimensions, &g));
    uint64_t pairs = 0;
    uint32_t covered = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t within = count_within(&g, &r, i, ball(&r, i));
        pairs += within;
        covered += within > 0;
    }
    *density = (double)pairs / ((double)DD_DENSITY_NEIGHBOUR * m);
    *coverage = (double)covered / n;
done:
    free(r.x);
    free(g.x);
    return status;
}

/* ---- MMD and mean distance ---- */

static inline int32_t bits_of(float value)
{
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_of(int32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* exp(-u) for u >= 0 to 2 units in the last place, 1 at 0, with operations that a compiler can vectorise: 2^whole from
 * the exponent's bits, 2^part by its Taylor polynomial, |part| <= 1/2. Above 87, the end of the exponent's range, the
 * result stays 1e-38. (Floats that are not negative have the same order as their bits.) */
static inline float exp_minus(float u)
{
    const float round = 0x1.8p23f; /* adding it leaves a whole number in the lowest bits */
    int32_t bits = bits_of(u), most = bits_of(87.f);
    float t = -1.44269504f * float_of(bits < most ? bits : most);
    float shifted = t + round, part = t - (shifted - round);
    float whole = float_of((int32_t)((uint32_t)(bits_of(shifted) + 127) << 23));
    float p = 1.5403530e-4f;
    p = p * part + 1.3333558e-3f;
    p = p * part + 9.6181291e-3f;
    p = p * part + 5.5504109e-2f;
    p = p * part + 2.4022651e-1f;
    p = p * part + 6.9314718e-1f;
    return whole * (p * part + 1.f);
}

static inline float fourth_power(float e)
{
    float square = e * e;
    return square * square;
}

/* The sum of the six kernels. Halving a width raises exp(-d^2 / 2 s^2) to its fourth power. A second exponential starts
 * the narrow kernels, because each such power multiplies the rounding error by four. */
static inline float kernels(float square)
{
    float wide = exp_minus(square * .125f), narrow = exp_minus(square * 8.f);
    float wide4 = fourth_power(wide), narrow4 = fourth_power(narrow);
    return wide + wide4 + fourth_power(wide4) + narrow + narrow4 + fourth_power(narrow4);
}

typedef struct block {
    float x[WIDE_BLOCK * DD_MAX_DIMENSIONS]; /* (dimensions, size), by axis */
    uint32_t size, count;
    int dimensions;
} block;

static uint32_t block_size(int dimensions)
{
    return dimensions == 2 ? BLOCK : WIDE_BLOCK;
}

static void load(const float *point, uint32_t n, int dimensions, uint32_t first, block *b)
{
    size_t row = (size_t)dimensions;
    b->size = block_size(dimensions);
    b->count = n - first < b->size ? n - first : b->size;
    b->dimensions = dimensions;
    for (uint32_t i = 0; i < b->count; i++)
        for (size_t c = 0; c < row; c++)
            b->x[c * b->size + i] = point[row * (first + i) + c];
}

/* The sum of value[count] in LANES parts. */
static double sum_lanes(const float *value, uint32_t count)
{
    float lane[LANES] = {0.f};
    double sum = 0.;
    uint32_t whole = count / LANES * LANES;
    for (uint32_t j = 0; j < whole; j += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += value[j + (uint32_t)l];
    for (uint32_t j = whole; j < count; j++)
        lane[j - whole] += value[j];
    for (int l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

typedef enum quantity { KERNELS, DISTANCES } quantity;

/* Squared distances from point i of one block to all points of the other. */
static inline __attribute__((always_inline)) void block_squares(const block *a, uint32_t i, const block *b,
                                                                float *square)
{
    if (b->dimensions == 2) {
        const float *x = b->x, *y = x + BLOCK;
        for (uint32_t j = 0; j < b->count; j++) {
            float dx = x[j] - a->x[i], dy = y[j] - a->x[BLOCK + i];
            square[j] = dx * dx + dy * dy;
        }
        return;
    }
    memset(square, 0, b->count * sizeof *square);
    for (uint32_t c = 0; c < (uint32_t)b->dimensions; c++) {
        const float *x = b->x + c * WIDE_BLOCK;
        float at = a->x[c * WIDE_BLOCK + i];
        for (uint32_t j = 0; j < b->count; j++)
            square[j] += (x[j] - at) * (x[j] - at);
    }
}

/* Sums over all pairs of points of two blocks. */
FOR_THIS_MACHINE static double sum_blocks(quantity what, const block *a, const block *b)
{
    double total = 0.;
    float square[BLOCK], value[BLOCK];
    const float narrower = 2.f / (float)a->dimensions; /* 1 in the plane */
    for (uint32_t i = 0; i < a->count; i++) {
        block_squares(a, i, b, square);
        if (what == KERNELS)
            for (uint32_t j = 0; j < b->count; j++)
                value[j] = kernels(narrower * square[j]);
        else
            for (uint32_t j = 0; j < b->count; j++)
                value[j] = sqrtf(square[j]);
        total += sum_lanes(value, b->count);
    }
    return total;
}

static double mean_between(quantity what, const float *a, uint32_t n, const float *b, uint32_t m, int dimensions)
{
    block one, other;
    uint32_t size = block_size(dimensions);
    double total = 0.;
    for (uint32_t i = 0; i < n; i += size) {
        load(a, n, dimensions, i, &one);
        for (uint32_t j = 0; j < m; j += size) {
            load(b, m, dimensions, j, &other);
            total += sum_blocks(what, &one, &other);
        }
    }
    return total / ((double)n * m);
}

/* Sums over the pairs of different points. A point's kernels with itself are 1, and its distance to itself is 0. */
static double mean_within(quantity what, const float *a, uint32_t n, int dimensions)
{
    block one, other;
    uint32_t size = block_size(dimensions);
    double total = what == KERNELS ? -(double)DD_MMD_WIDTHS * n : 0.;
    for (uint32_t i = 0; i < n; i += size) {
        load(a, n, dimensions, i, &one);
        total += sum_blocks(what, &one, &one);
        for (uint32_t j = 0; j < i; j += size) {
            load(a, n, dimensions, j, &other);
            total += 2. * sum_blocks(what, &one, &other);
        }
    }
    return total / ((double)n * (n - 1.));
}

double dd_mmd_within(const float *a, uint32_t n, int dimensions)
{
    return n < 2 ? NAN : mean_within(KERNELS, a, n, dimensions);
}

double dd_mmd_between(const float *a, uint32_t n, const float *b, uint32_t m, int dimensions)
{
    return mean_between(KERNELS, a, n, b, m, dimensions);
}

double dd_mmd_from_means(double within_a, double within_b, double between)
{
    return (within_a + within_b - 2. * between) / DD_MMD_WIDTHS;
}

double dd_mmd_squared(const float *a, uint32_t n, const float *b, uint32_t m, int dimensions)
{
    return dd_mmd_from_means(dd_mmd_within(a, n, dimensions), dd_mmd_within(b, m, dimensions),
                             dd_mmd_between(a, n, b, m, dimensions));
}

double dd_mean_distance(const float *a, uint32_t n, int dimensions)
{
    return n < 2 ? NAN : mean_within(DISTANCES, a, n, dimensions);
}
