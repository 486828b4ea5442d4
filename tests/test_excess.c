/* The excess of a network's loss over the exact denoiser's: a Gaussian in closed form, networks whose distance from the
 * exact denoiser is known, and the same sums made row by row in the order of the pass.
 */
#define _GNU_SOURCE /* strsep */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend_ops.h"
#include "base/permutation.h"
#include "check.h"
#include "data/dataset.h"
#include "model/noised_point.h"
#include "model/recipe.h"
#include "run/excess.h"
#include "small_run.h"

enum { BATCH = 60, MOST = 3 }; /* no set's size is a multiple of the batch */

static dd_pool *one, *three; /* of that many threads */

/* An ensemble in which each replica predicts what the exact denoiser of its points predicts, and an error: the noise is
 * wrong by `far` times a normal number for each coordinate. */
typedef struct stub {
    dd_ensemble_head head;
    dd_schedule schedule;
    dd_points points[MOST]; /* held-out points */
    dd_truth truth[MOST];
    dd_oracle *oracle[MOST];
    double far;
} stub;

/* The exact prediction and the stub's for one point. The normal numbers are those of the point's first coordinate. */
static void predict_row(const stub *s, int r, int t, const float *x, double *exact, float *prediction)
{
    double wide[DD_MAX_DIMENSIONS], noise[DD_MAX_DIMENSIONS], of_noise = s->schedule.noise_error[t];
    float normal[DD_MAX_DIMENSIONS];
    int dimensions = s->points[r].columns.count;
    uint32_t bits;
    memcpy(&bits, x, sizeof bits);
    dd_draw_normals(9, DD_DRAW_SAMPLE, (uint32_t)t, bits, dimensions, normal);
    for (int c = 0; c < dimensions; c++)
        wide[c] = x[c];
    CHECK_OK(dd_oracle_predict(s->oracle[r], NULL, t, wide, 1, noise, NULL));
    dd_oracle_prediction(s->oracle[r], t, wide, noise, exact);
    for (int c = 0; c < dimensions; c++)
        prediction[c] = (float)(exact[c] + s->far / of_noise * normal[c]);
}

static dd_status predict(dd_ensemble *ensemble, dd_state_part part, const float *x, uint32_t n, int t,
                         dd_prediction *prediction)
{
    const stub *s = (const stub *)ensemble;
    size_t dimensions = (size_t)s->points[0].columns.count;
    double exact[DD_MAX_DIMENSIONS];
    CHECK(part == DD_STATE_ONLINE, "part %d", part);
    for (size_t i = 0; i < (size_t)s->head.replicas * n; i++)
        predict_row(s, (int)(i / n), t, x + dimensions * i, exact, prediction->mixture + dimensions * i);
    return DD_OK;
}

static const dd_backend_ops ops = {.predict = predict};

static dd_config config_of(int dimensions, dd_prediction_kind kind)
{
    dd_config config;
    dd_config_defaults(&config);
    config.data.dimensions = dimensions;
    config.diffusion.timesteps = 40;
    config.diffusion.prediction = kind;
    return config;
}

/* n held-out points of the first set, and a few more of the others. sets has their names, with commas. */
static void stub_create(stub *s, const char *sets, const dd_config *config, uint32_t n, double far)
{
    char names[128];
    *s = (stub){.head = {.ops = &ops}, .far = far};
    CHECK_OK(dd_schedule_create(config, &s->schedule));
    snprintf(names, sizeof names, "%s", sets);
    for (char *rest = names, *name; (name = strsep(&rest, ","));) {
        int r = s->head.replicas++;
        dd_request request = {
            .name = name, .data = &config->data, .n = n + 7 * (uint32_t)r, .stream = DD_STREAM_HELDOUT};
        CHECK_OK(dd_points_request(&request, &s->points[r], NULL));
        CHECK_OK(dd_points_truth(&s->points[r], &s->truth[r]));
        CHECK_OK(dd_oracle_create(&s->truth[r], &s->schedule, &s->oracle[r]));
    }
}

static void stub_free(stub *s)
{
    for (int r = 0; r < s->head.replicas; r++) {
        dd_oracle_destroy(s->oracle[r]);
        dd_truth_free(&s->truth[r]);
        dd_points_free(&s->points[r]);
    }
    dd_schedule_free(&s->schedule);
}

static const uint64_t seeds[MOST] = {3, 14, 15};

static dd_heldout_pass pass_of(const stub *s, const dd_points **points, const double *loss)
{
    for (int r = 0; r < s->head.replicas; r++)
        points[r] = &s->points[r];
    return (dd_heldout_pass){&s->schedule, s->head.replicas, BATCH, seeds, points, loss};
}

/* ---- row by row ---- */

typedef struct by_row {
    double loss, exact, error, apart;
} by_row;

/* As dd_ensemble_evaluate defines a loss: the mean over batches of a batch's mean. square: the squared errors of a
 * backend's pass; NULL: of the stub. */
