/* The exact denoiser against closed forms and direct sums: one Gaussian, a box, mixtures of everything, atoms that are
 * replaced by few, the far tails; and sampling where the whole chain is known, for all kinds of predictions and steps.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "base/pool.h"
#include "check.h"
#include "model/start_points.h"
#include "oracle/oracle.h"
#include "oracle/oracle_atoms.h"
#include "oracle/oracle_box.h"

static const dd_diffusion_config linear = {
    .timesteps = 100, .schedule = DD_BETA_LINEAR, .beta_start = 1e-4, .beta_end = .02};
static const dd_diffusion_config cosine = {.timesteps = 250, .schedule = DD_BETA_COSINE};

static dd_pool *one, *three; /* of that many threads */

/* Uniform in (0, 1). */
static double uniform(uint32_t i)
{
    uint32_t word[4];
    dd_philox(5, DD_DRAW_DATA, 0, i, word);
    return dd_uniform53(word[0], word[1]);
}

static dd_truth truth_of(dd_atom *atom, int atoms)
{
    dd_truth t = {.name = "test", .dimensions = 2, .plane = {.atoms = atoms, .atom = atom}};
    return t;
}

/* E[eps | x] of one atom on one axis, and the logarithm of its density, in long double. */
static long double atom_axis(const dd_atom *a, int axis, long double x, long double signal, long double noise,
                             long double *log_density)
{
    long double centre = a->centre[axis], sigma = a->sigma[axis], half = a->half[axis];
    if (half > 0.) {
        long double p = (x - signal * (centre - half)) / noise, q = (x - signal * (centre + half)) / noise;
        long double mass = .5l * (q > 0   ? erfcl(q / sqrtl(2)) - erfcl(p / sqrtl(2))
                                  : p < 0 ? erfcl(-p / sqrtl(2)) - erfcl(-q / sqrtl(2))
                                          : erfl(p / sqrtl(2)) - erfl(q / sqrtl(2)));
        *log_density = logl(mass / (2 * signal * half));
        return (expl(-q * q / 2) - expl(-p * p / 2)) / sqrtl(2 * acosl(-1)) / mass;
    }
    long double variance = signal * signal * sigma * sigma + noise * noise, d = x - signal * centre;
    *log_density = -d * d / (2 * variance) - .5l * logl(2 * acosl(-1) * variance);
    return noise * d / variance;
}

/* The mixture, term by term; false where the long doubles underflow. */
static int direct(const dd_truth *t, double alpha_bar, const double *x, double *noise)
{
    long double *log_weight = malloc((size_t)t->plane.atoms * sizeof *log_weight), top = -INFINITY, total = 0,
                sum[2] = {0, 0};
    for (int i = 0; i < t->plane.atoms; i++) {
        log_weight[i] = logl(t->plane.atom[i].weight);
        for (int c = 0; c < 2; c++) {
            long double density;
            atom_axis(&t->plane.atom[i], c, x[c], sqrtl(alpha_bar), sqrtl(1 - (long double)alpha_bar), &density);
            log_weight[i] += density;
        }
        if (log_weight[i] > top)
            top = log_weight[i];
    }
    for (int i = 0; i < t->plane.atoms; i++) {
        long double weight = expl(log_weight[i] - top), ignored;
        total += weight;
        for (int c = 0; c < 2 && weight > 0; c++)
            sum[c] += weight * atom_axis(&t->plane.atom[i], c, x[c], sqrtl(alpha_bar),
                                         sqrtl(1 - (long double)alpha_bar), &ignored);
    }
    free(log_weight);
    noise[0] = (double)(sum[0] / total);
    noise[1] = (double)(sum[1] / total);
    return isfinite(noise[0]) && isfinite(noise[1]);
}

static dd_status create_schedule(const dd_diffusion_config *diffusion, dd_schedule *schedule)
{
    dd_config config;
    dd_config_defaults(&config);
    config.diffusion = *diffusion;
    return dd_schedule_create(&config, schedule);
}

/* Greatest difference from the direct sum, over all timesteps in steps of `stride`, at points of x_t's distribution
 * spread `wide` times. */
