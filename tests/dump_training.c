/* dump_training BACKEND CONFIG OUT.h5 STEPS SAMPLES REPLICA[,REPLICA...] [section.key=value ...]
 *
 * Train an ensemble and write what it did, one group of plain arrays a replica, for tests in Python: the points,
 * initial parameters, the gradient at step 0, the log of all steps, the state after them and the gradient there,
 * the losses of both evaluations, samples and predictions.
 *
 * REPLICA is NAME:POINTS:SEED, or with its own hyperparameters in place of the configuration's
 * NAME:POINTS:SEED:learning_rate:weight_decay:clip_norm:diversity_weight. NAME may be a file FILE.f32 of so many points
 * of any dimensions, as bytes of float32. All replicas have points of the same dimensions. */
#include <hdf5.h>
#include <hdf5_hl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "model/start_points.h"

enum { MOST = 16 };

static void need(int status)
{
    if (status) {
        fprintf(stderr, "dump_training: %s\n", dd_error_message());
        exit(1);
    }
}

static void put(hid_t group, const char *name, hid_t type, int rank, hsize_t a, hsize_t b, hsize_t c, const void *data)
{
    hsize_t size[3] = {a, b, c};
    if (H5LTmake_dataset(group, name, rank, size, type, data) < 0) {
        fprintf(stderr, "dump_training: %s cannot be written\n", name);
        exit(1);
    }
}

static void put_floats(hid_t group, const char *name, int rank, hsize_t a, hsize_t b, const float *data)
{
    put(group, name, H5T_NATIVE_FLOAT, rank, a, b, 0, data);
}

/* The points (count, D) of a file of float32; D follows from its length. */
static void read_floats(const char *path, uint32_t count, dd_points *points)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) || ftell(file) < (long)(count * sizeof(float))) {
        fprintf(stderr, "dump_training: %s cannot be read\n", path);
        exit(1);
    }
    size_t numbers = (size_t)ftell(file) / sizeof(float);
    rewind(file);
    *points = (dd_points){.n = count, .x = malloc(numbers * sizeof(float))};
    dd_columns_plain(&points->columns, (int)(numbers / count));
    if (fread(points->x, sizeof(float), numbers, file) != numbers)
        exit(1);
    fclose(file);
}

