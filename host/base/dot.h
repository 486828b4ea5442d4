/* The product of two vectors, summed from the first element to the last. */
#ifndef DD_DOT_H
#define DD_DOT_H

static inline double dd_dot(const double *a, const double *b, int n)
{
    double sum = 0.;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

#endif
