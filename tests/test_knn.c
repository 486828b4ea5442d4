/* Nearest neighbours against brute force: every distance must be the same double, for random,
 * clustered, duplicate and collinear points, outliers and the largest floats, every k, sets barely larger
 * than k, queries unlike the points, 1 to 128 dimensions, and any number of threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/philox.h"
#include "check.h"
#include "metrics/knn.h"

typedef enum shape { RANDOM, CLUSTERED, DUPLICATE, GRID, LINE, DIAGONAL, WIDE, OUTLIERS, HUGE_BOX, SHAPES } shape;
static const char *const shape_names[] = {"random",   "clustered", "duplicate", "grid",    "line",
                                          "diagonal", "wide",      "outliers",  "huge box"};

enum { MOST_THREADS = 5 };
static dd_pool *pool[MOST_THREADS + 1]; /* by its threads: 1, 2 and 5 */

static void make(shape s, uint64_t seed, uint32_t n, float *xy)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t w[4];
        dd_philox(seed, DD_DRAW_DATA, (uint32_t)s, i, w);
        float u = dd_uniform(w[0]), v = dd_uniform(w[1]), normal[2];
        dd_normal2(w[2], w[3], normal);
        float x = u, y = v;
        if (s == CLUSTERED) { /* blobs of width .01 around 142 places */
            uint32_t c[4];
            dd_philox(7, DD_DRAW_DATA, 99, dd_below(w[0], 142), c);
            x = 8.f * dd_uniform(c[0]) - 4.f + .01f * normal[0];
            y = 8.f * dd_uniform(c[1]) - 4.f + .01f * normal[1];
        } else if (s == DUPLICATE) {
            x = .25f;
            y = -3.f;
        } else if (s == GRID) { /* many ties and many points at one place */
            x = (float)dd_below(w[0], 9);
            y = (float)dd_below(w[1], 9);
        } else if (s == LINE) {
            y = 1.5f;
        } else if (s == DIAGONAL) {
            y = -x;
        } else if (s == WIDE) { /* magnitudes from 1e-18 to 1e18, both signs */
            x = (w[2] & 1 ? -1.f : 1.f) * powf(10.f, 36.f * u - 18.f);
            y = (w[3] & 1 ? -1.f : 1.f) * powf(10.f, 36.f * v - 18.f);
        } else if (s == OUTLIERS && i % 100 == 0) {
            x = 1e7f * normal[0];
            y = 1e6f * normal[1];
        } else if (s == HUGE_BOX) { /* differences that overflow in float32 */
            x = 3e38f * (2.f * u - 1.f);
            y = 3e38f * (2.f * v - 1.f);
        }
        xy[2 * i] = x;
        xy[2 * i + 1] = y;
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* All distances, sorted. */
static double brute_force(const float q[2], uint32_t self, const float *point, uint32_t n, int k, double *distance)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i != self)
            distance[count++] = fmax(fabs((double)point[2 * i] - q[0]), fabs((double)point[2 * i + 1] - q[1]));
    }
    qsort(distance, count, sizeof *distance, compare_doubles);
    return distance[k - 1];
}

/* Check `probes` of the queries. */
static void check_set(shape of_queries, shape s, uint32_t queries, uint32_t n, int k, int exclude_self, uint32_t probes)
{
    float *point = malloc(2 * sizeof(float) * n), *query = malloc(2 * sizeof(float) * queries);
    double *found = malloc(sizeof(double) * queries), *threaded = malloc(sizeof(double) * queries);
    double *scratch = malloc(sizeof(double) * n);
    make(s, 1, n, point);
    make(of_queries, exclude_self ? 1 : 2, queries, query); /* the same set where a query leaves itself out */
    CHECK_OK(dd_knn(pool[1], exclude_self ? point : query, queries, point, n, 2, k, exclude_self, found));
    uint32_t wrong = 0, stride = queries > probes ? queries / probes : 1;
    for (uint32_t i = 0; i < queries; i += stride)
        wrong += found[i] != brute_force(query + 2 * i, exclude_self ? i : UINT32_MAX, point, n, k, scratch);
    CHECK(wrong == 0, "%s in %s, %u queries, %u points, k = %d, exclude_self = %d: %u wrong", shape_names[of_queries],
          shape_names[s], queries, n, k, exclude_self, wrong);
    for (int threads = 2; threads <= MOST_THREADS; threads += 3) {
        memset(threaded, 0xff, sizeof(double) * queries);
        CHECK_OK(dd_knn(pool[threads], exclude_self && threads == 5 ? point : query, queries, point, n, 2, k,
                        exclude_self, threaded));
        CHECK(!memcmp(found, threaded, sizeof(double) * queries), "%s, %u queries, k = %d: %d threads differ",
              shape_names[s], queries, k, threads);
    }
    free(point);
    free(query);
    free(found);
    free(threaded);
    free(scratch);
}

