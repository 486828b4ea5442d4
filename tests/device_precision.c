/* Each ensemble has its training.precision: two ensembles of one backend, one in TF32 and one in float32, whose calls
 * take turns, compute the same bits as each alone. The result of TF32 differs from float32 by about TF32's rounding. */
#include <math.h>

#include "small_run.h"

enum { BLOCK = 3, BLOCKS = 3, SAMPLES = 50 };

typedef struct trained {
    dd_training_config training;
    dd_ensemble *ensemble;
    dd_train_log *log;
    float *gradient, *online;
    float x[2 * SAMPLES];
} trained;

static void create(const small_run *s, dd_backend *backend, dd_precision precision, trained *t)
{
    dd_replica replica = small_replica(s, 0);
    dd_ensemble_spec spec = small_spec(s, &replica, 1);
    t->training = s->config.training;
    t->training.precision = precision;
    spec.training = &t->training;
    t->gradient = calloc(s->model.parameters, sizeof *t->gradient);
    t->online = calloc(s->model.parameters, sizeof *t->online);
    CHECK_OK(dd_ensemble_create(backend, &spec, &t->ensemble));
    CHECK_OK(dd_train_log_create(t->ensemble, BLOCK, &t->log));
}

/* All that `count` ensembles do, one call each in turn. */
static void work(dd_precision first, dd_precision second, int count, const small_run *s, trained t[2])
{
    const dd_precision precision[2] = {first, second};
    const uint64_t seed = 5;
    dd_backend *backend = NULL;
    CHECK_OK(dd_backend_open("cuda", 1, &backend));
    if (!backend)
        exit(check_report());
    for (int i = 0; i < count; i++)
        create(s, backend, precision[i], &t[i]);
    for (int i = 0; i < count; i++)
        CHECK_OK(dd_ensemble_gradient(t[i].ensemble, 0, t[i].gradient));
    for (int block = 0; block < BLOCKS; block++)
        for (int i = 0; i < count; i++)
            CHECK_OK(dd_ensemble_train(t[i].ensemble, BLOCK * block, BLOCK, t[i].log));
    for (int i = 0; i < count; i++)
        CHECK_OK(dd_ensemble_get(t[i].ensemble, 0, DD_STATE_ONLINE, t[i].online));
    for (int i = 0; i < count; i++)
        CHECK_OK(dd_ensemble_sample(t[i].ensemble, DD_STATE_EMA, &seed, SAMPLES, &(dd_samples){.x = t[i].x}));
    for (int i = 0; i < count; i++) {
        dd_train_log_destroy(t[i].ensemble, t[i].log);
        dd_ensemble_destroy(t[i].ensemble);
    }
    dd_backend_close(backend);
}

static void release(trained *t)
{
    free(t->gradient);
    free(t->online);
}

static void check_equal(const small_run *s, const trained *a, const trained *b, const char *what)
{
    size_t bytes = s->model.parameters * sizeof(float);
    CHECK(!memcmp(a->gradient, b->gradient, bytes), "%s: gradients differ when another ensemble runs in turn", what);
    CHECK(!memcmp(a->online, b->online, bytes), "%s: parameters differ when another ensemble runs in turn", what);
    CHECK(!memcmp(a->x, b->x, sizeof a->x), "%s: samples differ when another ensemble runs in turn", what);
}

/* Relative to b, in the Euclidean norm. */
static double distance(const float *a, const float *b, size_t n)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return sqrt(difference / norm);
}

int main(void)
{
    small_run s;
    small_run_create(&s);
    s.config.model.activation = DD_SILU;
    CHECK_OK(dd_model_create(&s.config.model, 2, &s.model));
    trained whole[2], rounded[2], both[2], reversed[2], split[2];
    work(DD_FLOAT32, DD_FLOAT32, 1, &s, whole);
    work(DD_TF32, DD_TF32, 1, &s, rounded);
    work(DD_TF32X3, DD_TF32X3, 1, &s, split);
    work(DD_FLOAT32, DD_TF32, 2, &s, both);
    work(DD_TF32, DD_FLOAT32, 2, &s, reversed);
    check_equal(&s, &both[0], &whole[0], "float32");
    check_equal(&s, &both[1], &rounded[0], "tf32");
    check_equal(&s, &reversed[0], &rounded[0], "tf32 first");
    check_equal(&s, &reversed[1], &whole[0], "float32 second");
    double far = distance(rounded[0].gradient, whole[0].gradient, s.model.parameters);
    double split_far = distance(split[0].gradient, whole[0].gradient, s.model.parameters);
    printf("TF32's gradient is %.1e off, 3xTF32's %.1e\n", far, split_far);
    CHECK(split_far > 0 && split_far < 1e-5, "3xTF32's gradient is %g off", split_far);
    CHECK(far > 1e-5 && far < 5e-3, "TF32's gradient is %g off: half an ulp of 10 bits is 4.9e-4", far);
    trained *const all[] = {&whole[0], &rounded[0], &split[0], &both[0], &both[1], &reversed[0], &reversed[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        release(all[i]);
    small_run_free(&s);
    return check_report();
}