static double worst_difference(const dd_truth *t, const dd_diffusion_config *config, int stride, double wide)
{
    enum { POINTS = 20 };
    dd_schedule s;
    dd_oracle *oracle;
    double worst = 0., x[2 * POINTS], noise[2 * POINTS];
    CHECK_OK(create_schedule(config, &s));
    CHECK_OK(dd_oracle_create(t, &s, &oracle));
    for (int step = 0; step < s.timesteps; step += stride) {
        double signal = sqrt(s.alpha_bar[step]), deviation = sqrt(1. - s.alpha_bar[step]);
        for (int i = 0; i < POINTS; i++) {
            const dd_atom *a = &t->plane.atom[(int)(uniform((uint32_t)(9 * i + step)) * t->plane.atoms)];
            for (int c = 0; c < 2; c++)
                x[2 * i + c] = signal * a->centre[c] + wide * deviation * (6. * uniform((uint32_t)(2 * i + c)) - 3.);
        }
        CHECK_OK(dd_oracle_predict(oracle, NULL, step, x, POINTS, noise, NULL));
        for (int i = 0; i < POINTS; i++) {
            double known[2];
            if (!direct(t, s.alpha_bar[step], x + 2 * i, known))
                continue;
            for (int c = 0; c < 2; c++)
                worst = fmax(worst, fabs(noise[2 * i + c] - known[c]) / (1. + fabs(known[c])));
        }
    }
    dd_oracle_destroy(oracle);
    dd_schedule_free(&s);
    return worst;
}

/* E[eps | x] = b (x - a c) / (a^2 s^2 + b^2). */
static void check_gaussian(void)
{
    static const double sigmas[][2] = {{0., 0.}, {.0111, .0125}, {1., 3.}};
    static const double points[] = {0., 0., .5, -1., 4., 4., 50., -300.};
    for (int k = 0; k < 3; k++) {
        dd_atom atom = {{.7, -1.3}, {sigmas[k][0], sigmas[k][1]}, {0., 0.}, 1.};
        dd_truth t = truth_of(&atom, 1);
        dd_schedule s;
        dd_oracle *oracle;
        double noise[8];
        CHECK_OK(create_schedule(&linear, &s));
        CHECK_OK(dd_oracle_create(&t, &s, &oracle));
        for (int step = 0; step < s.timesteps; step += 33) {
            CHECK_OK(dd_oracle_predict(oracle, NULL, step, points, 4, noise, NULL));
            double a = sqrt(s.alpha_bar[step]), b = sqrt(1. - s.alpha_bar[step]);
            for (int i = 0; i < 8; i++) {
                double known =
                    b * (points[i] - a * atom.centre[i % 2]) / (a * a * sigmas[k][i % 2] * sigmas[k][i % 2] + b * b);
                CHECK(fabs(noise[i] / known - 1.) < 1e-12, "sigma %g, t %d, x %g: %.15g, not %.15g", sigmas[k][i % 2],
                      step, points[i], noise[i], known);
            }
        }
        dd_oracle_destroy(oracle);
        dd_schedule_free(&s);
    }
}

/* One interval against Simpson's rule on the part of it that matters. */
static void check_interval(double x, double centre, double half, double signal, double noise)
{
    enum { PIECES = 20000 };
    long double a = signal, b = noise, closest = fminl(fmaxl(x / a, centre - half), centre + half);
    /* Within `reach` the exponent grows by 60. */
    long double z = fabsl(x - a * closest) / b, reach = b / a * (sqrtl(z * z + 120) - z);
    long double low = fmaxl(centre - half, closest - reach), high = fminl(centre + half, closest + reach);
    long double total = 0, sum = 0, top = -z * z / 2;
    for (int i = 0; i <= PIECES; i++) {
        long double u = low + (high - low) * i / PIECES, e = (x - a * u) / b;
        long double weight = expl(-e * e / 2 - top) * (i == 0 || i == PIECES ? 1 : i % 2 ? 4 : 2);
        total += weight;
        sum += weight * e;
    }
    long double density = logl(total * (high - low) / (3 * PIECES) / (2 * half * b * sqrtl(2 * acosl(-1)))) + top;
    double mean, result = dd_interval(x, centre, half, signal, noise, &mean);
    CHECK(fabsl(result - density) < 1e-10 * (1 + fabsl(density)),
          "x %g, half %g, noise %g: log density %.15g, not %.15Lg", x, half, noise, result, density);
    CHECK(fabsl(mean - sum / total) < 1e-9 * (1 + fabsl(sum / total)),
          "x %g, half %g, noise %g: mean %.15g, not %.15Lg", x, half, noise, mean, sum / total);
}