static void open_points(const char *name, uint32_t count, dd_points *points)
{
    const char *dot = strrchr(name, '.');
    if (dot && !strcmp(dot, ".f32"))
        read_floats(name, count, points);
    else
        need(dd_points_open(name, count, 42, DD_STREAM_TRAIN, points));
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fprintf(stderr,
                "usage: dump_training BACKEND CONFIG OUT.h5 STEPS SAMPLES REPLICA[,REPLICA...] [KEY=VALUE ...]\n");
        return 2;
    }
    dd_config c;
    dd_model model;
    dd_schedule schedule;
    dd_backend *backend;
    need(dd_config_read(argv[2], &c));
    for (int i = 7; i < argc; i++)
        need(dd_config_set(&c, argv[i]));
    need(dd_config_validate(&c));
    need(dd_schedule_create(&c, &schedule));
    need(dd_backend_open(argv[1], 2, &backend));
    int steps = atoi(argv[4]), replicas = 0;
    uint32_t n = (uint32_t)atoi(argv[5]);

    static dd_points points[MOST];
    dd_replica replica[MOST];
    const dd_points *passes[MOST];
    uint64_t seed[MOST];
    for (char *item = strtok(argv[6], ","); item && replicas < MOST; item = strtok(NULL, ","), replicas++) {
        char name[512];
        unsigned count;
        unsigned long long number;
        double rate = c.training.learning_rate, decay = c.training.weight_decay, clip = c.training.clip_norm,
               diversity = c.training.diversity_weight;
        int fields =
            sscanf(item, "%511[^:]:%u:%llu:%lf:%lf:%lf:%lf", name, &count, &number, &rate, &decay, &clip, &diversity);
        if (fields != 3 && fields != 7) {
            fprintf(stderr, "dump_training: %s is no replica\n", item);
            return 2;
        }
        open_points(name, count, &points[replicas]);
        passes[replicas] = &points[replicas];
        seed[replicas] = number;
        replica[replicas] = (dd_replica){.seed = number,
                                         .data = &points[replicas],
                                         .learning_rate = rate,
                                         .weight_decay = decay,
                                         .clip_norm = clip,
                                         .diversity_weight = diversity};
    }
    need(dd_model_create(&c.model, points[0].columns.count, &model));
    dd_ensemble_spec spec = {
        .model = &model, .schedule = &schedule, .training = &c.training, .replicas = replicas, .replica = replica};
    dd_ensemble *e;
    dd_train_log *log;
    need(dd_ensemble_create(backend, &spec, &e));
    need(dd_train_log_create(e, steps, &log));

    size_t R = (size_t)replicas, P = model.parameters, N = n, G = (size_t)model.gates, K = (size_t)model.experts;
    size_t S = (size_t)steps, B = (size_t)c.training.batch, T = (size_t)schedule.steps, D = (size_t)model.dimensions;
    float *state = malloc(P * sizeof *state), *first = malloc(R * P * sizeof *first),
          *last = malloc(R * P * sizeof *last);
    float *x = malloc(R * N * D * sizeof *x), *start = malloc(R * N * D * sizeof *start);
    float *given = malloc(R * N * D * sizeof *given), *mixture = malloc(R * N * D * sizeof *mixture);
    float *sample_gate = G ? malloc(R * T * N * G * sizeof *sample_gate) : NULL;
    float *gate = G ? malloc(R * N * G * sizeof *gate) : NULL, *expert = malloc(R * N * K * D * sizeof *expert);
    double loss[MOST], heldout[MOST];
    float *squares[MOST];
    for (int r = 0; r < replicas; r++)
        squares[r] = malloc(points[r].n * sizeof(float));

    hid_t file = H5Fcreate(argv[3], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), group[MOST];
    for (int r = 0; r < replicas; r++) {
        char name[16];
        snprintf(name, sizeof name, "%d", r);
        group[r] = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        put_floats(group[r], "points", 2, points[r].n, D, points[r].x);
        need(dd_ensemble_get(e, r, DD_STATE_ONLINE, state));
        put_floats(group[r], "initial", 1, P, 0, state);
        dd_draw_start(&schedule, &points[r], seed[r], n, given + N * D * (size_t)r);
    }
    need(dd_ensemble_gradient(e, 0, first));
    need(dd_ensemble_train(e, 0, steps, log));
    need(dd_ensemble_wait(e));
    need(dd_ensemble_gradient(e, steps, last));
    need(dd_ensemble_evaluate(e, DD_STATE_ONLINE, DD_DRAW_EVALUATE, passes, loss, NULL));
    need(dd_ensemble_evaluate(e, DD_STATE_EMA, DD_DRAW_HELDOUT, passes, heldout, squares));
    need(dd_ensemble_sample(e, DD_STATE_EMA, seed, n,
                            &(dd_samples){.start = c.sampling.start == DD_START_DATA ? given : NULL,
                                          .x = x,
                                          .initial_noise = start,
                                          .gate = sample_gate}));
    need(dd_ensemble_predict(e, DD_STATE_EMA, start, n, schedule.timesteps / 2,
                             &(dd_prediction){.mixture = mixture, .expert = expert, .gate = gate}));
    for (int r = 0; r < replicas; r++) {
        static const char *const names[DD_STATE_PARTS] = {"online", "ema", "moment1", "moment2"};
        size_t at = (size_t)r;
        put_floats(group[r], "gradient", 1, P, 0, first + at * P);
        put_floats(group[r], "last_gradient", 1, P, 0, last + at * P);
        for (int part = 0; part < DD_STATE_PARTS; part++) {
            need(dd_ensemble_get(e, r, (dd_state_part)part, state));
            put_floats(group[r], names[part], 1, P, 0, state);
        }
        put_floats(group[r], "loss", 1, S, 0, log->loss + at * S);
        put_floats(group[r], "mse", 1, S, 0, log->mse + at * S);
        put_floats(group[r], "diversity", 1, S, 0, log->diversity + at * S);
        put_floats(group[r], "grad_norm", 1, S, 0, log->grad_norm + at * S);
        put(group[r], "eval_loss", H5T_NATIVE_DOUBLE, 1, 1, 0, 0, &loss[r]);
        put(group[r], "heldout_loss", H5T_NATIVE_DOUBLE, 1, 1, 0, 0, &heldout[r]);
        put_floats(group[r], "heldout_squares", 1, points[r].n, 0, squares[r]);
        free(squares[r]);
        put_floats(group[r], "x", 2, N, D, x + at * N * D);
        put_floats(group[r], "initial_noise", 2, N, D, start + at * N * D);
        put_floats(group[r], "predicted", 2, N, D, mixture + at * N * D);
        put_floats(group[r], "experts", 2, N, K * D, expert + at * N * K * D);
        put(group[r], "sample_timestep", H5T_NATIVE_INT, 1, T, 0, 0, schedule.timestep);
        if (G) {
            put(group[r], "gate", H5T_NATIVE_FLOAT, 3, S, B, G, log->gate + at * S * B * G);
            put(group[r], "timestep", H5T_NATIVE_INT16, 2, S, B, 0, log->timestep + at * S * B);
            put(group[r], "sample_gate", H5T_NATIVE_FLOAT, 3, T, N, G, sample_gate + at * T * N * G);
            put_floats(group[r], "predicted_gate", 2, N, G, gate + at * N * G);
        }
        H5Gclose(group[r]);
        dd_points_free(&points[r]);
    }
    H5Fclose(file);
    dd_train_log_destroy(e, log);
    dd_ensemble_destroy(e);
    dd_backend_close(backend);
    dd_schedule_free(&schedule);
    float *const all[] = {state, first, last, x, start, given, mixture, sample_gate, gate, expert};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    return 0;
}
