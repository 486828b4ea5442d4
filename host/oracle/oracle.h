/* The oracle layer is the exact denoiser: what a perfect network would predict, for a known distribution.
 *
 *     dd_truth truth;
 *     DD_TRY(dd_truth_create("dino", &truth));
 *     dd_oracle *oracle;
 *     DD_TRY(dd_oracle_create(&truth, &schedule, &oracle));
 *     DD_TRY(dd_oracle_sample(oracle, seed, NULL, 10000, pool, x, NULL));
 *     dd_oracle_destroy(oracle);
 *
 * x_t = a x_0 + b eps with a = sqrt(alpha_bar_t), b = sqrt(1 - alpha_bar_t). Each kind of distribution (data/truth.h)
 * has its own closed form; those of any dimensions are in oracle_space.h. Of a distribution of the plane, each atom
 * makes x_t independent on the two axes:
 *   Gaussian (c, s), also with s = 0:   x_t ~ N(a c, v), v = (a s)^2 + b^2;   E[eps | x_t] = b (x_t - a c) / v
 *   box (c, h), with p = (x_t - a (c - h)) / b and q = (x_t - a (c + h)) / b, phi and Phi the normal density and
 *   distribution:   density (Phi(p) - Phi(q)) / (2 a h);   E[eps | x_t] = -(phi(p) - phi(q)) / (Phi(p) - Phi(q))
 * E[eps | x_t] of the mixture is their mean, weighted by weight times density at x_t. Of an embedded plane, the two
 * coordinates in the plane are predicted so, and each other direction as one Gaussian.
 *
 * Everything is float64, alpha_bar as in dd_schedule.alpha_bar. Atoms that cannot matter are left out (together less
 * than 1e-13 of the sum). Where the noise is wide, many close atoms are replaced by few that give the same sum to about
 * 1e-10 (oracle_atoms.h). The layer never trains, knows no network, and has no answer for points from a file, because
 * their distribution is unknown.
 */
#ifndef DD_ORACLE_H
#define DD_ORACLE_H

#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "data/truth.h"
#include "model/schedule.h"

typedef struct dd_oracle dd_oracle;

/* The truth and the schedule must exist as long as the oracle. */
DD_CHECKED dd_status dd_oracle_create(const dd_truth *truth, const dd_schedule *schedule, dd_oracle **oracle);
void dd_oracle_destroy(dd_oracle *oracle);

/* All at timestep t: E[eps | x_t = x] and, unless NULL, the logarithm of the density of x_t at x. x, noise (n, D);
 * log_density (n). pool NULL: the caller alone works. The result does not depend on the number of threads. */
DD_CHECKED dd_status dd_oracle_predict(const dd_oracle *oracle, dd_pool *pool, int t, const double *x, uint32_t n,
                                       double *noise, double *log_density);

/* What a perfect network would predict (noise, x_0 or v, as the schedule says) for one point x [D] at timestep t,
 * computed from noise [D] = E[eps | x_t = x]; prediction [D]. */
void dd_oracle_prediction(const dd_oracle *oracle, int t, const double *x, const double *noise, double *prediction);

/* Samples like dd_ensemble_sample for one replica, with the same random numbers (DD_DRAW_SAMPLE) and the schedule's
 * keep, remove and sigma. So a network and the oracle start from the same x_T and add the same noise. Between steps x_t
 * is float64. start, x, initial_noise (n, D); start (x_T, else drawn) and initial_noise may be NULL. The result does
 * not depend on the number of threads. */
DD_CHECKED dd_status dd_oracle_sample(const dd_oracle *oracle, uint64_t seed, const float *start, uint32_t n,
                                      dd_pool *pool, float *x, float *initial_noise);

#endif
