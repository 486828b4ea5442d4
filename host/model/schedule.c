#include "model/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"

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
        case DD_BETA_GEOMETRIC:
            beta[t] = c->beta_start * pow(c->beta_end / c->beta_start, fraction);
            break;
        }
    }
}

/* Lin et al. 2024, algorithm 1. */
static void end_without_signal(double *alpha_bar, int T)
{
    double first = sqrt(alpha_bar[0]), last = sqrt(alpha_bar[T - 1]);
    for (int t = 0; t < T; t++) {
        double signal = (sqrt(alpha_bar[t]) - last) * first / (first - last);
        alpha_bar[t] = signal * signal;
    }
}

static dd_status fill_forward(const dd_diffusion_config *c, dd_schedule *s)
{
    double product = 1.;
    fill_beta(c, s->beta);
    for (int t = 0; t < s->timesteps; t++) {
        double beta = s->beta[t];
        if (!(beta > 0. && beta < 1.))
            return dd_fail(DD_ERR_CONFIG, "diffusion: beta[%d] is %g; it must be between 0 and 1: lower beta_end%s", t,
                           beta, c->schedule == DD_BETA_SCALED_LINEAR ? " or raise timesteps" : "");
        product *= 1. - beta;
        s->alpha_bar[t] = product;
    }
    if (c->terminal_snr == DD_TERMINAL_ZERO) {
        end_without_signal(s->alpha_bar, s->timesteps);
        for (int t = 0; t < s->timesteps; t++)
            s->beta[t] = 1. - s->alpha_bar[t] / (t ? s->alpha_bar[t - 1] : 1.);
    }
    for (int t = 0; t < s->timesteps; t++) {
        s->signal[t] = (float)sqrt(s->alpha_bar[t]);
        s->noise[t] = (float)sqrt(1. - s->alpha_bar[t]);
    }
    return DD_OK;
}

/* x_0 and eps as functions of a prediction p at x: x_0 = point_x x + point_p p, eps = noise_x x + noise_p p. */
typedef struct reading {
    double point_x, point_p, noise_x, noise_p;
} reading;

static reading read_prediction(dd_prediction_kind prediction, double factor, double signal, double noise)
{
    reading r = {0., 0., 0., 0.};
    switch (prediction) {
    case DD_PREDICT_NOISE:
        r = (reading){1. / signal, -noise / signal, 0., 1.};
        break;
    case DD_PREDICT_POINT:
        r = (reading){0., 1., 1. / noise, -signal / noise};
        break;
    case DD_PREDICT_V:
        r = (reading){signal, -noise, noise, signal};
        break;
    }
    if (factor != 1.) {
        r.noise_x *= factor;
        r.noise_p *= factor;
        r.point_x = (1. - noise * r.noise_x) / signal;
        r.point_p = -noise * r.noise_p / signal;
    }
    return r;
}

static void fill_target(dd_prediction_kind prediction, double gamma, dd_schedule *s)
{
    for (int t = 0; t < s->timesteps; t++) {
        double signal = sqrt(s->alpha_bar[t]), noise = sqrt(1. - s->alpha_bar[t]);
        double ratio = s->alpha_bar[t] / (1. - s->alpha_bar[t]), bounded = fmin(ratio, gamma);
        switch (prediction) {
        case DD_PREDICT_NOISE:
            s->target_point[t] = 0.f;
            s->target_noise[t] = 1.f;
            bounded /= ratio;
            break;
        case DD_PREDICT_POINT:
            s->target_point[t] = 1.f;
            s->target_noise[t] = 0.f;
            break;
        case DD_PREDICT_V:
            s->target_point[t] = (float)-noise;
            s->target_noise[t] = (float)signal;
            bounded /= ratio + 1.;
            break;
        }
        s->noise_error[t] = (float)fabs(read_prediction(prediction, 1., signal, noise).noise_p);
        s->weight[t] = gamma > 0. ? (float)bounded : 1.f;
    }
}

static void fill_sampling(const dd_sampling_config *c, dd_prediction_kind prediction, dd_schedule *s)
{
    long T = s->timesteps, S = s->steps;
    double before = 1.;
    for (long i = 0; i < S; i++) {
        long t = ((i + 1) * T + S / 2) / S - 1;
        double here = s->alpha_bar[t], variance = c->eta * c->eta * (1. - before) / (1. - here) * (1. - here / before);
        double along = sqrt(fmax(1. - before - variance, 0.)), point = sqrt(before);
        reading r = read_prediction(prediction, c->noise_factor, sqrt(here), sqrt(1. - here));
        s->timestep[i] = (int)t;
        s->keep[i] = (float)(point * r.point_x + along * r.noise_x);
        s->remove[i] = (float)-(point * r.point_p + along * r.noise_p);
        s->sigma[i] = i && c->eta > 0. ? (float)sqrt(fmax(variance, 1e-20)) : 0.f;
        before = here;
    }
}

/* If the signal underflows, a quotient with it as the divisor does not fit a float. Only the last timestep may have no
 * signal at all: the steps to all others divide by their signal. */
static dd_status check_finite(const dd_schedule *s)
{
    int t = 0, i = 0;
    while (t < s->timesteps && isfinite(s->weight[t]) && isfinite(s->noise_error[t]))
        t++;
    while (i < s->steps && isfinite(s->keep[i]) && isfinite(s->remove[i]) &&
           (i + 1 == s->steps || s->alpha_bar[s->timestep[i]] > 0.))
        i++;
    if (t == s->timesteps && i == s->steps)
        return DD_OK;
    if (t == s->timesteps)
        t = s->timestep[i];
    return dd_fail(DD_ERR_CONFIG,
                   "diffusion: at timestep %d the signal is so small (a factor of %g) that x_0 cannot be computed from "
                   "the noise; lower beta_end or timesteps",
                   t, sqrt(s->alpha_bar[t]));
}

static void take_tables(dd_schedule *s, dd_arena *arena)
{
    size_t T = (size_t)s->timesteps, S = (size_t)s->steps;
    DD_TAKE(arena, s->beta, T);
    DD_TAKE(arena, s->alpha_bar, T);
    DD_TAKE(arena, s->signal, T);
    DD_TAKE(arena, s->noise, T);
    DD_TAKE(arena, s->target_point, T);
    DD_TAKE(arena, s->target_noise, T);
    DD_TAKE(arena, s->weight, T);
    DD_TAKE(arena, s->noise_error, T);
    DD_TAKE(arena, s->timestep, S);
    DD_TAKE(arena, s->keep, S);
    DD_TAKE(arena, s->remove, S);
    DD_TAKE(arena, s->sigma, S);
}

dd_status dd_schedule_create(const dd_config *config, dd_schedule *s)
{
    dd_arena arena = {0};
    memset(s, 0, sizeof *s);
    s->timesteps = config->diffusion.timesteps;
    s->steps = config->sampling.steps ? config->sampling.steps : s->timesteps;
    take_tables(s, &arena);
    s->memory = dd_arena_allocate(&arena);
    if (!s->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for a schedule of %d timesteps", s->timesteps);
    take_tables(s, &arena);
    dd_status status = fill_forward(&config->diffusion, s);
    if (!status) {
        fill_target(config->diffusion.prediction, config->training.min_snr_gamma, s);
        fill_sampling(&config->sampling, config->diffusion.prediction, s);
        status = check_finite(s);
    }
    if (status)
        dd_schedule_free(s);
    return status;
}

void dd_schedule_free(dd_schedule *schedule)
{
    free(schedule->memory);
    memset(schedule, 0, sizeof *schedule);
}