/* 100,000 points against themselves and against 10,000: the notes' estimate; and 100,000 spread queries
 * against 100,000 such points, which are many ties where the points coincide. The bounds are many times what
 * it takes, so that a loaded machine and a sanitizer pass, but no quadratic search does. */
static void check_speed(shape s)
{
    enum { N = 100000, M = 10000 };
    float *real = malloc(2 * sizeof(float) * N), *generated = malloc(2 * sizeof(float) * M);
    float *spread = malloc(2 * sizeof(float) * N);
    double *distance = malloc(sizeof(double) * N), seconds[3];
    make(s, 3, N, real);
    make(s, 4, M, generated);
    make(RANDOM, 5, N, spread);
    for (int i = 0; i < 3; i++) {
        struct timespec from, to;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        if (i == 0)
            CHECK_OK(dd_knn(pool[1], real, N, real, N, 2, 5, 1, distance));
        else if (i == 1)
            CHECK_OK(dd_knn(pool[1], real, N, generated, M, 2, 5, 0, distance));
        else
            CHECK_OK(dd_knn(pool[1], spread, N, real, N, 2, 5, 0, distance));
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        seconds[i] = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
        CHECK(seconds[i] < 5., "%s, search %d: %.3f s", shape_names[s], i, seconds[i]);
    }
    printf("%-10s k = 5, one thread: 100,000 in themselves %.3f s, in 10,000 %.3f s, spread ones in them %.3f s\n",
           shape_names[s], seconds[0], seconds[1], seconds[2]);
    free(real);
    free(generated);
    free(spread);
    free(distance);
}

/* ---- other dimensions ---- */

typedef enum cloud { NORMAL, COPIES, INTEGERS, SURFACE, FAR_APART, CLOUDS } cloud;
static const char *const cloud_names[] = {"normal", "copies", "integers", "surface", "far apart"};

static void make_cloud(cloud s, uint64_t seed, uint32_t n, int dimensions, float *x)
{
    for (uint32_t i = 0; i < n; i++) {
        float base[2];
        dd_draw_normals(seed, DD_DRAW_DATA, 1000, i, 2, base);
        for (int c = 0; c < dimensions; c++) {
            float normal[2], *to = &x[(size_t)i * (size_t)dimensions + (size_t)c];
            dd_draw_normals(seed, DD_DRAW_DATA, (uint32_t)c, s == COPIES ? i / 7 : i, 2, normal);
            *to = normal[0];
            if (s == INTEGERS) /* many ties */
                *to = roundf(2.f * *to);
            else if (s == SURFACE) /* near a plane, so that boxes of points are left out */
                *to = base[0] * cosf((float)c) + base[1] * sinf(3.f * (float)c) + .01f * *to;
            else if (s == FAR_APART) /* differences that overflow in float32, and tiny ones */
                *to = i % 3 ? 1e-20f * *to : 3e38f * tanhf(*to);
        }
    }
}

static double brute_force_of(const float *q, uint32_t self, const float *point, uint32_t n, int dimensions, int k,
                             double *distance)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        double most = 0.;
        for (int c = 0; c < dimensions; c++)
            most = fmax(most, fabs((double)point[(size_t)i * (size_t)dimensions + (size_t)c] - q[c]));
        if (i != self)
            distance[count++] = most;
    }
    qsort(distance, count, sizeof *distance, compare_doubles);
    return distance[k - 1];
}

