/* What a replica computes depends on nothing but itself: not on the number of threads, not on its neighbours,
 * not on where training was stopped and resumed. Bit for bit. */
#include <math.h>

#include "small_run.h"

enum { SAMPLES = 300 };

/* Everything that a replica leaves behind. */
typedef struct outcome {
    float *state[DD_STATE_PARTS], *gradient;
    float *loss, *norm, *diversity, *gate;
    int16_t *timestep;
    float *x, *sample_gate, *expert;
    double eval_loss;
    size_t parameters, steps, points, gates; /* gates: weights stored a point */
    size_t sample_gates, experts;            /* numbers in the arrays of these names */
} outcome;

static void *copy_of(const void *from, size_t bytes)
{
    void *to = malloc(bytes);
    memcpy(to, from, bytes);
    return to;
}

static void outcome_free(outcome *o)
{
    for (int part = 0; part < DD_STATE_PARTS; part++)
        free(o->state[part]);
    free(o->gradient);
    free(o->loss);
    free(o->norm);
    free(o->diversity);
    free(o->gate);
    free(o->timestep);
    free(o->x);
    free(o->sample_gate);
    free(o->expert);
}

/* Train `steps` steps in blocks, then evaluate, sample and predict; the outcome of replica `which`. A cut
 * moves the state to a fresh ensemble after that many steps. */
static outcome run(const small_run *s, const char *backend_name, int threads, const int *number, int replicas,
                   int which, int steps, int cut)
{
    dd_backend *backend = NULL;
    CHECK_OK(dd_backend_open(backend_name, threads, &backend));
    if (!backend)
        exit(check_report());
    dd_ensemble *e = small_ensemble(s, backend, number, replicas);
    dd_train_log *log = NULL;
    size_t n = (size_t)steps, batch = (size_t)s->config.training.batch, p = s->model.parameters;
    size_t gates = (size_t)s->model.gates;
    outcome o = {.parameters = p,
                 .gates = gates,
                 .sample_gates = (size_t)s->schedule.steps * SAMPLES * gates,
                 .experts = 2 * SAMPLES * (size_t)s->model.experts};
    CHECK_OK(dd_train_log_create(e, steps, &log));
    if (cut) {
        float *state = malloc(p * sizeof *state);
        CHECK_OK(dd_ensemble_train(e, 0, cut, log));
        CHECK_OK(dd_ensemble_wait(e));
        dd_ensemble *fresh = small_ensemble(s, backend, number, replicas);
        for (int r = 0; r < replicas; r++)
            for (int part = 0; part < DD_STATE_PARTS; part++) {
                CHECK_OK(dd_ensemble_get(e, r, (dd_state_part)part, state));
                CHECK_OK(dd_ensemble_set(fresh, r, (dd_state_part)part, state));
            }
        free(state);
        dd_train_log_destroy(e, log);
        dd_ensemble_destroy(e);
        e = fresh;
        CHECK_OK(dd_train_log_create(e, steps, &log));
    }
    CHECK_OK(dd_ensemble_train(e, cut, steps - cut, log));
    CHECK_OK(dd_ensemble_wait(e));
    size_t row = (size_t)which * (size_t)log->capacity, done = n - (size_t)cut;
    o.steps = done;
    o.points = done * batch;
    o.loss = copy_of(log->loss + row, done * sizeof(float));
    o.norm = copy_of(log->grad_norm + row, done * sizeof(float));
    o.diversity = copy_of(log->diversity + row, done * sizeof(float));
    o.gate = copy_of(log->gate + row * batch * gates, o.points * gates * sizeof(float));
    o.timestep = copy_of(log->timestep + row * batch, o.points * sizeof(int16_t));
    for (int part = 0; part < DD_STATE_PARTS; part++) {
        o.state[part] = malloc(p * sizeof(float));
        CHECK_OK(dd_ensemble_get(e, which, (dd_state_part)part, o.state[part]));
    }
    float *gradient = malloc((size_t)replicas * p * sizeof *gradient);
    CHECK_OK(dd_ensemble_gradient(e, steps, gradient));
    o.gradient = copy_of(gradient + (size_t)which * p, p * sizeof *gradient);
    free(gradient);

    const dd_points *points[16];
    double loss[16];
    uint64_t seed[16];
    for (int r = 0; r < replicas; r++) {
        points[r] = &s->points[number[r] % SMALL_DATASETS];
        seed[r] = 7 + (uint64_t)number[r];
    }
    CHECK_OK(dd_ensemble_evaluate(e, DD_STATE_ONLINE, DD_DRAW_EVALUATE, points, loss, NULL));
    o.eval_loss = loss[which];
    size_t count = (size_t)replicas, at = (size_t)which;
    float *x = malloc(2 * count * SAMPLES * sizeof *x), *gate = malloc(count * o.sample_gates * sizeof *gate);
    float *expert = malloc(count * o.experts * sizeof *expert);
    CHECK_OK(dd_ensemble_sample(e, DD_STATE_EMA, seed, SAMPLES, &(dd_samples){.x = x, .gate = gate}));
    CHECK_OK(dd_ensemble_predict(e, DD_STATE_EMA, x, SAMPLES, 3, &(dd_prediction){.expert = expert}));
    o.x = copy_of(x + 2 * SAMPLES * at, 2 * SAMPLES * sizeof *x);
    o.sample_gate = copy_of(gate + o.sample_gates * at, o.sample_gates * sizeof *gate);
    o.expert = copy_of(expert + o.experts * at, o.experts * sizeof *expert);
    free(x);
    free(gate);
    free(expert);
    dd_train_log_destroy(e, log);
    dd_ensemble_destroy(e);
    dd_backend_close(backend);
    return o;
}

