/* The schedule's tables against closed forms and against what they are defined to do: Ho et al.'s posterior, one step
 * from whichever prediction, timesteps of sampling, no signal at the end, min-SNR weights. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "model/schedule.h"

static const char *const names[] = {"linear", "quadratic", "cosine", "scaled_linear", "geometric"};
enum { KINDS = 5 };

static dd_config config_of(dd_beta_schedule kind, int timesteps)
{
    dd_config c;
    dd_config_defaults(&c);
    c.diffusion.schedule = kind;
    c.diffusion.timesteps = timesteps;
    return c;
}

static dd_schedule create(const dd_config *c)
{
    dd_schedule s;
    CHECK_OK(dd_config_validate(c));
    CHECK_OK(dd_schedule_create(c, &s));
    return s;
}

/* Difference relative to the wanted value's size. */
static double off(double got, long double wanted)
{
    return (double)(fabsl(got - wanted) / fmaxl(fabsl(wanted), 1e-30l));
}

static int same(const float *a, const float *b, int n)
{
    return !memcmp(a, b, (size_t)n * sizeof *a);
}

static long double known_beta(dd_beta_schedule kind, int t, int T)
{
    const long double low = 1e-4l, high = .02l, fraction = (long double)t / (T - 1);
    const long double quarter_turn = acosl(0), offset = .008l;
    switch (kind) {
    case DD_BETA_QUADRATIC:
        return powl((1 - fraction) * sqrtl(low) + fraction * sqrtl(high), 2);
    case DD_BETA_COSINE: {
        long double before = cosl(((long double)t / T + offset) / (1 + offset) * quarter_turn);
        long double after = cosl(((t + 1.l) / T + offset) / (1 + offset) * quarter_turn);
        return fminl(1 - powl(after / before, 2), .999l);
    }
    case DD_BETA_SCALED_LINEAR:
        return ((1 - fraction) * low + fraction * high) * 1000 / T;
    case DD_BETA_GEOMETRIC:
        return expl((1 - fraction) * logl(low) + fraction * logl(high));
    case DD_BETA_LINEAR:
        break;
    }
    return (1 - fraction) * low + fraction * high;
}

/* By default: noise is predicted, every timestep has the same weight, and sampling takes all steps of Ho, Jain & Abbeel
 * 2020, eq. 11 with the variance of eq. 7. */
static void check_defaults(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        dd_config c = config_of((dd_beta_schedule)kind, 100);
        dd_schedule s = create(&c);
        long double product = 1;
        double precise = 0, forward = 0, reverse = 0, plain = 0;
        CHECK(s.timesteps == 100 && s.steps == 100, "%d, %d", s.timesteps, s.steps);
        for (int t = 0; t < 100; t++) {
            long double beta = known_beta((dd_beta_schedule)kind, t, 100), before = product;
            product *= 1 - beta;
            long double wanted_sigma = t ? sqrtl(beta * (1 - before) / (1 - product)) : 0;
            precise = fmax(precise, fmax(off(s.beta[t], beta), off(s.alpha_bar[t], product)));
            forward = fmax(forward, fmax(off(s.signal[t], sqrtl(product)), off(s.noise[t], sqrtl(1 - product))));
            reverse = fmax(reverse, off(s.keep[t], 1 / sqrtl(1 - beta)));
            reverse = fmax(reverse, off(s.remove[t], beta / sqrtl((1 - product) * (1 - beta))));
            reverse = fmax(reverse, fabs(s.sigma[t] - (double)wanted_sigma));
            plain += fabs(s.target_point[t]) + fabs(s.target_noise[t] - 1.) + fabs(s.weight[t] - 1.) +
                     fabs(s.noise_error[t] - 1.) + abs(s.timestep[t] - t);
        }
        CHECK(precise < 1e-12, "%s beta and alpha_bar: %g", names[kind], precise);
        CHECK(forward < 1e-7, "%s forward: %g", names[kind], forward);
        CHECK(reverse < 1e-7, "%s reverse: %g", names[kind], reverse);
        CHECK(plain == 0, "%s targets and weights: %g", names[kind], plain);
        if (kind == DD_BETA_LINEAR)
            CHECK(fabs(s.alpha_bar[99] - .3636) < 5e-5, "alpha_bar at T: %g", s.alpha_bar[99]);
        dd_schedule_free(&s);
        CHECK(!s.beta && !s.signal && !s.timestep, "freed tables are still named");
    }
}

