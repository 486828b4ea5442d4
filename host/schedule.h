/* Noise schedule of a denoising diffusion model (Ho, Jain & Abbeel 2020), as tables over the timestep.
 *
 * Forward:  x_t = signal[t] * x_0 + noise[t] * eps,  signal = sqrt(alpha_bar), noise = sqrt(1 - alpha_bar)
 * Reverse:  x_{t-1} = keep[t] * x_t - remove[t] * eps_predicted + sigma[t] * z,  z ~ N(0, I)
 *
 * The reverse step is the posterior mean with x_0 = (x_t - noise[t] * eps) / signal[t], not clipped:
 *
 *   mean = c1 x_0 + c2 x_t
 *
 *   c1 = beta sqrt(alpha_bar_{t-1}) / (1 - alpha_bar)
 *
 *   c2 = sqrt(alpha) (1 - alpha_bar_{t-1}) / (1 - alpha_bar)
 *
 * so keep = c1 / signal + c2 and remove = c1 * noise / signal. The added noise has the posterior's variance,
 *
 *   sigma^2 = beta (1 - alpha_bar_{t-1}) / (1 - alpha_bar)
 *
 * floored at 1e-20, and sigma[0] = 0. Computed in float64, rounded once.
 */
#ifndef DD_SCHEDULE_H
#define DD_SCHEDULE_H

#include "config.h"

typedef struct dd_schedule {
    int timesteps;                /* T */
    double *beta, *alpha_bar;     /* [T] */
    float *signal, *noise;        /* [T] forward coefficients */
    float *keep, *remove, *sigma; /* [T] reverse coefficients */
} dd_schedule;

int dd_schedule_create(const dd_diffusion_config *config, dd_schedule *schedule);
void dd_schedule_free(dd_schedule *schedule);

#endif
