/* Principal components of points: the directions in which they spread most. */
#ifndef DD_PRINCIPAL_H
#define DD_PRINCIPAL_H

#include "base/error.h"
#include "data/points.h"

enum { DD_PRINCIPAL_MOST = 6 };

typedef struct dd_principal {
    int dimensions, count; /* D; components: min(D, DD_PRINCIPAL_MOST) */
    double *centre;        /* [D] mean of the points */
    double *axis;          /* (count, D) orthonormal rows; the largest number of each is positive */
    double *variance;      /* [count] along the axes, falling */
    double total;          /* variance of all D coordinates */
    void *memory;
} dd_principal;

/* Of at most 16,384 of the points, evenly spaced: eigenvectors of the covariance by Jacobi's rotations (Golub and Van
 * Loan, "Matrix Computations", 4th ed., 8.5). Free also after an error. */
DD_CHECKED dd_status dd_principal_create(const dd_points *points, dd_principal *principal);
void dd_principal_free(dd_principal *principal);

/* Component number k of x (D). */
double dd_principal_place(const dd_principal *principal, int k, const float *x);

/* The point (D) whose first `count` components are `place`, and the others 0. */
void dd_principal_point(const dd_principal *principal, const double *place, int count, double *x);

#endif