static void check_timesteps(void)
{
    for (int T = 1; T <= 130; T += T < 12 ? 1 : 13)
        for (int S = 1; S <= T; S++) {
            dd_config c = config_of(DD_BETA_LINEAR, T);
            c.sampling.steps = S;
            dd_schedule s = create(&c);
            int least = T, most = 0;
            for (int i = 0; i < s.steps; i++) {
                int gap = s.timestep[i] - (i ? s.timestep[i - 1] : -1);
                least = gap < least ? gap : least;
                most = gap > most ? gap : most;
            }
            CHECK(s.steps == S && s.timestep[S - 1] == T - 1, "T %d, S %d: %d to %d", T, S, s.steps, s.timestep[S - 1]);
            CHECK(least >= 1 && most - least <= 1, "T %d, S %d: gaps of %d to %d", T, S, least, most);
            dd_schedule_free(&s);
        }
    dd_config c = config_of(DD_BETA_LINEAR, 10);
    c.sampling.steps = 4;
    dd_schedule s = create(&c);
    CHECK(!memcmp(s.timestep, (const int[]){2, 4, 7, 9}, 4 * sizeof(int)), "%d %d %d %d", s.timestep[0], s.timestep[1],
          s.timestep[2], s.timestep[3]);
    dd_schedule_free(&s);
}

/* What the networks should predict for (x_0, eps) at timestep t, by the definitions. */
static long double said(dd_prediction_kind kind, long double alpha_bar, long double point, long double eps)
{
    return kind == DD_PREDICT_NOISE   ? eps
           : kind == DD_PREDICT_POINT ? point
                                      : sqrtl(alpha_bar) * eps - sqrtl(1 - alpha_bar) * point;
}

/* Worst difference between the tables' step from an exact prediction and the step of Song et al., eq. 12 and 16, whose
 * eps is `factor` times the true one and whose x_0 is what that leaves. */
static double worst_step(const dd_config *c)
{
    const long double point = 1.7l, eps = -.6l, factor = c->sampling.noise_factor, eta = c->sampling.eta;
    dd_schedule s = create(c);
    double worst = 0;
    for (int i = 0; i < s.steps; i++) {
        long double a = s.alpha_bar[s.timestep[i]], b = i ? s.alpha_bar[s.timestep[i - 1]] : 1;
        long double x = sqrtl(a) * point + sqrtl(1 - a) * eps, used = factor * eps;
        long double left = factor == 1 ? point : (x - sqrtl(1 - a) * used) / sqrtl(a);
        long double variance = eta * eta * (1 - b) / (1 - a) * (1 - a / b);
        long double wanted = sqrtl(b) * left + sqrtl(1 - b - variance) * used;
        long double got = s.keep[i] * x - s.remove[i] * said(c->diffusion.prediction, a, point, eps);
        /* Of two terms that may be much larger than what they leave. */
        long double size = 1 + fabsl(s.keep[i] * x);
        worst = fmax(worst, (double)(fabsl(got - wanted) / size));
        worst = fmax(worst, fabs(s.sigma[i] - (i && eta > 0 ? (double)sqrtl(variance) : 0.)));
        CHECK((s.sigma[i] > 0) == (i && eta > 0), "sigma %g at step %d, eta %g", (double)s.sigma[i], i, (double)eta);
    }
    dd_schedule_free(&s);
    return worst;
}

static void check_steps(void)
{
    static const double etas[] = {0, .4, 1}, factors[] = {1, .9, 1.1};
    static const int steps[] = {0, 1, 7, 30};
    for (int n = 0; n < KINDS * 3 * 2 * 3 * 3 * 4; n++) {
        int rest = n, kind = rest % KINDS, prediction = (rest /= KINDS) % 3, zero = (rest /= 3) % 2;
        int eta = (rest /= 2) % 3, factor = (rest /= 3) % 3, count = rest / 3;
        if (zero && (prediction == DD_PREDICT_NOISE || factor))
            continue; /* is refused */
        dd_config c = config_of((dd_beta_schedule)kind, 60);
        c.diffusion.prediction = (dd_prediction_kind)prediction;
        c.diffusion.terminal_snr = (dd_terminal_snr)zero;
        c.sampling.eta = etas[eta];
        c.sampling.noise_factor = factors[factor];
        c.sampling.steps = steps[count];
        double worst = worst_step(&c);
        CHECK(worst < 2e-7, "%s, prediction %d, zero %d, eta %g, factor %g, %d steps: %g", names[kind], prediction,
              zero, etas[eta], factors[factor], steps[count], worst);
    }
}

