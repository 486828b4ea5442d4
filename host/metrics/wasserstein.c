/* The sliced Wasserstein distance. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
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

static uint32_t *project(const float *point, uint32_t n, float c, float s, uint32_t *room)
{
    for (uint32_t i = 0; i < n; i++)
        room[i] = key_of(c * point[2 * (size_t)i] + s * point[2 * (size_t)i + 1]);
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

dd_status dd_sliced_wasserstein(const float *a, uint32_t n, const float *b, uint32_t m, double *distance)
{
    uint32_t *room = malloc(2 * ((size_t)n + m) * sizeof *room);
    if (!room)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the Wasserstein distance of %u and %u points", n, m);
    double sum = 0.;
    for (int d = 0; d < DD_DIRECTIONS && !dd_cancelled(); d++) {
        float c = (float)cos(M_PI * d / DD_DIRECTIONS), s = (float)sin(M_PI * d / DD_DIRECTIONS);
        sum += area_between(project(a, n, c, s, room), n, project(b, m, c, s, room + 2 * (size_t)n), m);
    }
    free(room);
    *distance = sum / DD_DIRECTIONS;
    return dd_check_cancelled();
}