static void check_cloud(cloud s, int dimensions, uint32_t queries, uint32_t n, int k, bool exclude_self)
{
    size_t row = (size_t)dimensions;
    float *point = malloc(row * sizeof(float) * n), *other = malloc(row * sizeof(float) * queries);
    double *found = malloc(sizeof(double) * queries), *scratch = malloc(sizeof(double) * n);
    make_cloud(s, 1, n, dimensions, point);
    make_cloud(s, 2, queries, dimensions, other);
    const float *query = exclude_self ? point : other;
    for (int threads = 1; threads <= MOST_THREADS; threads += 4) {
        uint32_t wrong = 0;
        memset(found, 0xff, sizeof(double) * queries);
        CHECK_OK(dd_knn(pool[threads], query, queries, point, n, dimensions, k, exclude_self, found));
        for (uint32_t i = 0; i < queries; i += 1 + queries / 40)
            wrong += found[i] !=
                     brute_force_of(query + row * i, exclude_self ? i : UINT32_MAX, point, n, dimensions, k, scratch);
        CHECK(wrong == 0, "%s, %d dimensions, %u queries, %u points, k = %d, %d threads: %u wrong", cloud_names[s],
              dimensions, queries, n, k, threads, wrong);
    }
    free(point);
    free(other);
    free(found);
    free(scratch);
}

static void check_dimensions(void)
{
    static const int dimensions[] = {1, 2, 3, 4, 5, 8, 32, 128};
    for (size_t i = 0; i < sizeof dimensions / sizeof dimensions[0]; i++) {
        for (cloud s = 0; s < CLOUDS; s++) {
            int d = dimensions[i];
            check_cloud(s, d, 1, 1, 1, false);
            check_cloud(s, d, 65, 64, 64, false); /* all points of one block */
            check_cloud(s, d, 130, 129, 5, false);
            check_cloud(s, d, 700, 700, 1, true);
            check_cloud(s, d, 2100, 2100, 5, true); /* enough for all threads */
            check_cloud(s, d, 300, 1000, 200, false);
        }
    }
}

static void check_too_few(void)
{
    const float point[6] = {0.f, 0.f, 1.f, 0.f, 5.f, 5.f};
    double distance[3];
    CHECK(dd_knn(pool[1], point, 3, point, 3, 2, 3, 1, distance) == DD_ERR_DATA, "two others, k = 3");
    CHECK(dd_knn(pool[1], point, 3, point, 3, 2, 4, 0, distance) == DD_ERR_DATA, "three points, k = 4");
    CHECK(dd_knn(pool[1], point, 3, point, 3, 2, 0, 0, distance) == DD_ERR_DATA, "k = 0");
    CHECK_OK(dd_knn(pool[1], point, 3, point, 3, 2, 2, 1, distance));
    CHECK(distance[0] == 5. && distance[1] == 5. && distance[2] == 5., "%g %g %g", distance[0], distance[1],
          distance[2]);
}

int main(void)
{
    for (int threads = 1; threads <= MOST_THREADS; threads += threads == 1 ? 1 : 3)
        CHECK_OK(dd_pool_create(threads, &pool[threads]));
    for (shape s = 0; s < SHAPES; s++) {
        for (int k = 1; k <= 10; k++) {
            uint32_t few = (uint32_t)k;
            check_set(s, s, 50, few, k, 0, 50);               /* all points are needed */
            check_set(s, s, few + 1, few + 1, k, 1, few + 1); /* all others are */
            check_set(s, s, 200, 11 * few + 3, k, 0, 200);
            check_set(s, s, 700, 700, k, 1, 700);
        }
        for (uint32_t queries = 1; queries <= 17; queries++) /* blocks that are not full */
            check_set(s, s, queries, 40, 5, 0, queries);
        for (int k = 30; k <= 35; k++) /* around the k at which heaps replace sorted neighbours */
            check_set(s, s, 300, 900, k, 0, 300);
        check_set(s, s, 6000, 5000, 5, 0, 100);
        check_set(s, s, 12001, 12001, 3, 1, 100);
        check_set(s, s, 300, 4000, 1000, 0, 50);
        check_set(RANDOM, s, 5000, 4000, 5, 0, 100);
        check_set(s, RANDOM, 5000, 4000, 5, 0, 100);
        check_speed(s);
    }
    check_dimensions();
    check_too_few();
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        if (pool[threads])
            dd_pool_destroy(pool[threads]);
    }
    return check_report();
}
