#include "analysis/principal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { MOST_POINTS = 16384, MOST_SWEEPS = 30 };

static void take_arrays(dd_principal *p, dd_arena *arena)
{
    size_t dimensions = (size_t)p->dimensions, count = (size_t)p->count;
    DD_TAKE(arena, p->centre, dimensions);
    DD_TAKE(arena, p->axis, count * dimensions);
    DD_TAKE(arena, p->variance, count);
}

/* Number i of n points that are evenly spaced among all. */
static const float *chosen_point(const dd_points *points, size_t i, size_t n)
{
    return points->x + i * points->n / n * (size_t)points->columns.count;
}

/* Mean and covariance (D, D) of the chosen points. */
static void covariance(const dd_points *points, double *centre, double *c)
{
    size_t n = points->n < MOST_POINTS ? points->n : MOST_POINTS, dimensions = (size_t)points->columns.count;
    double from[DD_MAX_DIMENSIONS];
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < dimensions; j++)
            centre[j] += chosen_point(points, i, n)[j] / (double)n;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < dimensions; j++)
            from[j] = chosen_point(points, i, n)[j] - centre[j];
        for (size_t j = 0; j < dimensions; j++)
            for (size_t k = 0; k <= j; k++)
                c[j * dimensions + k] += from[j] * from[k] / (double)n;
    }
    for (size_t j = 0; j < dimensions; j++)
        for (size_t k = 0; k < j; k++)
            c[k * dimensions + j] = c[j * dimensions + k];
}

/* Rotate the pairs (a[0], b[0]), (a[stride], b[stride]), ... */
static void rotate(double *a, double *b, size_t n, size_t stride, double cosine, double sine)
{
    for (size_t i = 0; i < n * stride; i += stride) {
        double first = a[i], second = b[i];
        a[i] = cosine * first - sine * second;
        b[i] = sine * first + cosine * second;
    }
}

/* Make c[p][q] zero by a rotation of the symmetric c (n, n); the rows of `vector` follow. */
static void annihilate(double *c, double *vector, size_t n, size_t p, size_t q)
{
    double off = c[p * n + q];
    if (off == 0.)
        return;
    double tau = (c[q * n + q] - c[p * n + p]) / (2. * off);
    double tangent = (tau < 0. ? -1. : 1.) / (fabs(tau) + sqrt(1. + tau * tau));
    double cosine = 1. / sqrt(1. + tangent * tangent), sine = tangent * cosine;
    rotate(c + p * n, c + q * n, n, 1, cosine, sine);
    rotate(c + p, c + q, n, n, cosine, sine);
    rotate(vector + p * n, vector + q * n, n, 1, cosine, sine);
    c[p * n + q] = c[q * n + p] = 0.;
}

/* Sum of squares outside of the diagonal. */
static double off_diagonal(const double *c, size_t n)
{
    double sum = 0.;
    for (size_t j = 0; j < n; j++)
        for (size_t k = 0; k < j; k++)
            sum += c[j * n + k] * c[j * n + k];
    return sum;
}

/* The diagonal of c becomes its eigenvalues, and the rows of `vector` (n, n) its eigenvectors. */
static void diagonalise(double *c, double *vector, size_t n)
{
    double trace = 0.;
    for (size_t j = 0; j < n; j++) {
        vector[j * n + j] = 1.;
        trace += c[j * n + j];
    }
    for (int sweep = 0; sweep < MOST_SWEEPS && off_diagonal(c, n) > 1e-30 * trace * trace; sweep++)
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++)
                annihilate(c, vector, n, p, q);
}

/* A copy whose largest number is positive: without a rule, the sign would be a matter of chance. */
static void copy_axis(const double *vector, int n, double *axis)
{
    int largest = 0;
    for (int i = 1; i < n; i++)
        if (fabs(vector[i]) > fabs(vector[largest]))
            largest = i;
    for (int i = 0; i < n; i++)
        axis[i] = vector[largest] < 0. ? -vector[i] : vector[i];
}

/* The axes of the greatest eigenvalues; a taken one becomes -1. */
static void keep_greatest(dd_principal *p, double *c, const double *vector)
{
    size_t n = (size_t)p->dimensions;
    for (size_t j = 0; j < n; j++)
        p->total += c[j * n + j];
    for (int k = 0; k < p->count; k++) {
        size_t best = 0;
        for (size_t j = 1; j < n; j++)
            if (c[j * n + j] > c[best * n + best])
                best = j;
        p->variance[k] = fmax(c[best * n + best], 0.);
        copy_axis(vector + best * n, p->dimensions, p->axis + (size_t)k * n);
        c[best * n + best] = -1.;
    }
}

dd_status dd_principal_create(const dd_points *points, dd_principal *p)
{
    int dimensions = points->columns.count;
    dd_arena arena = {0};
    *p = (dd_principal){.dimensions = dimensions,
                        .count = dimensions < DD_PRINCIPAL_MOST ? dimensions : DD_PRINCIPAL_MOST};
    size_t square = (size_t)dimensions * (size_t)dimensions;
    double *matrix = calloc(2 * square, sizeof *matrix);
    take_arrays(p, &arena);
    p->memory = dd_arena_allocate(&arena);
    if (!matrix || !p->memory) {
        free(matrix);
        return dd_fail(DD_ERR_MEMORY, "out of memory for the principal components of %d coordinates", dimensions);
    }
    take_arrays(p, &arena);
    covariance(points, p->centre, matrix);
    diagonalise(matrix, matrix + square, (size_t)dimensions);
    keep_greatest(p, matrix, matrix + square);
    free(matrix);
    return DD_OK;
}

void dd_principal_free(dd_principal *p)
{
    free(p->memory);
    *p = (dd_principal){0};
}

double dd_principal_place(const dd_principal *p, int k, const float *x)
{
    const double *axis = p->axis + (size_t)k * (size_t)p->dimensions;
    double sum = 0.;
    for (int c = 0; c < p->dimensions; c++)
        sum += axis[c] * (x[c] - p->centre[c]);
    return sum;
}

void dd_principal_point(const dd_principal *p, const double *place, int count, double *x)
{
    memcpy(x, p->centre, (size_t)p->dimensions * sizeof *x);
    for (int k = 0; k < count; k++)
        for (int c = 0; c < p->dimensions; c++)
            x[c] += place[k] * p->axis[k * p->dimensions + c];
}