static void check_targets(void)
{
    for (int n = 0; n < KINDS * 3 * 2; n++) {
        int kind = n % KINDS, prediction = n / KINDS % 3, zero = n / KINDS / 3;
        dd_config c = config_of((dd_beta_schedule)kind, 50);
        c.diffusion.prediction = (dd_prediction_kind)prediction;
        c.diffusion.terminal_snr = (dd_terminal_snr)zero;
        if (zero && prediction == DD_PREDICT_NOISE)
            continue;
        dd_schedule s = create(&c);
        const long double point = .8l, eps = 1.3l, error = .25l;
        double target = 0, implied = 0;
        for (int t = 0; t < s.timesteps; t++) {
            long double a = s.alpha_bar[t], signal = sqrtl(a), noise = sqrtl(1 - a), x = signal * point + noise * eps;
            long double p = said(c.diffusion.prediction, a, point, eps);
            target = fmax(target, fabs((double)(s.target_point[t] * point + s.target_noise[t] * eps - p)));
            /* The eps that belongs to x and a prediction that is off by `error`. */
            long double eps_said = prediction == DD_PREDICT_NOISE   ? p + error
                                   : prediction == DD_PREDICT_POINT ? (x - signal * (p + error)) / noise
                                                                    : noise * x + signal * (p + error);
            long double wanted = fabsl(eps_said - eps);
            implied = fmax(implied, fabs((double)(s.noise_error[t] * error - wanted)) / (1 + (double)wanted));
        }
        CHECK(target < 2e-7, "%s, prediction %d: targets differ by %g", names[kind], prediction, target);
        CHECK(implied < 1e-7, "%s, prediction %d: errors of eps differ by %g", names[kind], prediction, implied);
        dd_schedule_free(&s);
    }
}

/* A prediction whose x_0 is wrong by d costs min(SNR, gamma) d^2, for every kind of prediction. */
static void check_min_snr(void)
{
    for (int n = 0; n < KINDS * 3; n++) {
        dd_config c = config_of((dd_beta_schedule)(n % KINDS), 100);
        c.diffusion.prediction = (dd_prediction_kind)(n / KINDS);
        c.training.min_snr_gamma = 5;
        dd_schedule s = create(&c);
        double worst = 0;
        int bounded = 0;
        for (int t = 0; t < s.timesteps; t++) {
            long double a = s.alpha_bar[t], ratio = a / (1 - a), d = .3l;
            long double e = -sqrtl(a / (1 - a)) * d;                   /* x_t stays */
            long double wrong = said(c.diffusion.prediction, a, d, e); /* linear: the error of what is said */
            worst = fmax(worst, off((double)(s.weight[t] * wrong * wrong), fminl(ratio, 5) * d * d));
            bounded += ratio > 5;
        }
        CHECK(worst < 2e-7, "%s, prediction %d: %g", names[n % KINDS], n / KINDS, worst);
        CHECK(bounded > 10 && bounded < 100, "%d of 100 timesteps are bounded", bounded);
        dd_schedule_free(&s);
    }
}

