/* Training watched through its job: progress counts the steps that are done, and after a wish to stop no further block
 * is started. */
#define _GNU_SOURCE /* mkdtemp */
#include <unistd.h>

#include "base/clock.h"
#include "run/trainer.h"
#include "small_run.h"

typedef struct watch {
    volatile sig_atomic_t stop;
    int calls, step;
    double before, rate, left; /* before: when the job began */
    double elapsed;
} watch;

static void on_progress(void *user, const dd_progress *p)
{
    watch *w = user;
    w->calls++;
    w->step = p->step;
    w->rate = p->steps_per_second;
    w->left = p->seconds_left;
    w->elapsed = dd_now() - w->before;
    w->stop = SIGINT;
}

/* The first block is reported before a second one is computed. */
static void test_first_block(dd_backend *backend, const char *out)
{
    static const char *const dataset[] = {"moons"};
    static const uint64_t seed[] = {0, 1};
    small_run s;
    watch w = {.before = dd_now()};
    char expected[80];
    small_run_create(&s);
    s.config.training.steps = 400;
    dd_job job = {.config = &s.config,
                  .config_name = "small",
                  .dataset = dataset,
                  .datasets = 1,
                  .seed = seed,
                  .seeds = 2,
                  .out = out,
                  .stop = &w.stop,
                  .progress = on_progress,
                  .user = &w};
    CHECK(dd_train(backend, &job) == DD_STOPPED, "%s", dd_error_message());
    CHECK(w.calls == 1 && w.step > 0 && w.step <= 50, "%d calls, step %d", w.calls, w.step);
    CHECK(w.rate >= w.step / w.elapsed && w.left > 0, "%g steps/s, %g s left", w.rate, w.left);
    snprintf(expected, sizeof expected, "at step %d of 400", w.step);
    CHECK(strstr(dd_error_message(), expected), "%s", dd_error_message());
    small_run_free(&s);
}

int main(void)
{
    char out[] = "/tmp/test_trainer.XXXXXX", command[80];
    dd_backend *backend;
    CHECK(mkdtemp(out), "no temporary directory");
    CHECK_OK(dd_backend_open("cpu", 1, &backend));
    test_first_block(backend, out);
    dd_backend_close(backend);
    snprintf(command, sizeof command, "rm -r %s", out);
    CHECK(system(command) == 0, "%s", command);
    return check_report();
}