static void check_box(void)
{
    static const double x[] = {0., .3, 1.9, 2., 2.1, 5., -2.3, -40.}, halves[] = {2., 1e-2, 1e-4, 3e-6};
    static const double noises[] = {.01, .1, .8, 1.};
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 4; k++)
                check_interval(x[i], .25, halves[j], sqrt(1. - noises[k] * noises[k]) + .2, noises[k]);
    /* Without signal only the noise remains; a box without extent is a point. */
    double mean, density = dd_interval(1.5, .25, 2., 0., 1., &mean);
    CHECK(fabs(mean - 1.5) < 1e-15 && fabs(density + .5 * 2.25 + .918938533204673) < 1e-14, "%g, %g", mean, density);
    dd_interval(1.5, .25, 0., .6, .8, &mean);
    CHECK(fabs(mean - (1.5 - .15) / .8) < 1e-14, "%g", mean);
}

/* Everything together: three classes of Gaussians, thousands of close points, two boxes. */
static void check_mixture(void)
{
    enum { POINTS = 3000, OTHERS = 40, BOXES = 2, ATOMS = POINTS + OTHERS + BOXES };
    static dd_atom atom[ATOMS];
    double total = 0.;
    for (int i = 0; i < ATOMS; i++) {
        dd_atom *a = &atom[i];
        double u = uniform((uint32_t)(10 * i)), v = uniform((uint32_t)(10 * i + 1));
        *a = (dd_atom){{6. * u - 3., 6. * v - 3.}, {0., 0.}, {0., 0.}, uniform((uint32_t)(10 * i + 2)) + .01};
        if (i < POINTS) { /* on four blobs and a line between them */
            a->centre[0] = i % 5 ? .2 * u + i % 4 : 3. * u;
            a->centre[1] = i % 5 ? .2 * v - i % 3 : 3. * u - 2.;
        } else if (i < POINTS + OTHERS) {
            a->sigma[0] = i % 2 ? .05 : .3;
            a->sigma[1] = .1;
            a->weight *= 10.;
        } else {
            a->half[0] = .5 + .5 * u;
            a->half[1] = .2;
            a->weight *= 200.;
        }
        total += a->weight;
    }
    for (int i = 0; i < ATOMS; i++)
        atom[i].weight /= total;
    dd_truth t = truth_of(atom, ATOMS);
    dd_arrangement a;
    CHECK_OK(dd_arrange(&t.plane, &a));
    CHECK(a.level[0].atoms >= POINTS + OTHERS && dd_arrangement_level(&a, 1.)->atoms < 2000,
          "%d atoms at no noise, %d at noise 1", a.level[0].atoms, dd_arrangement_level(&a, 1.)->atoms);
    dd_arrangement_free(&a);
    /* Noise of .0139 to 60 in x_0's units: the first levels hold every atom. */
    double worst = worst_difference(&t, &cosine, 10, 1.);
    CHECK(worst < 2e-9, "differs by %g", worst);
    /* Without the wide ones nothing hides the close points from far out, where their replacements would not do. */
    t.plane.atoms = POINTS;
    worst = worst_difference(&t, &cosine, 25, 10.);
    CHECK(worst < 2e-9, "far out it differs by %g", worst);
    worst = worst_difference(&t, &(dd_diffusion_config){.timesteps = 4, .beta_start = 1e-6, .beta_end = 4e-6}, 1, 1.);
    CHECK(worst < 1e-11, "without replacing it differs by %g", worst);
}

