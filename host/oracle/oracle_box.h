/* A uniform interval seen through Gaussian noise: one axis of a box of the exact denoiser (oracle.h). */
#ifndef DD_ORACLE_BOX_H
#define DD_ORACLE_BOX_H

/* x = signal * u + noise * e, u uniform on [centre - half, centre + half], e ~ N(0, 1): the logarithm of the density of
 * x, and E[e | x]. signal and half may be 0; noise must be above 0. Exact except for rounding, also in the far
 * tails. */
double dd_interval(double x, double centre, double half, double signal, double noise, double *mean_noise);

#endif
