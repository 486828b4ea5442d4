/* What a replica computes depends on nothing but itself: not on the number of threads, not on its neighbours,
 * not on where training was stopped and resumed. Bit for bit. */
#include <math.h>

#include "small_run.h"

enum { MOST = 20 };

static dd_points evaluated;  /* more than a chunk of the GPU's rows for twenty replicas */
static size_t samples = 300; /* fewer for the CUDA backend, which the substitute runtime runs slowly */

/* Everything that a replica leaves behind. */
typedef struct outcome {
    float *state[DD_STATE_PARTS], *gradient;
    float *loss, *norm, *diversity, *gate;
    int16_t *timestep;
    float *x, *sample_gate, *expert;
    double eval_loss;
    size_t parameters, steps, points, gates; /* gates: weights stored a point */
    size_t coordinates;                      /* numbers in x */
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

/* The replicas of an ensemble, by their numbers, and the place of the one that is looked at. */
typedef struct group {
    int number[MOST], replicas, which;
} group;

static group alone_of(int number)
{
    return (group){.number = {number}, .replicas = 1};
}

/* `number` in the middle of others. */
static group among_others(int number, int replicas)
{
    group g = {.replicas = replicas, .which = replicas / 2};
    for (int i = 0; i < replicas; i++)
        g.number[i] = i == g.which ? number : 3 + i;
    return g;
}

/* The state of the replica that is looked at, from an ensemble to another one; its other replicas begin again. */
static void move_state(dd_ensemble *from, const group *before, dd_ensemble *to, const group *after, size_t parameters)
{
    float *state = malloc(parameters * sizeof *state);
    for (int part = 0; part < DD_STATE_PARTS; part++) {
        CHECK_OK(dd_ensemble_get(from, before->which, (dd_state_part)part, state));
        CHECK_OK(dd_ensemble_set(to, after->which, (dd_state_part)part, state));
    }
    free(state);
}

/* Train `steps` steps in blocks, then evaluate, sample and predict; the outcome of the replica that is looked at. A cut
 * moves its state from the ensemble `before` to another one after that many steps. */
static outcome run(const small_run *s, const char *backend_name, int threads, const group *before, const group *in,
                   int steps, int cut)
{
    const int *number = in->number, replicas = in->replicas, which = in->which;
    dd_backend *backend = NULL;
    CHECK_OK(dd_backend_open(backend_name, threads, &backend));
    if (!backend)
        exit(check_report());
    dd_ensemble *e = small_ensemble(s, backend, number, replicas);
    dd_train_log *log = NULL;
    size_t n = (size_t)steps, batch = (size_t)s->config.training.batch, p = s->model.parameters;
    size_t gates = (size_t)s->model.gates, coordinates = samples * (size_t)s->model.dimensions;
    outcome o = {.parameters = p,
                 .gates = gates,
                 .coordinates = coordinates,
                 .sample_gates = (size_t)s->schedule.steps * samples * gates,
                 .experts = coordinates * (size_t)s->model.experts};
    if (cut) {
        dd_ensemble *first = small_ensemble(s, backend, before->number, before->replicas);
        CHECK_OK(dd_train_log_create(first, cut, &log));
        CHECK_OK(dd_ensemble_train(first, 0, cut, log));
        CHECK_OK(dd_ensemble_wait(first));
        move_state(first, before, e, in, p);
        dd_train_log_destroy(first, log);
        dd_ensemble_destroy(first);
    }
    CHECK_OK(dd_train_log_create(e, steps, &log));
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

    const dd_points *points[MOST];
    double loss[MOST];
    uint64_t seed[MOST];
    for (int r = 0; r < replicas; r++) {
        points[r] = &evaluated;
        seed[r] = 7 + (uint64_t)number[r];
    }
    CHECK_OK(dd_ensemble_evaluate(e, DD_STATE_ONLINE, DD_DRAW_EVALUATE, points, loss, NULL));
    o.eval_loss = loss[which];
    size_t count = (size_t)replicas, at = (size_t)which;
    float *x = malloc(count * coordinates * sizeof *x), *gate = malloc(count * o.sample_gates * sizeof *gate);
    float *expert = malloc(count * o.experts * sizeof *expert);
    CHECK_OK(dd_ensemble_sample(e, DD_STATE_EMA, seed, (uint32_t)samples, &(dd_samples){.x = x, .gate = gate}));
    CHECK_OK(dd_ensemble_predict(e, DD_STATE_EMA, x, (uint32_t)samples, 3, &(dd_prediction){.expert = expert}));
    o.x = copy_of(x + coordinates * at, coordinates * sizeof *x);
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
    CHECK(!differ(a->x, b->x, a->coordinates * sizeof(float)), "%s: samples", what);
    CHECK(!differ(a->sample_gate, b->sample_gate, a->sample_gates * sizeof(float)), "%s: gates of samples", what);
    CHECK(!differ(a->expert, b->expert, a->experts * sizeof(float)), "%s: predictions", what);
}

static void check_same(const small_run *s, const char *backend, int threads, const group *before, const group *in,
                       int cut, const outcome *alone, const char *what)
{
    outcome other = run(s, backend, threads, before, in, (int)alone->steps, cut);
    check_equal(alone, &other, what);
    outcome_free(&other);
}

/* Replica `number` alone against itself in every other way. */
static void check_replica(const small_run *s, const char *backend, int number)
{
    const bool cpu = !strcmp(backend, "cpu");
    group single = alone_of(number), two = among_others(number, 2), five = among_others(number, 5);
    outcome alone = run(s, backend, 1, NULL, &single, 23, 0);
    check_same(s, backend, 1, &single, &single, 9, &alone, "cut at step 9");
    for (int threads = 2; threads <= 5 && cpu; threads++)
        check_same(s, backend, threads, NULL, &single, 0, &alone, "more threads");
    for (int threads = 1; threads <= 3 && cpu; threads++)
        check_same(s, backend, threads, NULL, &five, 0, &alone, "among neighbours");
    if (cpu || number == 1)
        check_same(s, backend, 1, &five, &two, 9, &alone, "among others from step 9");
    outcome_free(&alone);
}

/* Twenty replicas, for which a GPU takes other shapes of blocks. */
static void check_many(const small_run *s, const char *backend)
{
    group single = alone_of(1), many = among_others(1, MOST);
    outcome alone = run(s, backend, 1, NULL, &single, 7, 0);
    check_same(s, backend, 1, NULL, &many, 0, &alone, "among nineteen");
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
    if (strcmp(backend, "cpu"))
        samples = 60;
    small_run_create(&s);
    CHECK_OK(dd_points_open("dino", 900, 42, DD_STREAM_TRAIN, &evaluated));
    for (int which = 0; which < SMALL_DATASETS; which++)
        check_replica(&s, backend, which);
    check_refusals(&s, backend);
    /* Four weights a point, and a target that is no noise. */
    small_run_set(&s, "model.experts=4");
    small_run_set(&s, "diffusion.prediction=x0");
    small_run_set(&s, "sampling.steps=12");
    check_replica(&s, backend, 1);
    small_run_set(&s, "sampling.steps=3");
    check_many(&s, backend);
    small_run_widen(&s, 10);
    dd_points_free(&evaluated);
    dd_request wide = {.name = "gaussians", .data = &s.config.data, .n = 900, .seed = 42};
    CHECK_OK(dd_points_request(&wide, &evaluated, NULL));
    check_replica(&s, backend, 1);
    small_run_free(&s);
    dd_points_free(&evaluated);
    return check_report();
}