/* One Gaussian: the denoiser is linear, so each sample is a recursion that is written down here. */
static void check_sampling(void)
{
    enum { N = 300 };
    dd_atom atom = {{.7, -1.3}, {.5, .1}, {0., 0.}, 1.};
    dd_truth t = truth_of(&atom, 1);
    dd_schedule s;
    dd_oracle *oracle;
    static float x[2 * N], again[2 * N], start[2 * N];
    CHECK_OK(create_schedule(&linear, &s));
    CHECK_OK(dd_oracle_create(&t, &s, &oracle));
    CHECK_OK(dd_oracle_sample(oracle, 17, NULL, N, one, x, start));
    CHECK_OK(dd_oracle_sample(oracle, 17, NULL, N, three, again, NULL));
    CHECK(!memcmp(x, again, sizeof x), "the threads change the samples");
    CHECK_OK(dd_oracle_sample(oracle, 18, NULL, N, one, again, NULL));
    CHECK(memcmp(x, again, sizeof x), "the seed does not change the samples");
    CHECK_OK(dd_oracle_sample(oracle, 17, start, N, one, again, NULL));
    CHECK(!memcmp(x, again, sizeof x), "its own x_T gives other samples");
    static float shifted[2 * N], begun[2 * N];
    for (int i = 0; i < 2 * N; i++)
        shifted[i] = start[i] + 1.f;
    CHECK_OK(dd_oracle_sample(oracle, 17, shifted, N, one, again, begun));
    CHECK(!memcmp(shifted, begun, sizeof begun) && again[0] > x[0] && again[1] > x[1], "x_T is not the given one");
    double worst = 0., worst_start = 0.;
    for (int i = 0; i < N; i++) {
        uint32_t word[4];
        float z[2];
        dd_philox(17, DD_DRAW_SAMPLE, (uint32_t)s.timesteps, (uint64_t)i, word);
        dd_normal2(word[0], word[1], z);
        double state[2] = {z[0], z[1]};
        for (int c = 0; c < 2; c++)
            worst_start = fmax(worst_start, fabs(start[2 * i + c] - state[c]));
        for (int step = s.timesteps - 1; step >= 0; step--) {
            double a = s.alpha_bar[step], before = step ? s.alpha_bar[step - 1] : 1., beta = s.beta[step];
            dd_philox(17, DD_DRAW_SAMPLE, (uint32_t)step, (uint64_t)i, word);
            dd_normal2(word[0], word[1], z);
            for (int c = 0; c < 2; c++) {
                double gain = sqrt(a) * atom.sigma[c] * atom.sigma[c] / (a * atom.sigma[c] * atom.sigma[c] + 1. - a);
                double x0 = atom.centre[c] + gain * (state[c] - sqrt(a) * atom.centre[c]);
                state[c] = (beta * sqrt(before) * x0 + sqrt(1. - beta) * (1. - before) * state[c]) / (1. - a);
                if (step)
                    state[c] += sqrt(beta * (1. - before) / (1. - a)) * z[c];
            }
        }
        for (int c = 0; c < 2; c++)
            worst = fmax(worst, fabs(x[2 * i + c] - state[c]));
    }
    CHECK(worst_start == 0., "x_T differs by %g", worst_start);
    CHECK(worst < 3e-6, "samples differ by %g", worst); /* the schedule's tables are float32, as samples are */
    dd_oracle_destroy(oracle);
    dd_schedule_free(&s);
}

/* ---- sampling by every kind of schedule ---- */

enum { SAMPLES = 400 };

static void sample(const dd_truth *t, const dd_config *c, const float *start, uint32_t n, float *x)
{
    dd_schedule s;
    dd_oracle *oracle;
    CHECK_OK(dd_config_validate(c));
    CHECK_OK(dd_schedule_create(c, &s));
    CHECK_OK(dd_oracle_create(t, &s, &oracle));
    CHECK_OK(dd_oracle_sample(oracle, 3, start, n, one, x, NULL));
    dd_oracle_destroy(oracle);
    dd_schedule_free(&s);
}

/* An exact denoiser knows x_0 and eps, so the kind of prediction makes no difference. */
static void check_predictions(void)
{
    dd_atom atom[] = {
        {{1., 2.}, {.1, .3}, {0., 0.}, .3}, {{-2., .5}, {0., 0.}, {0., 0.}, .2}, {{0., -2.}, {0., 0.}, {1., .2}, .5}};
    dd_truth t = truth_of(atom, 3);
    static float x[3][2 * SAMPLES];
    for (int n = 0; n < 2 * 2 * 3 * 2; n++) {
        int zero = n % 2, eta = n / 2 % 2, steps = n / 4 % 3, factor = n / 12;
        if (zero && factor)
            continue;
        dd_config c;
        dd_config_defaults(&c);
        c.diffusion.schedule = DD_BETA_COSINE;
        c.diffusion.terminal_snr = (dd_terminal_snr)zero;
        c.sampling.eta = eta ? 1. : 0.;
        c.sampling.steps = (const int[]){0, 20, 1}[steps];
        c.sampling.noise_factor = factor ? .95 : 1.;
        double worst = 0., greatest = 0.;
        for (int kind = zero ? DD_PREDICT_POINT : DD_PREDICT_NOISE; kind <= DD_PREDICT_V; kind++) {
            c.diffusion.prediction = (dd_prediction_kind)kind;
            sample(&t, &c, NULL, SAMPLES, x[kind]);
        }
        for (int i = 0; i < 2 * SAMPLES; i++) {
            greatest = fmax(greatest, fabs((double)x[DD_PREDICT_V][i]));
            worst = fmax(worst, fabs((double)x[DD_PREDICT_POINT][i] - x[DD_PREDICT_V][i]));
            if (!zero)
                worst = fmax(worst, fabs((double)x[DD_PREDICT_NOISE][i] - x[DD_PREDICT_V][i]));
        }
        /* The tables are float32; the cosine's last alpha_bar is 6e-8, so that an x_0 from noise, 4000 times it, has
         * but three digits, of which the following steps leave less. */
        CHECK(worst < (zero ? 2e-5 : 2e-3), "zero %d, eta %g, %d steps, factor %g: samples differ by %g", zero,
              c.sampling.eta, c.sampling.steps, c.sampling.noise_factor, worst);
        /* In one step to E[x_0 | x_T]; a factor leaves a part of x_T's noise in x_0. */
        CHECK(greatest > (steps == 2 ? .25 : 2.) && (factor || greatest < 4.), "samples reach to %g", greatest);
    }
}

