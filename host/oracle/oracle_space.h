/* The exact denoisers of distributions of any dimensions that have a closed form.
 *
 * x_t = signal x_0 + noise_level eps. Each function is for one point: x, noise [D]. They fill E[eps | x_t = x] and
 * return the log density of x_t at x.
 */
#ifndef DD_ORACLE_SPACE_H
#define DD_ORACLE_SPACE_H

#include "data/truth.h"

/* A mixture of Gaussians: the mean over the components, weighted by weight times density (data/mixture.h). work
 * [D + 1 numbers for each component]. */
double dd_mixture_predict(const dd_truth *truth, double signal, double noise_level, const double *x, double *work,
                          double *noise);

/* A cube: its coordinates are independent. With v = (signal sigma)^2 + noise_level^2, one that is +-1 is the mean of
 * N(signal, v) and N(-signal, v), so that
 *   E[eps | x] = noise_level (x - signal tanh(signal x / v)) / v,
 *   density    = exp(-(x^2 + signal^2) / (2 v)) cosh(signal x / v) / sqrt(2 pi v). */
double dd_cube_predict(const dd_truth *truth, double signal, double noise_level, const double *x, double *noise);

#endif
