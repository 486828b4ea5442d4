/* bench_server CONFIG BACKEND THREADS REPLICAS [KEY=VALUE ...]: reads requests from standard input, one per line, and
 * answers each with one number:
 *
 *     train STEPS     seconds per step and replica; continues from the current step
 *     sample N        seconds a replica
 *     evaluate N      seconds a replica, one pass over the first N of 100,000 points
 *     stored STEPS    seconds a step spent in writing logs and checkpoints to the current folder; one replica
 *     result          seconds to write the result file of a whole run there; one replica
 *     knn             seconds for a KL estimate: two searches, 100,000 x 100,000 and x 10,000 points
 *     kl              and its value in bits
 *     metrics D       processor seconds of all metrics of 10,000 samples, 100,000 training points, normal in D
 *                     dimensions
 *     peak            GFLOP/s of fused multiply-adds with that many threads
 *     bandwidth       GB/s
 *     flops           the reference's dense operations of a full training step, GFLOP
 *     forward         and of a point's forward pass, GFLOP
 *
 * bench.py runs it and its competitors in turn, so that a slow minute of the machine affects all of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/philox.h"
#include "metrics/kl.h"
#include "metrics/measure.h"
#include "metrics/metrics.h"
#include "peak.h"
#include "storing.h"

enum { BLOCK = 50, POINTS = 100000, GENERATED = 10000 };

typedef struct server {
    dd_config config;
    dd_model model;
    dd_schedule schedule;
    dd_backend *backend;
    dd_ensemble *ensemble;
    dd_train_log *log;
    dd_points points;
    dd_run run;
    storing *storing;
    int threads, replicas, step;
} server;

static void need(int status)
{
    if (status) {
        fprintf(stderr, "bench_server: %s\n", dd_error_message());
        exit(status);
    }
}

static void set_up(server *s)
{
    dd_replica *replica = calloc((size_t)s->replicas, sizeof *replica);
    const dd_training_config *t = &s->config.training;
    if (!replica)
        exit(DD_ERR_MEMORY);
    for (int i = 0; i < s->replicas; i++)
        replica[i] = dd_replica_of(t, (uint64_t)i, &s->points);
    dd_ensemble_spec spec = {
        .model = &s->model, .schedule = &s->schedule, .training = t, .replicas = s->replicas, .replica = replica};
    need(dd_ensemble_create(s->backend, &spec, &s->ensemble));
    need(dd_train_log_create(s->ensemble, BLOCK, &s->log));
    free(replica);
}

static double train(server *s, int steps)
{
    double began = dd_now();
    for (int done = 0; done < steps;) {
        int count = steps - done < BLOCK ? steps - done : BLOCK;
        need(dd_ensemble_train(s->ensemble, s->step % (s->config.training.steps - BLOCK), count, s->log));
        s->step += count;
        done += count;
    }
    need(dd_ensemble_wait(s->ensemble));
    return (dd_now() - began) / steps / s->replicas;
}

static double sample(server *s, uint32_t n)
{
    size_t all = (size_t)s->replicas * n;
    float *x = malloc(2 * all * sizeof *x);
    uint64_t *seed = calloc((size_t)s->replicas, sizeof *seed);
    double began = dd_now();
    need(dd_ensemble_sample(s->ensemble, DD_STATE_EMA, seed, n, &(dd_samples){.x = x}));
    double elapsed = dd_now() - began;
    free(seed);
    free(x);
    return elapsed / s->replicas;
}

static double evaluate(server *s, uint32_t n)
{
    const dd_points **points = calloc((size_t)s->replicas, sizeof *points);
    double *loss = calloc((size_t)s->replicas, sizeof *loss);
    dd_points first = s->points;
    first.n = n < first.n ? n : first.n;
    for (int i = 0; i < s->replicas; i++)
        points[i] = &first;
    double began = dd_now();
    need(dd_ensemble_evaluate(s->ensemble, DD_STATE_ONLINE, DD_DRAW_EVALUATE, points, loss, NULL));
    double elapsed = dd_now() - began;
    free(points);
    free(loss);
    return elapsed / s->replicas;
}

static storing *stored(server *s)
{
    if (!s->storing) {
        s->run = dd_run_of(&s->config, "bench", &s->points, 0, s->backend);
        need(storing_open(s->ensemble, &s->run, &s->model, ".", &s->storing));
    }
    return s->storing;
}

static double train_stored(server *s, int steps)
{
    double seconds;
    need(storing_train(stored(s), steps, &seconds));
    return seconds / steps;
}

static double write_result(server *s)
{
    double seconds;
    need(storing_result(stored(s), &seconds));
    return seconds;
}

static double kl(server *s, int seconds)
{
    dd_points generated;
    dd_kl value;
    need(dd_points_open("dino", GENERATED, 7, DD_STREAM_HELDOUT, &generated));
    double began = dd_now();
    need(dd_kl_divergence(dd_backend_pool(s->backend), s->points.x, POINTS, generated.x, GENERATED, 2, 5, &value));
    double elapsed = dd_now() - began;
    dd_points_free(&generated);
    return seconds ? elapsed : value.bits;
}

static float *normal_points(uint64_t seed, uint32_t n, int dimensions)
{
    float *x = malloc((size_t)n * (size_t)dimensions * sizeof *x);
    for (uint32_t i = 0; x && i < n; i++)
        dd_draw_normals(seed, DD_DRAW_DATA, 0, i, dimensions, x + (size_t)i * (size_t)dimensions);
    return x;
}

static double metrics(server *s, int dimensions)
{
    dd_points points = {.n = POINTS, .x = normal_points(1, POINTS, dimensions)};
    dd_points heldout = {.n = (uint32_t)s->config.evaluation.heldout};
    float *samples = normal_points(2, GENERATED, dimensions);
    dd_metrics value;
    int measured;
    heldout.x = normal_points(3, heldout.n, dimensions);
    if (!points.x || !heldout.x || !samples)
        exit(DD_ERR_MEMORY);
    dd_columns_plain(&points.columns, dimensions);
    clock_t began = clock();
    need(dd_metrics_of_samples(dd_backend_pool(s->backend), 1, (const dd_points *const[]){&points},
                               (const dd_points *const[]){&heldout}, samples, GENERATED,
                               &(dd_evaluation_config){.samples = GENERATED, .k = 5}, &value, &measured));
    double elapsed = (double)(clock() - began) / CLOCKS_PER_SEC;
    free(samples);
    free(heldout.x);
    free(points.x);
    return elapsed;
}

static double answer(server *s, const char *line)
{
    int number = 0;
    if (sscanf(line, "train %d", &number) == 1)
        return train(s, number);
    if (sscanf(line, "sample %d", &number) == 1)
        return sample(s, (uint32_t)number);
    if (sscanf(line, "evaluate %d", &number) == 1)
        return evaluate(s, (uint32_t)number);
    if (sscanf(line, "stored %d", &number) == 1)
        return train_stored(s, number);
    if (!strncmp(line, "result", 6))
        return write_result(s);
    if (!strncmp(line, "knn", 3))
        return kl(s, 1);
    if (sscanf(line, "metrics %d", &number) == 1)
        return metrics(s, number);
    if (!strncmp(line, "kl", 2))
        return kl(s, 0);
    if (!strncmp(line, "peak", 4))
        return dd_peak_gflops(s->threads);
    if (!strncmp(line, "bandwidth", 9))
        return dd_peak_bandwidth(s->threads);
    if (!strncmp(line, "flops", 5))
        return 1e-9 * dd_model_step_flops(&s->model, s->config.training.batch);
    if (!strncmp(line, "forward", 7))
        return 1e-9 * dd_model_forward_flops(&s->model);
    fprintf(stderr, "bench_server: unknown request: %s", line);
    exit(DD_ERR_USAGE);
}

int main(int argc, char **argv)
{
    static server s;
    char line[256];
    if (argc < 5) {
        fprintf(stderr, "usage: bench_server CONFIG BACKEND THREADS REPLICAS [KEY=VALUE ...]\n");
        return DD_ERR_USAGE;
    }
    s.threads = atoi(argv[3]);
    s.replicas = atoi(argv[4]);
    need(dd_config_read(argv[1], &s.config));
    for (int i = 5; i < argc; i++)
        need(dd_config_set(&s.config, argv[i]));
    need(dd_config_validate(&s.config));
    need(dd_model_create(&s.config.model, 2, &s.model));
    need(dd_schedule_create(&s.config, &s.schedule));
    need(dd_points_open("dino", POINTS, s.config.data.seed, DD_STREAM_TRAIN, &s.points));
    need(dd_backend_open(argv[2], s.threads, &s.backend));
    set_up(&s);
    printf("%s\n", dd_backend_device(s.backend));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        printf("%.17g\n", answer(&s, line));
        fflush(stdout);
    }
    storing_close(s.storing);
    dd_train_log_destroy(s.ensemble, s.log);
    dd_ensemble_destroy(s.ensemble);
    dd_backend_close(s.backend);
    dd_schedule_free(&s.schedule);
    dd_points_free(&s.points);
    return 0;
}