/* Standard deviation of samples of N(., sigma^2) from the true x_T on. Every step is linear, so that it is known; the
 * smaller the steps, the nearer to sigma. */
static double chain_deviation(const dd_schedule *s, double eta, double sigma)
{
    double last = s->alpha_bar[s->timesteps - 1], variance = last * sigma * sigma + 1. - last;
    for (int i = s->steps - 1; i >= 0; i--) {
        double a = s->alpha_bar[s->timestep[i]], b = i ? s->alpha_bar[s->timestep[i - 1]] : 1.;
        double gain = sqrt(a) * sigma * sigma / (a * sigma * sigma + 1. - a); /* of E[x_0 | x] */
        double added = eta * eta * (1. - b) / (1. - a) * (1. - a / b);
        double along = sqrt(b) * gain + sqrt(1. - b - added) * (1. - sqrt(a) * gain) / sqrt(1. - a);
        variance = along * along * variance + added;
    }
    return sqrt(variance);
}

/* Of one Gaussian from the true x_T on, every sampler gives its mean, and its variance in the limit of many steps. */
static void check_moments(void)
{
    enum { N = 10000 };
    dd_atom atom = {{.7, -1.3}, {.5, .1}, {0., 0.}, 1.};
    dd_truth t = truth_of(&atom, 1);
    static float x[2 * N], start[2 * N], xy[2 * N];
    dd_points points = {.n = N, .x = xy, .columns.count = 2};
    for (uint32_t i = 0; i < N; i++) {
        float z[2];
        dd_draw_normals(9, DD_DRAW_DATA, 0, i, 2, z);
        for (uint32_t c = 0; c < 2; c++)
            xy[2 * i + c] = (float)(atom.centre[c] + atom.sigma[c] * (double)z[c]);
    }
    for (int n = 0; n < 4 * 3; n++) {
        int prediction = n % 4, zero = prediction == 3;
        dd_config c;
        dd_schedule s;
        dd_config_defaults(&c);
        c.diffusion.timesteps = prediction ? 250 : 100; /* without scaling x_T is far from N(0, I) */
        c.diffusion.schedule = zero ? DD_BETA_COSINE : prediction ? DD_BETA_SCALED_LINEAR : DD_BETA_LINEAR;
        c.diffusion.prediction = zero ? DD_PREDICT_V : (dd_prediction_kind)prediction;
        c.diffusion.terminal_snr = (dd_terminal_snr)zero;
        c.sampling.start = DD_START_DATA;
        c.sampling.eta = .5 * (n / 4);
        c.sampling.steps = prediction == DD_PREDICT_POINT ? 100 : 0;
        CHECK_OK(dd_schedule_create(&c, &s));
        dd_draw_start(&s, &points, 3, N, start);
        sample(&t, &c, start, N, x);
        for (int axis = 0; axis < 2; axis++) {
            double sum = 0., square = 0., known = chain_deviation(&s, c.sampling.eta, atom.sigma[axis]);
            for (int i = 0; i < N; i++)
                sum += x[2 * i + axis] / (double)N;
            for (int i = 0; i < N; i++)
                square += (x[2 * i + axis] - sum) * (x[2 * i + axis] - sum) / N;
            /* Four standard errors, and as many of the points, of which N are drawn with replacement. */
            CHECK(fabs(sum - atom.centre[axis]) < .06 * atom.sigma[axis], "prediction %d, eta %g: mean %g, not %g",
                  prediction, c.sampling.eta, sum, atom.centre[axis]);
            CHECK(fabs(sqrt(square) / known - 1.) < .04, "prediction %d, eta %g: sd %g, not %g", prediction,
                  c.sampling.eta, sqrt(square), known);
        }
        dd_schedule_free(&s);
        c.diffusion.timesteps = 8000;
        if (!zero)
            c.diffusion.schedule = DD_BETA_SCALED_LINEAR;
        c.sampling.steps = 0;
        CHECK_OK(dd_schedule_create(&c, &s));
        double limit = chain_deviation(&s, c.sampling.eta, .1);
        CHECK(fabs(limit / .1 - 1.) < .01, "prediction %d, eta %g: sd %g in 8000 steps", prediction, c.sampling.eta,
              limit);
        dd_schedule_free(&s);
    }
}

