/* Every call of the CUDA and cuBLAS libraries may fail: the backend then says so, leaks nothing, and works the next
 * time. And what has been done once is done again without an allocation. */
#include "../small_run.h"
#include "substitute.h"

enum { REPLICAS = 2, BLOCK = 2, SAMPLES = 40, SETS = 3 };

static dd_status set_up(const small_run *s, dd_backend **backend, dd_ensemble **e, dd_train_log **log)
{
    dd_replica replica[REPLICAS] = {small_replica(s, 0), small_replica(s, 1)};
    dd_ensemble_spec spec = small_spec(s, replica, REPLICAS);
    DD_TRY(dd_backend_open("cuda", 1, backend));
    DD_TRY(dd_ensemble_create(*backend, &spec, e));
    return dd_train_log_create(*e, BLOCK, log);
}

static int work(const small_run *s, dd_ensemble *e, dd_train_log *log)
{
    float *values = calloc(REPLICAS * s->model.parameters, sizeof *values);
    const dd_points *points[REPLICAS] = {&s->points[1], &s->points[2]};
    const uint64_t seed[REPLICAS] = {1, 2};
    double loss[REPLICAS];
    float *x = calloc(REPLICAS * SAMPLES * 2, sizeof *x), *expert = calloc(REPLICAS * SAMPLES * 4, sizeof *expert);
    int status = dd_ensemble_gradient(e, 4, values);
    for (int block = 0; block < 3 && !status; block++)
        status = dd_ensemble_train(e, BLOCK * block, BLOCK, log);
    if (!status)
        status = dd_ensemble_train(e, 3 * BLOCK, 1, log); /* another graph */
    if (!status)
        status = dd_ensemble_wait(e);
    for (int part = 0; part < DD_STATE_PARTS && !status; part++) {
        status = dd_ensemble_get(e, 1, (dd_state_part)part, values);
        if (!status)
            status = dd_ensemble_set(e, 0, (dd_state_part)part, values);
    }
    if (!status)
        status = dd_ensemble_evaluate(e, DD_STATE_ONLINE, DD_DRAW_EVALUATE, points, loss, NULL);
    if (!status)
        status = dd_ensemble_sample(e, DD_STATE_EMA, seed, SAMPLES, &(dd_samples){.x = x});
    if (!status)
        status = dd_ensemble_predict(e, DD_STATE_EMA, x, SAMPLES, 3, &(dd_prediction){.expert = expert});
    free(values);
    free(x);
    free(expert);
    return status;
}

/* All of it once, the n-th call failing; returns its status, and how many calls it made before tidying up. */
static dd_status attempt(const small_run *s, uint64_t n, int error, uint64_t *calls)
{
    dd_backend *backend = NULL;
    dd_ensemble *e = NULL;
    dd_train_log *log = NULL;
    substitute_counters c;
    substitute_reset_counters();
    substitute_fail_call(n, error);
    dd_status status = set_up(s, &backend, &e, &log);
    if (!status)
        status = work(s, e, log);
    substitute_get_counters(&c);
    *calls = c.calls;
    substitute_fail_call(0, 0);
    if (!status) {
        substitute_reset_counters();
        CHECK_OK(work(s, e, log));
        substitute_get_counters(&c);
        CHECK(c.allocations == 0, "%d allocations the second time", (int)c.allocations);
    }
    if (log)
        dd_train_log_destroy(e, log);
    if (e)
        dd_ensemble_destroy(e);
    if (backend)
        dd_backend_close(backend);
    substitute_get_counters(&c);
    CHECK(c.live_allocations == 0, "call %d fails: %d allocations are left", (int)n, (int)c.live_allocations);
    substitute_recover();
    return status;
}

/* "cuda:1" is opened on that device; of one that is not there the message says how many there are. */
static void check_numbers(void)
{
    static const struct {
        const char *name;
        int device;
    } opened[] = {{"cuda:1", 1}, {"cuda:0", 0}, {"cuda:1", 1}, {"cuda", 0}};
    dd_backend *backend;
    substitute_set_device(2, (size_t)8 << 30);
    for (size_t i = 0; i < sizeof opened / sizeof *opened; i++) {
        CHECK_OK(dd_backend_open(opened[i].name, 1, &backend));
        CHECK(substitute_current_device() == opened[i].device, "%s: device %d", opened[i].name,
              substitute_current_device());
        dd_backend_close(backend);
    }
    CHECK(dd_backend_open("cuda:2", 1, &backend) == DD_ERR_BACKEND, "the third of two");
    CHECK(strstr(dd_error_message(), "there is no device 2; there are 2, counted from 0"), "%s", dd_error_message());
    substitute_set_device(1, (size_t)8 << 30);
    CHECK(dd_backend_open("cuda:1", 1, &backend) == DD_ERR_BACKEND, "the second of one");
    CHECK(strstr(dd_error_message(), "there is no device 1; there is 1, counted from 0"), "%s", dd_error_message());
    substitute_set_device(0, 0);
    CHECK(dd_backend_open("cuda:0", 1, &backend) == DD_ERR_BACKEND, "the first of none");
    CHECK(strstr(dd_error_message(), "no device is visible"), "%s", dd_error_message());
    substitute_set_device(1, (size_t)8 << 30);
}

int main(void)
{
    enum { OUT_OF_MEMORY = 2, LAUNCH_FAILURE = 719 };
    small_run s;
    uint64_t calls, ignored;
    small_run_create(&s);
    s.config.diffusion.timesteps = 4;
    dd_schedule_free(&s.schedule);
    CHECK_OK(dd_schedule_create(&s.config, &s.schedule));
    CHECK_OK(attempt(&s, 0, 0, &calls));
    CHECK(calls > 200, "only %d calls were counted", (int)calls);
    substitute_set_quiet(1);
    for (uint64_t n = 1; n <= calls; n += n < 60 ? 1 : 11) {
        int error = n % 2 ? LAUNCH_FAILURE : OUT_OF_MEMORY, status = attempt(&s, n, error, &ignored);
        CHECK(status != 0, "call %d of %d fails and nobody notices", (int)n, (int)calls);
        CHECK(!status || strstr(dd_error_message(), "CUDA") || strstr(dd_error_message(), "cuBLAS") ||
                  strstr(dd_error_message(), "memory"),
              "call %d: %s", (int)n, dd_error_message());
    }
    substitute_set_device(1, 40 << 20); /* less than cuBLAS' workspace and one replica want */
    int status = attempt(&s, 0, 0, &ignored);
    printf("too little memory: %s\n", status ? dd_error_message() : "enough");
    substitute_set_device(0, 0);
    CHECK(attempt(&s, 0, 0, &ignored) == DD_ERR_BACKEND, "no device");
    substitute_set_device(1, (size_t)8 << 30);
    CHECK_OK(attempt(&s, 0, 0, &ignored));
    printf("%d calls, each of the first 60 failing in turn, then every eleventh\n", (int)calls);
    small_run_free(&s);
    check_numbers();
    return check_report();
}
