/* Noise schedule of a denoising diffusion model (Ho, Jain & Abbeel 2020): everything that depends only on the timestep,
 * as tables. A configuration (schedule, what is predicted, how samples are drawn) only changes these numbers; the code
 * that trains and samples always does the same arithmetic with them.
 *
 * Forward:  x_t = signal[t] x_0 + noise[t] eps,  signal = sqrt(alpha_bar), noise = sqrt(1 - alpha_bar)
 * Learned:  target = target_point[t] x_0 + target_noise[t] eps, with weight[t] on its squared error
 *
 * Reverse:  from x at timestep[i] to x at timestep[i - 1] (at i = 0: to x_0),
 *
 *   x <- keep[i] x - remove[i] prediction + sigma[i] z,  z ~ N(0, I)
 *
 * With a for alpha_bar at timestep[i] and b at timestep[i - 1] (1 at i = 0), the step of Song, Meng & Ermon 2021
 * ("Denoising diffusion implicit models", eq. 12 and 16) is
 *
 *   x <- sqrt(b) x_0 + sqrt(1 - b - sigma^2) eps + sigma z,  sigma^2 = eta^2 (1 - b) / (1 - a) (1 - a / b)
 *
 * where x_0 and eps are computed from x and the prediction. With all timesteps and eta = 1 it is the posterior of Ho et
 * al. x_0 is not clipped. If noise is added at all, sigma is at least 1e-10.
 *
 * Terminal signal-to-noise ratio zero (Lin, Liu, Li & Yang 2024, algorithm 1): sqrt(alpha_bar) is shifted and scaled so
 * that its last value is 0 and its first is unchanged.
 *
 * min-SNR weights (Hang et al. 2023): min(SNR, gamma) on the squared error of x_0, with SNR = alpha_bar / (1 -
 * alpha_bar); so min(SNR, gamma) / SNR on that of eps and min(SNR, gamma) / (SNR + 1) on that of v.
 *
 * Computed in float64, rounded once. The experiment's own program computes in float32, where 1 - alpha_bar loses digits
 * if alpha_bar is near 1: its weight of x_0 in the last reverse step is .999834 instead of 1, so all of its samples are
 * smaller than these by a factor of 1.7e-4. That does not matter: a mode of dino, the narrowest of all, has a standard
 * deviation of .011.
 */
#ifndef DD_SCHEDULE_H
#define DD_SCHEDULE_H

#include "base/error.h"
#include "config/config.h"

typedef struct dd_schedule {
    int timesteps;                      /* T */
    double *beta, *alpha_bar;           /* [T] */
    float *signal, *noise;              /* [T] forward coefficients */
    float *target_point, *target_noise; /* [T] what the networks learn */
    float *weight;                      /* [T] of a squared error in the training loss */
    float *noise_error;                 /* [T] error of the predicted eps = this * error of the prediction */
    int steps;                          /* S, of sampling */
    int *timestep;                      /* [S] ascending; the last is T - 1 */
    float *keep, *remove, *sigma;       /* [S] reverse coefficients */
    void *memory;                       /* of all tables */
} dd_schedule;

/* Make the tables from config's [diffusion], [sampling] and training.min_snr_gamma. DD_ERR_CONFIG: a beta is outside
 * ]0, 1[, or the signal at the end is so small that a table would not be finite. */
DD_CHECKED dd_status dd_schedule_create(const dd_config *config, dd_schedule *schedule);
void dd_schedule_free(dd_schedule *schedule);

/* x_t of one coordinate: `point` noised to timestep t with the normal `noise`. */
static inline float dd_noised(const dd_schedule *s, int t, float point, float noise)
{
    return s->signal[t] * point + s->noise[t] * noise;
}

/* What a network is taught to predict there. */
static inline float dd_target(const dd_schedule *s, int t, float point, float noise)
{
    return s->target_point[t] * point + s->target_noise[t] * noise;
}

#endif