/* At the last timestep x_T is eps, and nothing is known of x_0 but its mean. */
static void check_without_signal(void)
{
    dd_atom atom[] = {{{1., 2.}, {.1, .3}, {0., 0.}, .25}, {{-2., .5}, {0., 0.}, {.5, .5}, .75}};
    dd_truth t = truth_of(atom, 2);
    dd_config c;
    dd_schedule s;
    dd_oracle *oracle;
    double x[4] = {.5, -1., 3., 2.}, noise[4];
    float start[2] = {.5f, -1.f}, end[2];
    dd_config_defaults(&c);
    c.diffusion.terminal_snr = DD_TERMINAL_ZERO;
    c.diffusion.prediction = DD_PREDICT_POINT;
    c.sampling.steps = 1;
    CHECK_OK(dd_schedule_create(&c, &s));
    CHECK_OK(dd_oracle_create(&t, &s, &oracle));
    CHECK_OK(dd_oracle_predict(oracle, NULL, s.timesteps - 1, x, 2, noise, NULL));
    for (int i = 0; i < 4; i++)
        CHECK(fabs(noise[i] - x[i]) < 1e-14, "%g at %g", noise[i], x[i]);
    for (int kind = DD_PREDICT_POINT; kind <= DD_PREDICT_V; kind++) {
        c.diffusion.prediction = (dd_prediction_kind)kind;
        sample(&t, &c, start, 1, end);
        CHECK(fabs((double)end[0] + 1.25) < 1e-6 && fabs((double)end[1] - .875) < 1e-6, "%g, %g is not the mean",
              (double)end[0], (double)end[1]);
    }
    dd_oracle_destroy(oracle);
    dd_schedule_free(&s);
}

/* N(0, .1^2 I) of five dimensions: each coordinate is a recursion with its own normals. */
static void check_sampling_of_dimensions(void)
{
    enum { N = 70, D = 5 };
    dd_truth t = {.kind = DD_TRUTH_CUBE, .dimensions = D, .sigma = .1};
    dd_schedule s;
    dd_oracle *oracle;
    static float x[N * D], start[N * D];
    double worst = 0.;
    CHECK_OK(create_schedule(&linear, &s));
    CHECK_OK(dd_oracle_create(&t, &s, &oracle));
    CHECK_OK(dd_oracle_sample(oracle, 17, NULL, N, three, x, start));
    for (int i = 0; i < N; i++) {
        double state[D];
        float z[D];
        dd_draw_normals(17, DD_DRAW_SAMPLE, (uint32_t)s.timesteps, (uint64_t)i, D, z);
        for (int c = 0; c < D; c++) {
            state[c] = z[c];
            CHECK(start[D * i + c] == z[c], "x_T of sample %d", i);
        }
        for (int step = s.timesteps - 1; step >= 0; step--) {
            double a = s.alpha_bar[step], factor = sqrt(1. - a) / (a * .01 + 1. - a);
            dd_draw_normals(17, DD_DRAW_SAMPLE, (uint32_t)step, (uint64_t)i, D, z);
            for (int c = 0; c < D; c++)
                state[c] = s.keep[step] * state[c] - s.remove[step] * factor * state[c] + s.sigma[step] * (double)z[c];
        }
        for (int c = 0; c < D; c++)
            worst = fmax(worst, fabs(state[c] - (double)x[D * i + c]));
    }
    CHECK(worst < 1e-7, "samples in 5 dimensions differ by %g", worst); /* float32 of numbers below 1 */
    dd_oracle_destroy(oracle);
    dd_schedule_free(&s);
}

int main(void)
{
    CHECK_OK(dd_pool_create(1, &one));
    CHECK_OK(dd_pool_create(3, &three));
    check_gaussian();
    check_box();
    check_mixture();
    check_sampling();
    check_sampling_of_dimensions();
    check_predictions();
    check_moments();
    check_without_signal();
    dd_pool_destroy(one);
    dd_pool_destroy(three);
    return check_report();
}