/* Lin et al. 2024: the roots of alpha_bar, shifted and scaled. */
static void check_zero_terminal(void)
{
    for (int kind = 0; kind < KINDS; kind++)
        for (int T = 2; T <= 100; T += 49) {
            dd_config c = config_of((dd_beta_schedule)kind, T);
            if (kind == DD_BETA_SCALED_LINEAR && T < 50)
                continue; /* beta is above 1 */
            dd_schedule kept = create(&c);
            c.diffusion.terminal_snr = DD_TERMINAL_ZERO;
            c.diffusion.prediction = DD_PREDICT_V;
            dd_schedule s = create(&c);
            CHECK(s.alpha_bar[T - 1] == 0 && s.signal[T - 1] == 0 && s.noise[T - 1] == 1 && s.beta[T - 1] == 1,
                  "%s, T = %d: %g at the end", names[kind], T, s.alpha_bar[T - 1]);
            CHECK(off(s.alpha_bar[0], kept.alpha_bar[0]) < 1e-14, "%s: the first moved", names[kind]);
            double scale = sqrt(kept.alpha_bar[0]) / (sqrt(kept.alpha_bar[0]) - sqrt(kept.alpha_bar[T - 1])), worst = 0;
            long double product = 1;
            for (int t = 0; t < T; t++) {
                double shifted = (sqrt(kept.alpha_bar[t]) - sqrt(kept.alpha_bar[T - 1])) * scale;
                product *= 1 - (long double)s.beta[t];
                worst = fmax(worst, fmax(fabs(sqrt(s.alpha_bar[t]) - shifted), fabs((double)product - s.alpha_bar[t])));
            }
            CHECK(worst < 1e-13, "%s, T = %d: %g", names[kind], T, worst);
            dd_schedule_free(&kept);
            dd_schedule_free(&s);
        }
}

static void check_failures(void)
{
    dd_config c = config_of(DD_BETA_SCALED_LINEAR, 10);
    dd_schedule s;
    CHECK(dd_schedule_create(&c, &s) == DD_ERR_CONFIG, "beta of 2");
    CHECK(strstr(dd_error_message(), "between 0 and 1") && strstr(dd_error_message(), "raise timesteps"), "%s",
          dd_error_message());
    CHECK(!s.beta && !s.signal && !s.timestep, "a refused schedule has tables");
    c = config_of(DD_BETA_LINEAR, 100);
    c.diffusion.beta_end = 1;
    CHECK(dd_schedule_create(&c, &s) == DD_ERR_CONFIG && !strstr(dd_error_message(), "timesteps"), "%s",
          dd_error_message());
    /* alpha_bar ends at 5e-268. A step over a quarter of the timesteps is no float where the noise is predicted. */
    static const struct {
        double beta_end;
        int steps;
        dd_prediction_kind prediction;
        int refused;
    } faint[] = {{.5, 20, DD_PREDICT_NOISE, 0},
                 {.5, 4, DD_PREDICT_NOISE, 1},
                 {.5, 4, DD_PREDICT_V, 0},
                 {.9, 20, DD_PREDICT_NOISE, 1},
                 {.9, 20, DD_PREDICT_V, 1}}; /* 0 at the end */
    for (size_t i = 0; i < sizeof faint / sizeof *faint; i++) {
        c = config_of(DD_BETA_LINEAR, 2000);
        c.diffusion.beta_end = faint[i].beta_end;
        c.diffusion.prediction = faint[i].prediction;
        c.sampling.steps = faint[i].steps;
        int refused = dd_schedule_create(&c, &s) == DD_ERR_CONFIG;
        CHECK(refused == faint[i].refused, "case %zu", i);
        if (refused)
            CHECK(strstr(dd_error_message(), "signal") && !s.beta, "%s", dd_error_message());
        else
            dd_schedule_free(&s);
    }
    /* What training alone uses changes nothing of sampling, and the other way round. */
    c = config_of(DD_BETA_LINEAR, 40);
    dd_schedule plain = create(&c);
    c.training.min_snr_gamma = 3;
    s = create(&c);
    CHECK(same(s.keep, plain.keep, 40) && same(s.sigma, plain.sigma, 40) && !same(s.weight, plain.weight, 40), "gamma");
    dd_schedule_free(&s);
    c.training.min_snr_gamma = 0;
    c.sampling.eta = 0;
    s = create(&c);
    CHECK(same(s.signal, plain.signal, 40) && same(s.weight, plain.weight, 40) && !same(s.remove, plain.remove, 40),
          "eta");
    dd_schedule_free(&s);
    dd_schedule_free(&plain);
}

int main(void)
{
    check_defaults();
    check_timesteps();
    check_steps();
    check_targets();
    check_min_snr();
    check_zero_terminal();
    check_failures();
    return check_report();
}
