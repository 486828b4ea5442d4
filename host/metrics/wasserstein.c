/* The sliced Wasserstein distance. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/philox.h"
#include "config/config.h"
#include "metrics/set_distances.h"

/* ---- sorting ---- */

enum { DIGIT = 11, DIGITS = 3, BUCKETS = 1 << DIGIT };

/* Unsigned integers in the order of the floats: for a negative float all bits are inverted, for the others only the
 * sign. */
static uint32_t key_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits ^ (bits >> 31 ? 0xFFFFFFFFu : 0x80000000u);
}

static float value_of(uint32_t key)
{
    float value;
    uint32_t bits = key ^ (key >> 31 ? 0x80000000u : 0xFFFFFFFFu);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Radix sort from the lowest digit. key[n] has room for n more after it. Returns where the sorted keys are. */
static uint32_t *sort(uint32_t *key, uint32_t n)
{
    uint32_t start[DIGITS][BUCKETS] = {{0}};
    uint32_t *from = key, *to = key + n;
    for (uint32_t i = 0; i < n; i++)
        for (int d = 0; d < DIGITS; d++)
            start[d][key[i] >> DIGIT * d & (BUCKETS - 1)]++;
    for (int d = 0; d < DIGITS; d++) {
        uint32_t sum = 0;
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            uint32_t count = start[d][bucket];
            start[d][bucket] = sum;
            sum += count;
        }
        for (uint32_t i = 0; i < n; i++)
            to[start[d][from[i] >> DIGIT * d & (BUCKETS - 1)]++] = from[i];
        uint32_t *held = from;
        from = to;
        to = held;
    }
    return from;
}

/* ---- one direction ---- */

/* Two standard normals by Box-Muller, in float64. */
static void draw_pair(uint32_t step, uint32_t index, double normal[2])
{
    uint32_t word[4];
    dd_philox(0, DD_DRAW_DIRECTIONS, step, index, word);
    double radius = sqrt(-2. * log(dd_uniform53(word[0], word[1])));
    double angle = 2. * M_PI * dd_uniform53(word[2], word[3]);
    normal[0] = radius * cos(angle);
    normal[1] = radius * sin(angle);
}

/* A direction that is uniform on the sphere. */
static void draw_direction(int number, int dimensions, float *direction)
{
    double normal[DD_MAX_DIMENSIONS + 1], square = 0.;
    for (int c = 0; c < dimensions; c += 2)
        draw_pair((uint32_t)number, (uint32_t)c / 2, normal + c);
    for (int c = 0; c < dimensions; c++)
        square += normal[c] * normal[c];
    for (int c = 0; c < dimensions; c++)
        direction[c] = (float)(normal[c] / sqrt(square));
}

static void choose_direction(int number, int dimensions, float *direction)
{
    if (dimensions > 2) {
        draw_direction(number, dimensions, direction);
    } else if (dimensions == 2) {
        direction[0] = (float)cos(M_PI * number / DD_DIRECTIONS);
        direction[1] = (float)sin(M_PI * number / DD_DIRECTIONS);
    } else {
        direction[0] = 1.f;
    }
}

static float product(const float *direction, const float *x, int dimensions)
{
    float sum = direction[0] * x[0];
    for (int c = 1; c < dimensions; c++)
        sum += direction[c] * x[c];
    return sum;
}

/* Sorted keys of the projected points. */
static uint32_t *project(const float *point, uint32_t n, int dimensions, const float *direction, uint32_t *room)
{
    if (dimensions == 2) /* a loop without a loop in it */
        for (uint32_t i = 0; i < n; i++)
            room[i] = key_of(product(direction, point + 2 * (size_t)i, 2));
    else
        for (uint32_t i = 0; i < n; i++)
            room[i] = key_of(product(direction, point + (size_t)dimensions * i, dimensions));
    return sort(room, n);
}

/* The area between two step functions that rise by 1/n at a's and by 1/m at b's sorted values: heights i/n and j/m
 * differ by a whole number of 1/(n m). */
static double area_between(const uint32_t *a, uint32_t n, const uint32_t *b, uint32_t m)
{
    double sum = 0., before = 0.;
    for (uint32_t i = 0, j = 0; i < n || j < m;) {
        uint32_t from_a = j == m || (i < n && a[i] <= b[j]);
        double here = value_of(from_a ? a[i] : b[j]);
        int64_t height = (int64_t)((uint64_t)i * m) - (int64_t)((uint64_t)j * n);
        if (height)
            sum += (double)(height < 0 ? -height : height) * (here - before);
        before = here;
        i += from_a;
        j += !from_a;
    }
    return sum / ((double)n * m);
}

dd_status dd_sliced_wasserstein(const float *a, uint32_t n, const float *b, uint32_t m, int dimensions,
                                double *distance)
{
    uint32_t *room = malloc(2 * ((size_t)n + m) * sizeof *room);
    if (!room)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the Wasserstein distance of %u and %u points", n, m);
    double sum = 0.;
    int directions = dimensions == 1 ? 1 : DD_DIRECTIONS;
    for (int d = 0; d < directions && !dd_cancelled(); d++) {
        float direction[DD_MAX_DIMENSIONS];
        choose_direction(d, dimensions, direction);
        sum += area_between(project(a, n, dimensions, direction, room), n,
                            project(b, m, dimensions, direction, room + 2 * (size_t)n), m);
    }
    free(room);
    *distance = sum / directions;
    return dd_check_cancelled();
}