static int differ(const void *a, const void *b, size_t bytes)
{
    return memcmp(a, b, bytes) != 0;
}

/* `b` may have been cut: its log is then the end of a's. */
static void check_equal(const outcome *a, const outcome *b, const char *what)
{
    static const char *const parts[] = {"parameters", "average", "first moments", "second moments"};
    size_t skip = a->steps - b->steps, skip_points = a->points - b->points;
    for (int part = 0; part < DD_STATE_PARTS; part++)
        CHECK(!differ(a->state[part], b->state[part], a->parameters * sizeof(float)), "%s: %s", what, parts[part]);
    CHECK(!differ(a->gradient, b->gradient, a->parameters * sizeof(float)), "%s: gradient", what);
    CHECK(!differ(a->loss + skip, b->loss, b->steps * sizeof(float)), "%s: losses", what);
    CHECK(!differ(a->norm + skip, b->norm, b->steps * sizeof(float)), "%s: norms", what);
    CHECK(!differ(a->diversity + skip, b->diversity, b->steps * sizeof(float)), "%s: diversity", what);
    CHECK(!differ(a->timestep + skip_points, b->timestep, b->points * sizeof(int16_t)), "%s: timesteps", what);
    int gates_differ = 0;
    for (size_t i = 0; i < b->points * b->gates; i++) {
        float p = a->gate[skip_points * a->gates + i], q = b->gate[i];
        gates_differ += !(p == q || (isnan(p) && isnan(q)));
    }
    CHECK(!gates_differ, "%s: %d gating weights", what, gates_differ);
    CHECK(a->eval_loss == b->eval_loss, "%s: evaluation %.17g %.17g", what, a->eval_loss, b->eval_loss);
    CHECK(!differ(a->x, b->x, 2 * SAMPLES * sizeof(float)), "%s: samples", what);
    CHECK(!differ(a->sample_gate, b->sample_gate, a->sample_gates * sizeof(float)), "%s: gates of samples", what);
    CHECK(!differ(a->expert, b->expert, a->experts * sizeof(float)), "%s: predictions", what);
}

/* Replica `which` alone against itself in every other way. */
static void check_replica(const small_run *s, const char *backend, int which)
{
    const int steps = 23, cpu = !strcmp(backend, "cpu");
    outcome alone = run(s, backend, 1, &which, 1, 0, steps, 0);
    outcome cut = run(s, backend, 1, &which, 1, 0, steps, 9);
    check_equal(&alone, &cut, "cut at step 9");
    outcome_free(&cut);
    /* Only the CPU promises these: a GPU's library may take another kernel for another batch. */
    for (int threads = 2; threads <= 5 && cpu; threads++) {
        outcome more = run(s, backend, threads, &which, 1, 0, steps, 0);
        check_equal(&alone, &more, "more threads");
        outcome_free(&more);
    }
    static const int neighbours[5] = {0, 1, 2, 4, 5};
    for (int threads = 1; threads <= 3 && cpu; threads++) {
        outcome among = run(s, backend, threads, neighbours, 5, which, steps, 0);
        check_equal(&alone, &among, "among neighbours");
        outcome_free(&among);
    }
    outcome_free(&alone);
}

/* A set of points that does not fit the network is refused, where it would be trained on and where it would be
 * evaluated. */
static void check_refusals(const small_run *s, const char *name)
{
    const dd_replica replica = small_replica(s, 0);
    const dd_ensemble_spec spec = small_spec(s, &replica, 1);
    dd_points wide = s->points[0];
    dd_columns_plain(&wide.columns, 3);
    dd_replica other = replica;
    other.data = &wide;
    dd_ensemble_spec unfit = spec;
    unfit.replica = &other;
    dd_backend *backend = NULL;
    dd_ensemble *e = NULL;
    double loss;
    CHECK_OK(dd_backend_open(name, 1, &backend));
    CHECK(dd_ensemble_create(backend, &unfit, &e) == DD_ERR_INTERNAL && !e, "trained on points that do not fit");
    CHECK_OK(dd_ensemble_create(backend, &spec, &e));
    CHECK(dd_ensemble_evaluate(e, DD_STATE_ONLINE, DD_DRAW_EVALUATE, (const dd_points *const[]){&wide}, &loss, NULL) ==
              DD_ERR_INTERNAL,
          "evaluated on points that do not fit");
    dd_ensemble_destroy(e);
    dd_backend_close(backend);
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "cpu";
    small_run s;
    small_run_create(&s);
    for (int which = 0; which < SMALL_DATASETS; which++)
        check_replica(&s, backend, which);
    check_refusals(&s, backend);
    /* Four weights a point, and a target that is no noise. */
    small_run_set(&s, "model.experts=4");
    small_run_set(&s, "diffusion.prediction=x0");
    small_run_set(&s, "sampling.steps=12");
    check_replica(&s, backend, 1);
    small_run_free(&s);
    return check_report();
}
