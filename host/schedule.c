#include "schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

/* Nichol & Dhariwal, "Improved denoising diffusion probabilistic models", ICML 2021, eq. 17. */
static double cosine_alpha_bar(double fraction)
{
    const double s = .008;
    double c = cos((fraction + s) / (1. + s) * 1.57079632679489661923);
    return c * c;
}

static void fill_beta(const dd_diffusion_config *c, double *beta)
{
    int T = c->timesteps;
    for (int t = 0; t < T; t++) {
        double fraction = T > 1 ? (double)t / (T - 1) : 0.;
        switch (c->schedule) {
        case DD_BETA_LINEAR:
            beta[t] = c->beta_start + (c->beta_end - c->beta_start) * fraction;
            break;
        case DD_BETA_QUADRATIC: {
            double root = sqrt(c->beta_start) + (sqrt(c->beta_end) - sqrt(c->beta_start)) * fraction;
            beta[t] = root * root;
            break;
        }
        case DD_BETA_COSINE:
            beta[t] = fmin(1. - cosine_alpha_bar((t + 1.) / T) / cosine_alpha_bar((double)t / T), .999);
            break;
        case DD_BETA_SCALED_LINEAR:
            beta[t] = (c->beta_start + (c->beta_end - c->beta_start) * fraction) * 1000. / T;
            break;
        }
    }
}

int dd_schedule_create(const dd_diffusion_config *config, dd_schedule *schedule)
{
    memset(schedule, 0, sizeof *schedule);
    size_t T = (size_t)config->timesteps;
    schedule->timesteps = config->timesteps;
    double *doubles = malloc(2 * T * sizeof *doubles);
    float *floats = malloc(5 * T * sizeof *floats);
    if (!doubles || !floats) {
        free(doubles);
        free(floats);
        return dd_fail(DD_ERR_MEMORY, "out of memory for a schedule of %zu timesteps", T);
    }
    schedule->beta = doubles;
    schedule->alpha_bar = doubles + T;
    schedule->signal = floats;
    schedule->noise = floats + T;
    schedule->keep = floats + 2 * T;
    schedule->remove = floats + 3 * T;
    schedule->sigma = floats + 4 * T;

    fill_beta(config, schedule->beta);
    double previous = 1.;
    for (size_t t = 0; t < T; t++) {
        double beta = schedule->beta[t], alpha_bar = previous * (1. - beta);
        if (!(beta > 0. && beta < 1.)) {
            dd_schedule_free(schedule);
            return dd_fail(DD_ERR_CONFIG,
                           "diffusion: beta[%zu] is %g; it must lie between 0 and 1: lower beta_end or raise timesteps",
                           t, beta);
        }
        double signal = sqrt(alpha_bar), noise = sqrt(1. - alpha_bar);
        double c1 = beta * sqrt(previous) / (1. - alpha_bar);
        double c2 = (1. - previous) * sqrt(1. - beta) / (1. - alpha_bar);
        double variance = beta * (1. - previous) / (1. - alpha_bar);
        schedule->alpha_bar[t] = alpha_bar;
        schedule->signal[t] = (float)signal;
        schedule->noise[t] = (float)noise;
        schedule->keep[t] = (float)(c1 / signal + c2);
        schedule->remove[t] = (float)(c1 * noise / signal);
        schedule->sigma[t] = t ? (float)sqrt(fmax(variance, 1e-20)) : 0.f;
        previous = alpha_bar;
    }
    return DD_OK;
}

void dd_schedule_free(dd_schedule *schedule)
{
    free(schedule->beta);
    free(schedule->signal);
    memset(schedule, 0, sizeof *schedule);
}