static by_row compare_rows(const stub *s, int r, const float *square)
{
    const dd_points *points = &s->points[r];
    int dimensions = points->columns.count;
    uint32_t batches = dd_batches(points->n, BATCH);
    double *difference = malloc(points->n * sizeof *difference), *weight = malloc(points->n * sizeof *weight);
    double excess = 0., squares = 0.;
    by_row sum = {0};
    dd_permutation order;
    dd_permutation_init(&order, seeds[r], DD_DRAW_EVAL_ORDER, 0, points->n);
    for (uint32_t b = 0, i = 0; b < batches; b++) {
        uint32_t rows = dd_batch_of_step(b, points->n, BATCH).rows;
        for (uint32_t row = 0; row < rows; row++, i++) {
            float x[DD_MAX_DIMENSIONS], target[DD_MAX_DIMENSIONS], prediction[DD_MAX_DIMENSIONS];
            double exact[DD_MAX_DIMENSIONS], own = 0., perfect = 0., apart = 0.;
            int t = dd_draw_point(&s->schedule, seeds[r], DD_DRAW_HELDOUT, b, row, dimensions,
                                  points->x + (size_t)dimensions * dd_permutation_at(&order, i), x, target);
            predict_row(s, r, t, x, exact, prediction);
            for (int c = 0; c < dimensions; c++) {
                own += pow(s->schedule.noise_error[t] * (prediction[c] - (double)target[c]), 2.) / dimensions;
                perfect += pow(s->schedule.noise_error[t] * (exact[c] - (double)target[c]), 2.) / dimensions;
                apart += pow(s->schedule.noise_error[t] * (prediction[c] - exact[c]), 2.) / dimensions;
            }
            if (square)
                own = square[i] / dimensions;
            weight[i] = 1. / batches / rows;
            difference[i] = own - perfect;
            sum.loss += weight[i] * own;
            sum.exact += weight[i] * perfect;
            sum.apart += weight[i] * apart;
            excess += weight[i] * difference[i];
        }
    }
    for (uint32_t i = 0; i < points->n; i++)
        squares += pow(weight[i] * (difference[i] - excess), 2.);
    sum.error = sqrt(squares * points->n / (points->n - 1.));
    free(difference);
    free(weight);
    return sum;
}

/* ---- checks ---- */

static void check_equal(const char *of, int r, const dd_excess *e, const by_row *expected, double tolerance)
{
    CHECK(fabs(e->exact - expected->exact) < 1e-12, "%s %d: exact %.17g, by row %.17g", of, r, e->exact,
          expected->exact);
    CHECK(fabs(e->excess - (expected->loss - expected->exact)) < 1e-12, "%s %d: excess %.17g, by row %.17g", of, r,
          e->excess, expected->loss - expected->exact);
    CHECK(fabs(e->error - expected->error) <= tolerance * expected->error, "%s %d: error %.17g, by row %.17g", of, r,
          e->error, expected->error);
}

/* The excess of a network that is wrong by independent numbers is their variance, and so is its denoiser error. The
 * first is within 2 of its standard errors, the second within 3: it is a mean of n D squares of normal numbers. */
static void check_network(const char *sets, int dimensions, dd_prediction_kind kind, double far)
{
    stub s;
    dd_config config = config_of(dimensions, kind);
    const dd_points *points[MOST];
    double loss[MOST];
    dd_excess excess[MOST], with_threads[MOST];
    stub_create(&s, sets, &config, 500, far);
    dd_heldout_pass pass = pass_of(&s, points, loss);
    by_row expected[MOST];
    for (int r = 0; r < s.head.replicas; r++) {
        expected[r] = compare_rows(&s, r, NULL);
        loss[r] = expected[r].loss;
    }
    CHECK_OK(dd_excess_measure((dd_ensemble *)&s, &pass, one, excess));
    CHECK_OK(dd_excess_measure((dd_ensemble *)&s, &pass, three, with_threads));
    CHECK(!memcmp(excess, with_threads, (size_t)s.head.replicas * sizeof *excess), "%s: threads change it", sets);
    for (int r = 0; r < s.head.replicas; r++) {
        const dd_excess *e = &excess[r];
        double numbers = (double)points[r]->n * points[r]->columns.count;
        check_equal(sets, r, e, &expected[r], 1e-9);
        CHECK(fabs(e->denoiser_error - expected[r].apart) < 1e-12, "%s %d: %.17g, by row %.17g", sets, r,
              e->denoiser_error, expected[r].apart);
        CHECK(fabs(e->excess - far * far) < 2. * e->error, "%s %d: excess %g, error %g", sets, r, e->excess, e->error);
        /* float32 rounds a prediction of x_0 by 6e-8, and noise_error is 100 at t = 0. */
        CHECK(fabs(e->denoiser_error - far * far) < 3. * far * far * sqrt(2. / numbers) + 1e-9, "%s %d: %g", sets, r,
              e->denoiser_error);
    }
    stub_free(&s);
}

