/* Everything that the CUDA backend does, on a small network, against the CPU backend. test_planted.py runs it with a
 * libdualdiff_cuda.so next to it that has a fault planted. Exit status 0: the two agree; else the first difference or
 * error is printed. "inside": the diversity loss is that of the experts' hidden layers. "wide": points of 40
 * coordinates and Fourier features. "cublas": products by cuBLAS. */
#include <math.h>

#include "../small_run.h"

enum { REPLICAS = 2, EXPERTS = 3, BLOCK = 4, BLOCKS = 3, STEPS = BLOCK * BLOCKS, SAMPLES = 70 };

static void die(const char *what)
{
    printf("%s: %s\n", what, dd_error_message());
    exit(3);
}

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        if (call)                                                                                                      \
            die(#call);                                                                                                \
    } while (0)

typedef struct outcome {
    float *gradient, *state[DD_STATE_PARTS], *loss, *norm, *gate, *x, *expert;
    double eval_loss[REPLICAS];
} outcome;

static float *numbers(size_t n)
{
    float *array = calloc(n, sizeof *array);
    if (!array)
        exit(5);
    return array;
}

/* Blocks of training whose logs take turns, as the trainer's do. */
static void train(dd_ensemble *e, const small_run *s, outcome *o)
{
    dd_train_log *log[2];
    size_t row = (size_t)s->config.training.batch * (size_t)s->model.gates;
    o->loss = numbers(REPLICAS * STEPS);
    o->norm = numbers(REPLICAS * STEPS);
    o->gate = numbers(REPLICAS * STEPS * row);
    for (int i = 0; i < 2; i++)
        TRY(dd_train_log_create(e, BLOCK, &log[i]));
    for (int block = 0; block <= BLOCKS; block++) {
        if (block < BLOCKS)
            TRY(dd_ensemble_train(e, block * BLOCK, BLOCK, log[block % 2]));
        else
            TRY(dd_ensemble_wait(e));
        const dd_train_log *full = log[(block + 1) % 2];
        for (int r = 0; r < REPLICAS && block > 0; r++) {
            size_t to = (size_t)r * STEPS + (size_t)(block - 1) * BLOCK, from = (size_t)r * BLOCK;
            memcpy(o->loss + to, full->loss + from, BLOCK * sizeof(float));
            memcpy(o->norm + to, full->grad_norm + from, BLOCK * sizeof(float));
            memcpy(o->gate + to * row, full->gate + from * row, BLOCK * row * sizeof(float));
        }
    }
    for (int i = 0; i < 2; i++)
        dd_train_log_destroy(e, log[i]);
}

static outcome run(const small_run *s, const char *name)
{
    outcome o = {0};
    dd_backend *backend = NULL;
    TRY(dd_backend_open(name, 1, &backend));
    size_t p = s->model.parameters, numbers_of_samples = REPLICAS * SAMPLES * (size_t)s->model.dimensions;
    dd_replica replica[REPLICAS] = {small_replica(s, 0), small_replica(s, 1)};
    dd_ensemble_spec spec = small_spec(s, replica, REPLICAS);
    dd_ensemble *e = NULL;
    TRY(dd_ensemble_create(backend, &spec, &e));
    o.gradient = numbers(REPLICAS * p);
    TRY(dd_ensemble_gradient(e, 4, o.gradient)); /* a short batch of one replica */
    /* Samples of the untrained networks first: what a second call finds made must not be the first's. */
    const uint64_t seed[REPLICAS] = {1, 2};
    o.x = numbers(numbers_of_samples);
    TRY(dd_ensemble_sample(e, DD_STATE_EMA, seed, SAMPLES, &(dd_samples){.x = o.x}));
    train(e, s, &o);
    for (int part = 0; part < DD_STATE_PARTS; part++) {
        o.state[part] = numbers(REPLICAS * p);
        for (int r = 0; r < REPLICAS; r++)
            TRY(dd_ensemble_get(e, r, (dd_state_part)part, o.state[part] + (size_t)r * p));
    }
    const dd_points *points[REPLICAS] = {&s->points[1], &s->points[2]};
    TRY(dd_ensemble_evaluate(e, DD_STATE_ONLINE, DD_DRAW_EVALUATE, points, o.eval_loss, NULL));
    o.expert = numbers(numbers_of_samples * EXPERTS);
    TRY(dd_ensemble_sample(e, DD_STATE_EMA, seed, SAMPLES, &(dd_samples){.x = o.x}));
    TRY(dd_ensemble_predict(e, DD_STATE_EMA, o.x, SAMPLES, 3, &(dd_prediction){.expert = o.expert}));
    dd_ensemble_destroy(e);
    dd_backend_close(backend);
    return o;
}

