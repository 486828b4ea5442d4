/* Nearest neighbours of any backend: every distance must be the double that brute force finds, for points spread,
 * clustered, equal, on a grid and of all magnitudes, for few and many neighbours, and sets barely large enough. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "check.h"

typedef enum shape { SPREAD, CLUSTERED, EQUAL, GRID, COLUMN, WIDE, SHAPES } shape;
static const char *const shape_names[] = {"spread", "clustered", "equal", "grid", "column", "wide"};

static void make(shape s, uint32_t step, uint32_t n, float *xy)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t w[4], c[4];
        float normal[2];
        dd_philox(11, DD_DRAW_DATA, step, i, w);
        dd_philox(12, DD_DRAW_DATA, 0, w[0] % 30, c);
        dd_normal2(w[2], w[3], normal);
        float u = dd_uniform(w[0]), v = dd_uniform(w[1]), *x = xy + 2 * (size_t)i, *y = x + 1;
        *x = u;
        *y = v;
        if (s == CLUSTERED) {
            *x = 8.f * dd_uniform(c[0]) + .01f * normal[0];
            *y = 8.f * dd_uniform(c[1]) + .01f * normal[1];
        } else if (s == EQUAL) {
            *x = .25f;
            *y = -3.f;
        } else if (s == GRID) { /* many ties, many points at one place */
            *x = (float)dd_below(w[0], 7);
            *y = (float)dd_below(w[1], 7);
        } else if (s == COLUMN) {
            *x = 1.5f;
        } else if (s == WIDE) {
            *x = (w[2] & 1 ? -1.f : 1.f) * powf(10.f, 36.f * u - 18.f);
            *y = (w[3] & 1 ? -1.f : 1.f) * powf(10.f, 36.f * v - 18.f);
        }
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* self: the point that does not count, or -1. */
static double brute_force(const float q[2], int64_t self, const float *point, uint32_t n, int k, double *scratch)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i != self)
            scratch[count++] = fmax(fabs((double)point[2 * i] - q[0]), fabs((double)point[2 * i + 1] - q[1]));
    }
    qsort(scratch, count, sizeof *scratch, compare_doubles);
    return scratch[k - 1];
}

static void check_set(dd_backend *backend, shape s, uint32_t queries, uint32_t n, int k, int exclude_self)
{
    float *point = malloc(2 * sizeof(float) * n), *query = malloc(2 * sizeof(float) * queries);
    double *found = malloc(sizeof(double) * queries), *scratch = malloc(sizeof(double) * n);
    make(s, 1, n, point);
    make(s, exclude_self ? 1 : 2, queries, query);
    memset(found, 0xff, sizeof(double) * queries);
    CHECK_OK(dd_backend_knn(backend, exclude_self ? point : query, queries, point, n, k, exclude_self, found));
    uint32_t wrong = 0, stride = queries > 60 ? queries / 60 : 1;
    for (uint32_t i = 0; i < queries; i += stride)
        wrong += found[i] != brute_force(query + 2 * i, exclude_self ? (int64_t)i : -1, point, n, k, scratch);
    CHECK(wrong == 0, "%s, %u queries, %u points, k = %d, exclude_self = %d: %u wrong", shape_names[s], queries, n, k,
          exclude_self, wrong);
    free(point);
    free(query);
    free(found);
    free(scratch);
}

int main(int argc, char **argv)
{
    dd_backend *backend = NULL;
    CHECK_OK(dd_backend_open(argc > 1 ? argv[1] : "cpu", 2, &backend));
    if (!backend)
        return check_report();
    static const int neighbours[] = {1, 2, 5, 15, 16, 17, 40};
    for (shape s = 0; s < SHAPES; s++) {
        for (size_t i = 0; i < sizeof neighbours / sizeof *neighbours; i++) {
            int k = neighbours[i];
            uint32_t few = (uint32_t)k;
            check_set(backend, s, 20, few, k, 0);          /* all points are needed */
            check_set(backend, s, few + 1, few + 1, k, 1); /* all others are */
            check_set(backend, s, 150, 6 * few + 3, k, 0);
        }
        check_set(backend, s, 2001, 2001, 5, 1);
        check_set(backend, s, 1200, 3000, 5, 0);
        check_set(backend, s, 60, 1300, 1000, 0);
    }
    dd_backend_close(backend);
    return check_report();
}