/* The loss of the exact denoiser of N(c, covariance of variances v_j): at each t the mean over j of
 * l_j = a^2 v_j / (a^2 v_j + b^2), a^2 = alpha_bar and b^2 = 1 - a^2. The squared error of a row has the variance
 * 2 sum_j l_j^2. */
static void check_gaussian(void)
{
    enum { N = 20000 };
    stub s;
    const dd_points *points[MOST];
    double loss[MOST] = {0}, expected = 0., variance = 0.;
    dd_excess excess[MOST];
    CHECK(N % BATCH, "the last batch must be shorter");
    dd_config config = config_of(32, DD_PREDICT_NOISE);
    config.data.modes = 1;
    stub_create(&s, "gaussians", &config, N, 0.);
    const dd_component *k = &s.truth[0].component[0];
    CHECK(s.truth[0].components == 1 && s.truth[0].rank == 32, "one Gaussian with all its axes");
    for (uint32_t i = 0; i < N; i++) {
        double a2 =
            s.schedule.alpha_bar[dd_draw_timestep(&s.schedule, seeds[0], DD_DRAW_HELDOUT, i / BATCH, i % BATCH)];
        double weight = 1. / dd_batches(N, BATCH) / dd_batch_of_step(i / BATCH, N, BATCH).rows / 32.;
        for (int j = 0; j < 32; j++) {
            double l = a2 * k->variance[j] / (a2 * k->variance[j] + 1. - a2);
            expected += weight * l;
            variance += weight * weight * 2. * l * l;
        }
    }
    dd_heldout_pass pass = pass_of(&s, points, loss);
    CHECK_OK(dd_excess_measure((dd_ensemble *)&s, &pass, three, excess));
    CHECK(fabs(excess[0].exact - expected) < 2.5 * sqrt(variance), "loss %.6f, in closed form %.6f +- %.6f",
          excess[0].exact, expected, sqrt(variance));
    stub_free(&s);
}

/* A trained network's pass: the rows are those of the backend, so their squares are the same. A set from a file has no
 * exact denoiser. */
static void check_backend(void)
{
    enum { REPLICAS = 3 };
    small_run run;
    stub s;
    dd_backend *backend;
    const dd_points *points[MOST];
    double loss[REPLICAS];
    dd_replica replica[REPLICAS];
    dd_excess excess[REPLICAS];
    float *square[REPLICAS];
    small_run_create(&run);
    run.config.training.batch = BATCH;
    stub_create(&s, "dino,moons,line", &run.config, 200, 0.);
    dd_heldout_pass pass = pass_of(&s, points, loss);
    CHECK_OK(dd_backend_open("cpu", 2, &backend));
    for (int r = 0; r < REPLICAS; r++) {
        replica[r] = small_replica(&run, r);
        replica[r].seed = seeds[r];
        square[r] = malloc(points[r]->n * sizeof *square[r]);
    }
    dd_ensemble_spec spec = small_spec(&run, replica, REPLICAS);
    dd_ensemble *ensemble;
    CHECK_OK(dd_ensemble_create(backend, &spec, &ensemble));
    CHECK_OK(dd_ensemble_evaluate(ensemble, DD_STATE_ONLINE, DD_DRAW_HELDOUT, points, loss, square));
    s.points[2].generated = false;
    CHECK_OK(dd_excess_measure(ensemble, &pass, dd_backend_pool(backend), excess));
    for (int r = 0; r < REPLICAS; r++) {
        by_row expected = compare_rows(&s, r, square[r]);
        CHECK(fabs(loss[r] - expected.loss) < 1e-6 * loss[r], "%d: loss %.9g, by row %.9g", r, loss[r], expected.loss);
        expected.loss = loss[r];
        if (s.points[r].generated)
            check_equal("backend", r, &excess[r], &expected, 1e-6);
        else
            CHECK(isnan(excess[r].exact) && isnan(excess[r].excess) && isnan(excess[r].error) &&
                      isnan(excess[r].denoiser_error),
                  "a file's distribution is unknown");
        free(square[r]);
    }
    dd_ensemble_destroy(ensemble);
    dd_backend_close(backend);
    stub_free(&s);
    small_run_free(&run);
}

int main(void)
{
    CHECK_OK(dd_pool_create(1, &one));
    CHECK_OK(dd_pool_create(3, &three));
    check_network("dino,moons,line", 0, DD_PREDICT_NOISE, 0.);
    check_network("dino,moons,line", 0, DD_PREDICT_NOISE, .1);
    check_network("gaussians,subspaces", 5, DD_PREDICT_V, .1);
    check_network("hypercube,embedded:circle", 3, DD_PREDICT_POINT, .2);
    check_network("gaussians", 1, DD_PREDICT_POINT, 0.);
    check_gaussian();
    check_backend();
    dd_pool_destroy(one);
    dd_pool_destroy(three);
    return check_report();
}