/* ||a - b|| / ||b|| below the limit; NaN anywhere is no. */
static void compare(const char *what, const float *a, const float *b, size_t n, double limit)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    if (!(sqrt(difference) <= limit * sqrt(norm))) {
        printf("%s differ: %g of the norm\n", what, sqrt(difference / norm));
        exit(4);
    }
}

static void outcome_free(outcome *o)
{
    for (int part = 0; part < DD_STATE_PARTS; part++)
        free(o->state[part]);
    free(o->gradient);
    free(o->loss);
    free(o->norm);
    free(o->gate);
    free(o->x);
    free(o->expert);
}

static bool asked_for(const char *word, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], word))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    small_run s;
    small_run_create(&s);
    s.config.model.activation = DD_SILU; /* no kinks, so that rounding stays rounding */
    s.config.model.experts = EXPERTS;    /* a weight each, where two would have one */
    small_run_set(&s, "diffusion.timesteps=10");
    if (asked_for("inside", argc, argv))
        s.config.training.diversity_layer = DD_DIVERSITY_OF_HIDDEN;
    if (asked_for("wide", argc, argv))
        small_run_widen(&s, 40);
    if (asked_for("cublas", argc, argv))
        s.config.training.products = DD_PRODUCTS_CUBLAS;
    TRY(dd_model_create(&s.config.model, s.points[0].columns.count, &s.model));
    outcome cuda = run(&s, "cuda"), cpu = run(&s, "cpu");
    size_t samples = REPLICAS * SAMPLES * (size_t)s.model.dimensions;
    size_t p = REPLICAS * s.model.parameters, row = (size_t)(s.config.training.batch * s.model.gates);
    compare("gradients", cuda.gradient, cpu.gradient, p, 1e-5);
    compare("losses", cuda.loss, cpu.loss, REPLICAS * STEPS, 1e-5);
    compare("gradient norms", cuda.norm, cpu.norm, REPLICAS * STEPS, 1e-4);
    compare("parameters", cuda.state[DD_STATE_ONLINE], cpu.state[DD_STATE_ONLINE], p, 1e-5);
    compare("averages", cuda.state[DD_STATE_EMA], cpu.state[DD_STATE_EMA], p, 1e-5);
    compare("first moments", cuda.state[DD_STATE_MOMENT1], cpu.state[DD_STATE_MOMENT1], p, 1e-4);
    compare("second moments", cuda.state[DD_STATE_MOMENT2], cpu.state[DD_STATE_MOMENT2], p, 1e-4);
    for (int i = 0; i < REPLICAS * STEPS; i++) /* rows beyond a short batch are NaN on both sides */
        for (size_t j = 0, at = (size_t)i * row; j < row; j++)
            if (!isnan(cpu.gate[at + j]) && !(fabsf(cuda.gate[at + j] - cpu.gate[at + j]) < 1e-4f)) {
                printf("gating weights differ at step %d\n", i % STEPS);
                exit(4);
            }
    for (int r = 0; r < REPLICAS; r++)
        if (!(fabs(cuda.eval_loss[r] - cpu.eval_loss[r]) < 1e-5 * cpu.eval_loss[r])) {
            printf("evaluation's losses differ: %g and %g\n", cuda.eval_loss[r], cpu.eval_loss[r]);
            exit(4);
        }
    compare("samples", cuda.x, cpu.x, samples, 1e-4);
    compare("experts' outputs", cuda.expert, cpu.expert, samples * EXPERTS, 1e-4);
    outcome_free(&cuda);
    outcome_free(&cpu);
    small_run_free(&s);
    puts("agree");
    return 0;
}
