/* The store: what was written is read back to the bit; damaged, foreign and half-written files are
 * recognised; a full disk, a folder that cannot be written and a second writer are errors that leave everything as it
 * was. test_file_readers.py looks at the same files from outside. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/lock.h"
#include "stored_run.h"

static char folder[64];

/* "<folder>/<name>", which stays as it is to the end. */
static const char *in_folder(const char *name)
{
    static char known[64][sizeof folder + 256];
    char path[sizeof folder + 256];
    int i = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    while (*known[i] && strcmp(known[i], path))
        i++;
    return strcpy(known[i], path);
}

/* Temporary files in a folder. */
static int left_over(const char *where)
{
    DIR *dir = opendir(where);
    int found = 0;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        size_t n = strlen(e->d_name);
        found += n > 4 && !strcmp(e->d_name + n - 4, ".tmp");
    }
    if (dir)
        closedir(dir);
    return found;
}

/* ---- files as bytes ---- */

typedef struct bytes {
    unsigned char *data;
    size_t n;
} bytes;

static bytes load(const char *path)
{
    bytes b = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        return b;
    fseek(file, 0, SEEK_END);
    b.n = (size_t)ftell(file);
    rewind(file);
    b.data = malloc(b.n + 1);
    b.n = fread(b.data, 1, b.n, file);
    fclose(file);
    return b;
}

static void save(const char *path, const unsigned char *data, size_t n)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(data, 1, n, file) == n && !fclose(file), "%s", path);
}

static int unchanged(const char *path, const bytes *before)
{
    bytes now = load(path);
    int same = now.n == before->n && !now.data == !before->data && (!now.n || !memcmp(now.data, before->data, now.n));
    free(now.data);
    return same;
}

static int there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* The last call failed as it should. */
#define CHECK_FAILS(call, wanted, ...)                                                                                 \
    do {                                                                                                               \
        int got_ = (call);                                                                                             \
        const char *parts_[] = {__VA_ARGS__};                                                                          \
        CHECK(got_ == (wanted), "status %d, '%s'", got_, got_ ? dd_error_message() : "");                              \
        for (size_t i_ = 0; i_ < sizeof parts_ / sizeof *parts_; i_++)                                                 \
            CHECK(strstr(dd_error_message(), parts_[i_]), "'%s' is not in '%s'", parts_[i_], dd_error_message());      \
    } while (0)

/* In a separate process: HDF5 1.10 loses memory over damaged files, which the address sanitizer would count. */
static void in_child(void (*check)(stored_run *r), stored_run *r)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        checks_failed = 0;
        check(r);
        CHECK(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0, "HDF5 objects were left open");
        fflush(stdout);
        _exit(checks_failed != 0);
    }
    int how;
    waitpid(child, &how, 0);
    CHECK(WIFEXITED(how), "crashed: signal %d", WTERMSIG(how));
    CHECK(WIFEXITED(how) && WEXITSTATUS(how) == 0, "messages above");
}

/* ---- checkpoints ---- */

/* State as read, over memory that held something else. */
static int read_equals(stored_run *r, const char *path, int step)
{
    float *state[DD_STATE_PARTS];
    double time = 0;
    int equal = 1;
    for (int part = 0; part < DD_STATE_PARTS; part++) {
        state[part] = malloc(r->model.parameters * sizeof(float));
        memset(state[part], 0x55, r->model.parameters * sizeof(float));
    }
    int status = dd_checkpoint_read(path, &r->model, step, &time, state);
    for (int part = 0; part < DD_STATE_PARTS; part++) {
        equal = equal && !memcmp(state[part], r->state[part], r->model.parameters * sizeof(float));
        free(state[part]);
    }
    return !status && equal && time == 12.5 + step;
}

static void check_checkpoints(stored_run *r)
{
    const char *path = in_folder("c.checkpoint");
    int steps[2];
    CHECK_OK(dd_checkpoint_steps(path, &r->run, steps));
    CHECK(steps[0] == -1 && steps[1] == -1, "%d %d", steps[0], steps[1]);
    CHECK_OK(stored_run_checkpoint(r, path, 5));
    CHECK_OK(dd_checkpoint_steps(path, &r->run, steps));
    CHECK(steps[0] == -1 && steps[1] == 5, "%d %d", steps[0], steps[1]);
    CHECK(read_equals(r, path, 5), "from .next: %s", dd_error_message());
    CHECK_OK(dd_checkpoint_commit(path));
    CHECK_OK(stored_run_checkpoint(r, path, 10));
    CHECK_OK(dd_checkpoint_steps(path, &r->run, steps));
    CHECK(steps[0] == 5 && steps[1] == 10, "%d %d", steps[0], steps[1]);
    CHECK(read_equals(r, path, 5) && read_equals(r, path, 10), "both: %s", dd_error_message());
    CHECK(!read_equals(r, path, 15), "a step that is not there");
    CHECK_OK(dd_checkpoint_commit(path));
    CHECK_OK(dd_checkpoint_steps(path, &r->run, steps));
    CHECK(steps[0] == 10 && steps[1] == -1, "%d %d", steps[0], steps[1]);
    CHECK_FAILS(dd_checkpoint_commit(path), DD_ERR_IO, "c.checkpoint");
}

static void check_header(stored_run *r)
{
    static const char *const everything[] = {"model", "diffusion", "training", "sampling", "evaluation", "data", NULL};
    dd_header h;
    CHECK_OK(dd_header_read(in_folder("c.checkpoint"), &h));
    CHECK(h.kind == DD_FILE_CHECKPOINT && h.step == 10, "kind %d, step %d", (int)h.kind, h.step);
    CHECK(h.seed == r->run.seed && h.data_checksum == r->run.data_checksum && h.points == r->run.points, "data, seed");
    CHECK(h.replicas == 2 && h.threads == 3 && !strcmp(h.backend, "cpu") && !strcmp(h.device, "a processor"), "where");
    CHECK(!strcmp(h.config_name, r->run.config_name) && !strcmp(h.dataset, r->run.dataset), "names");
    CHECK(*h.program_version && *h.git_commit, "version");
    char *difference = dd_config_difference(&h.config, &r->config, everything);
    CHECK(difference && !*difference, "%s", difference);
    free(difference);
}

/* A run that differs in one override from the stored one. */
static dd_status matches_with(const char *assignment)
{
    stored_run other;
    dd_header h;
    char text[64];
    snprintf(text, sizeof text, "%s", assignment);
    char *override[] = {text};
    CHECK_OK(stored_run_create(&other, NULL, 1, override));
    CHECK_OK(dd_header_read(in_folder("c.checkpoint"), &h));
    dd_status status = dd_header_matches(&h, &other.run, "some/path");
    stored_run_free(&other);
    return status;
}

static void check_matches(stored_run *r)
{
    dd_header h;
    int steps[2];
    CHECK_OK(matches_with("evaluation.samples=7"));
    CHECK_OK(matches_with("sampling.eta=0"));
    CHECK_FAILS(matches_with("training.steps=24"), DD_ERR_CONFLICT, "some/path", "training.steps", "24", "23", "--out");
    CHECK_FAILS(matches_with("diffusion.beta_end=0.03"), DD_ERR_CONFLICT, "diffusion.beta_end");
    CHECK_FAILS(matches_with("model.activation=silu"), DD_ERR_CONFLICT, "model.activation");
    CHECK_FAILS(matches_with("model.gate=hard"), DD_ERR_CONFLICT, "model.gate");
    CHECK_FAILS(matches_with("diffusion.prediction=v"), DD_ERR_CONFLICT, "diffusion.prediction");
    dd_run run = r->run;
    CHECK_OK(dd_header_read(in_folder("c.checkpoint"), &h));
    run.backend = "cuda", run.device = "a card", run.threads = 99, run.replicas = 7;
    CHECK_OK(dd_header_matches(&h, &run, "p"));
    run.data_checksum ^= 1;
    CHECK_FAILS(dd_header_matches(&h, &run, "p"), DD_ERR_CONFLICT, "points");
    CHECK_FAILS(dd_checkpoint_steps(in_folder("c.checkpoint"), &run, steps), DD_ERR_CONFLICT, "c.checkpoint");
    run = r->run;
    run.points++;
    CHECK_FAILS(dd_header_matches(&h, &run, "p"), DD_ERR_CONFLICT, "1001");
    run = r->run;
    run.seed = 4;
    CHECK_FAILS(dd_header_matches(&h, &run, "p"), DD_ERR_CONFLICT, "seed");
}

/* Killed at any time, a writer leaves the checkpoint it replaced or the new one. */
static void check_kills(stored_run *r)
{
    const char *path = in_folder("k.checkpoint");
    int last = 0, seen[3] = {0};
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    CHECK_OK(stored_run_checkpoint(r, path, 0));
    CHECK_OK(dd_checkpoint_commit(path));
    clock_gettime(CLOCK_MONOTONIC, &ended);
    long one = (ended.tv_sec - began.tv_sec) * 1000000000 + ended.tv_nsec - began.tv_nsec;
    for (int trial = 0; trial < 40; trial++) {
        long delay = one * (trial * 7 % 40) / 10; /* up to four checkpoints */
        pid_t child = fork();
        if (child == 0)
            for (int step = last + 1;; step++)
                if (stored_run_checkpoint(r, path, step % 24) || dd_checkpoint_commit(path))
                    _exit(1);
        nanosleep(&(struct timespec){delay / 1000000000, delay % 1000000000}, NULL);
        kill(child, SIGKILL);
        int how, steps[2];
        waitpid(child, &how, 0);
        CHECK(WIFSIGNALED(how), "the writer stopped by itself");
        CHECK_OK(dd_checkpoint_steps(path, &r->run, steps));
        CHECK(steps[0] >= 0 && read_equals(r, path, steps[0]), "trial %d: %s", trial, dd_error_message());
        CHECK(steps[1] < 0 || read_equals(r, path, steps[1]), "trial %d: %s", trial, dd_error_message());
        seen[steps[1] >= 0 ? 2 : there(in_folder("k.checkpoint.next")) ? 1 : 0]++;
        last = steps[0];
    }
    printf("40 kills of a writer of checkpoints: %d left no other file, %d a half-written file, %d a whole one\n",
           seen[0], seen[1], seen[2]);
}

/* ---- damage ---- */

/* A file that was cut to any length is an error, or is ignored if it has a temporary name. */
static void check_cut_checkpoint(stored_run *r)
{
    const char *path = in_folder("t.checkpoint"), *next = in_folder("t.checkpoint.next");
    int steps[2];
    CHECK_OK(stored_run_checkpoint(r, path, 20));
    bytes whole = load(next);
    for (size_t n = 0; n < whole.n; n += n < 3000 || whole.n - n < 100 ? 37 : 3989) {
        save(path, whole.data, n);
        CHECK_FAILS(dd_checkpoint_steps(path, &r->run, steps), DD_ERR_IO, "t.checkpoint", "from the beginning");
        unlink(path);
        save(next, whole.data, n);
        CHECK_OK(dd_checkpoint_steps(path, &r->run, steps));
        CHECK(steps[1] == -1, "%zu of %zu bytes", n, whole.n);
    }
    CHECK_OK(stored_run_checkpoint(r, path, 21)); /* over the leftover */
    CHECK(read_equals(r, path, 21), "%s", dd_error_message());

    /* Everything is there but the mark that it is. */
    hid_t file = H5Fopen(next, H5F_ACC_RDWR, H5P_DEFAULT);
    CHECK(H5Adelete(file, "complete") >= 0, "H5Adelete");
    H5Fclose(file);
    CHECK_OK(dd_checkpoint_steps(path, &r->run, steps));
    CHECK(steps[1] == -1, "without the mark");
    unlink(next);
    free(whole.data);
}

/* A wrong byte anywhere is noticed, or harmless: the state is never another. */
static void check_flipped_checkpoint(stored_run *r)
{
    const char *path = in_folder("f.checkpoint");
    int noticed = 0, trials = 0;
    CHECK_OK(stored_run_checkpoint(r, path, 20));
    CHECK_OK(dd_checkpoint_commit(path));
    bytes whole = load(path);
    for (size_t at = 0; at < whole.n; at += at < 20000 ? 41 : 1009, trials++) {
        int steps[2];
        whole.data[at] ^= 0xff;
        save(path, whole.data, whole.n);
        whole.data[at] ^= 0xff;
        if (dd_checkpoint_steps(path, &r->run, steps))
            noticed++;
        else
            CHECK(steps[0] == 20 && read_equals(r, path, 20), "byte %zu changed the state", at);
    }
    printf("%d of %d wrong bytes were noticed, the others did no harm\n", noticed, trials);
    CHECK(noticed > trials / 2, "%d of %d", noticed, trials);
    free(whole.data);
}

static dd_status read_result(const stored_run *r, const char *path)
{
    float *parameters = malloc(r->model.parameters * sizeof *parameters), *x = NULL;
    dd_metrics metrics;
    uint32_t n;
    dd_status status = dd_result_read_parameters(path, &r->model, DD_STATE_EMA, parameters);
    if (!status)
        status = dd_result_read_metrics(path, &metrics);
    if (!status)
        status = dd_result_read_samples(path, &x, &n);
    free(parameters);
    free(x);
    return status;
}

static void check_cut_result(stored_run *r)
{
    const char *path = in_folder("t.h5");
    CHECK_OK(stored_run_log(r, path, r->config.training.steps));
    CHECK_OK(stored_run_result(r, path));
    CHECK_OK(read_result(r, path));
    bytes whole = load(path);
    for (size_t n = 0; n < whole.n; n += n < 3000 || whole.n - n < 100 ? 37 : 1999) {
        save(path, whole.data, n);
        CHECK_FAILS(read_result(r, path), DD_ERR_IO, "t.h5");
    }
    unlink(path);
    free(whole.data);
}

/* The log of a killed writer, cut: the writer resumes from the rows that exist, or says that it cannot. */
static void check_cut_log(stored_run *r)
{
    const char *path = in_folder("kl.h5");
    int good = 0, bad = 0;
    pid_t child = fork();
    if (child == 0) {
        dd_log *log;
        if (!dd_log_create(path, &r->run, &r->model, 0, &log) && !stored_run_append(r, log, 0, 20))
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    int how;
    waitpid(child, &how, 0);
    CHECK(WIFSIGNALED(how), "the writer failed");
    bytes whole = load(path);
    for (size_t n = whole.n + 1; n-- > 0; n = n > 211 ? n - 211 : 0) {
        dd_log *log;
        dd_header h;
        save(path, whole.data, n);
        if (n == whole.n)
            CHECK(!dd_header_read(path, &h) && h.kind == DD_FILE_LOG && h.step == 20, "%s", dd_error_message());
        int status = dd_log_create(path, &r->run, &r->model, 10, &log);
        if (status) {
            bytes cut = {whole.data, n};
            CHECK_FAILS(status, DD_ERR_IO, "kl.h5", "another folder");
            CHECK(unchanged(path, &cut) && !left_over(folder), "%zu bytes", n);
            bad++;
        } else {
            CHECK_OK(stored_run_append(r, log, 10, 23));
            CHECK_OK(dd_log_close(log));
            CHECK_OK(dd_header_read(path, &h));
            CHECK(h.step == 23, "%d rows", h.step);
            good++;
        }
        if (!n)
            break;
    }
    CHECK(good && bad, "%d good, %d bad", good, bad);
    free(whole.data);
}

static void text_file(const char *path, const char *text)
{
    save(path, (const unsigned char *)text, strlen(text));
}

/* An attribute of `count` elements. */
static void foreign(const char *path, hid_t type, hsize_t count, const void *value)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (count) {
        hid_t space = H5Screate_simple(1, &count, NULL);
        hid_t attribute = H5Acreate2(file, "schema_version", type, space, H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(attribute, type, value);
        H5Aclose(attribute);
        H5Sclose(space);
    }
    H5Fclose(file);
}

static void check_foreign(stored_run *r)
{
    const char *path = in_folder("foreign.h5");
    static const long long two = 2, many[100] = {1};
    static const char *const word = "one";
    dd_header h;
    int steps[2];
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);

    CHECK_FAILS(dd_header_read(in_folder("missing.h5"), &h), DD_ERR_IO, "missing.h5", "No such file");
    CHECK_FAILS(dd_header_read(folder, &h), DD_ERR_IO, folder, "is a folder, but a file is expected");
    text_file(path, "");
    CHECK_FAILS(dd_header_read(path, &h), DD_ERR_IO, "foreign.h5", "not an HDF5 file");
    text_file(path, "step,loss\n1,2\n");
    CHECK_FAILS(dd_header_read(path, &h), DD_ERR_IO, "foreign.h5", "not an HDF5 file");
    CHECK_FAILS(dd_checkpoint_steps(path, &r->run, steps), DD_ERR_IO, "foreign.h5", "from the beginning");
    CHECK_FAILS(read_result(r, path), DD_ERR_IO, "foreign.h5");
    foreign(path, -1, 0, NULL);
    CHECK_FAILS(dd_header_read(path, &h), DD_ERR_IO, "foreign.h5", "not a file of dualdiff");
    CHECK_FAILS(dd_checkpoint_steps(path, &r->run, steps), DD_ERR_IO, "foreign.h5");
    foreign(path, H5T_NATIVE_LLONG, 1, &two);
    CHECK_FAILS(dd_header_read(path, &h), DD_ERR_IO, "foreign.h5", "schema version 2");
    foreign(path, H5T_NATIVE_LLONG, 100, many);
    CHECK_FAILS(dd_header_read(path, &h), DD_ERR_IO, "foreign.h5", "schema_version");
    foreign(path, text, 1, &word);
    CHECK_FAILS(dd_header_read(path, &h), DD_ERR_IO, "foreign.h5", "schema_version");
    H5Tclose(text);

    /* One kind in the place of another. */
    CHECK_OK(stored_run_log(r, path, 10));
    CHECK_FAILS(read_result(r, path), DD_ERR_IO, "foreign.h5", "not finished", "10 of 23");
    CHECK_FAILS(dd_checkpoint_steps(path, &r->run, steps), DD_ERR_IO, "foreign.h5", "not a checkpoint");
    CHECK_FAILS(read_result(r, in_folder("c.checkpoint")), DD_ERR_IO, "a checkpoint");
}

/* ---- log and result ---- */

static void check_log(stored_run *r)
{
    const char *path = in_folder("l.h5");
    dd_log *log;
    dd_header h;
    CHECK(dd_log_chunk(&r->config.training) == 5, "%d", dd_log_chunk(&r->config.training));
    CHECK(dd_log_chunk(&(dd_training_config){.checkpoint_every = 1000}) == 50, "50");
    CHECK_OK(dd_log_create(path, &r->run, &r->model, 0, &log));
    CHECK(there(path) && !left_over(folder), "the log has its name immediately");
    CHECK_OK(stored_run_append(r, log, 0, 10));
    r->block.steps = 3; /* not a chunk */
    r->block.first_step = 10;
    CHECK_FAILS(dd_log_append(log, &r->block, 1, 1e-3), DD_ERR_INTERNAL, "l.h5");
    stored_run_fill(r, 5); /* not the next rows */
    CHECK_FAILS(dd_log_append(log, &r->block, 1, 1e-3), DD_ERR_INTERNAL, "l.h5");
    CHECK_OK(stored_run_append(r, log, 10, 15));
    CHECK_OK(dd_log_sync(log));
    CHECK_OK(dd_header_read(path, &h)); /* while it is open */
    CHECK(h.kind == DD_FILE_LOG && h.step == 15, "kind %d, %d rows", (int)h.kind, h.step);
    CHECK_OK(dd_log_close(log));

    bytes before = load(path);
    CHECK_FAILS(dd_log_create(in_folder("none.h5"), &r->run, &r->model, 5, &log), DD_ERR_IO, "none.h5", "5 steps",
                "No such file", "another folder");
    CHECK_FAILS(stored_run_result(r, path), DD_ERR_IO, "l.h5", "23 steps");
    dd_run other = r->run;
    other.seed = 1;
    CHECK_FAILS(dd_log_create(path, &other, &r->model, 5, &log), DD_ERR_CONFLICT, "l.h5", "seed");
    CHECK(unchanged(path, &before) && !left_over(folder) && !there(in_folder("none.h5")), "files");
    free(before.data);

    CHECK_OK(dd_log_create(path, &r->run, &r->model, 10, &log));
    CHECK(!dd_log_lost(log).rows, "%d rows lost", dd_log_lost(log).rows);
    CHECK_OK(stored_run_append(r, log, 10, 23));
    CHECK_OK(dd_log_close(log));
    CHECK_OK(dd_header_read(path, &h));
    CHECK(h.step == 23, "%d", h.step);
}

/* Rows that a log lacks are missing values, and those of /train/loss, mse, diversity and grad_norm are counted. */
static void check_short_log(stored_run *r)
{
    const char *path = in_folder("short.h5");
    dd_log *log;
    dd_header h;
    CHECK_OK(dd_log_create(path, &r->run, &r->model, 0, &log));
    CHECK_OK(stored_run_append(r, log, 0, 10));
    CHECK_OK(dd_log_close(log));
    CHECK_OK(dd_log_create(path, &r->run, &r->model, 20, &log));
    dd_log_loss lost = dd_log_lost(log);
    CHECK(lost.columns >= 4 && lost.rows >= 40 && lost.first && !strcmp(lost.first, "/train/loss"), "%d rows of %d",
          lost.rows, lost.columns);
    CHECK_OK(dd_log_close(log));
    CHECK_OK(dd_header_read(path, &h));
    CHECK(h.step == 20 && there(in_folder("short.h5.damaged")), "%d", h.step);
}

static void check_result(stored_run *r)
{
    const char *path = in_folder("l.h5");
    size_t n = r->model.parameters;
    float *parameters = malloc(n * sizeof *parameters), *x = NULL;
    uint32_t samples = 0;
    dd_metrics m;
    dd_header h;
    CHECK_OK(stored_run_result(r, path));
    CHECK(!left_over(folder), "a temporary file");
    CHECK_OK(dd_header_read(path, &h));
    CHECK(h.kind == DD_FILE_RESULT && h.step == 23, "kind %d, step %d", (int)h.kind, h.step);
    CHECK_OK(dd_result_read_parameters(path, &r->model, DD_STATE_ONLINE, parameters));
    CHECK(!memcmp(parameters, r->state[DD_STATE_ONLINE], n * sizeof *parameters), "online");
    CHECK_OK(dd_result_read_parameters(path, &r->model, DD_STATE_EMA, parameters));
    CHECK(!memcmp(parameters, r->state[DD_STATE_EMA], n * sizeof *parameters), "ema");
    CHECK_OK(dd_result_read_metrics(path, &m));
    CHECK(m.training_time == 31.5 && m.eval_loss == .75 && m.inference_time == 2.25 && m.kl_divergence == -.125 &&
              m.kl_zero_distances == 3 && isnan(m.heldout_loss) && m.modes_captured == 141 && isnan(m.mean_distance),
          "metrics");
    CHECK_OK(dd_result_read_samples(path, &x, &samples));
    CHECK(samples == 40 && x && x[2 * 39] == 39.f && x[2 * 39 + 1] == 39.5f, "%u samples", samples);
    free(x);

    /* A model of another shape with as many numbers in a tensor. */
    dd_model other = r->model;
    int weight = other.tower[0].layer[0].weight;
    CHECK(other.tensor[weight].rows != other.tensor[weight].cols, "a matrix that is not square");
    other.tensor[weight].rows = r->model.tensor[weight].cols;
    other.tensor[weight].cols = r->model.tensor[weight].rows;
    CHECK_FAILS(dd_result_read_parameters(path, &other, DD_STATE_EMA, parameters), DD_ERR_IO, "l.h5",
                other.tensor[weight].name);
    free(parameters);
}

/* Every chunk goes to the disk once: appending writes little more than the rows. */
static void check_written_once(void)
{
    char *override[] = {(char[]){"training.batch=512"}, (char[]){"training.steps=500"},
                        (char[]){"training.checkpoint_every=500"}};
    stored_run r;
    dd_log *log;
    unsigned long long written[2] = {0};
    CHECK_OK(stored_run_create(&r, NULL, 3, override));
    CHECK_OK(dd_log_create(in_folder("once.h5"), &r.run, &r.model, 0, &log));
    for (int i = 0; i < 2; i++) {
        bytes io = load("/proc/self/io");
        FILE *file = fopen("/proc/self/io", "r");
        char line[64];
        while (file && fgets(line, sizeof line, file))
            if (!strncmp(line, "wchar: ", 7))
                written[i] = strtoull(line + 7, NULL, 10);
        if (file)
            fclose(file);
        free(io.data);
        if (i == 0)
            CHECK_OK(stored_run_append(&r, log, 0, 500));
    }
    CHECK_OK(dd_log_close(log));
    double rows = 500. * (512 * (4 + 2) + 4 * 4 + 4 + 4 + 8), ratio = (double)(written[1] - written[0]) / rows;
    if (written[1])
        CHECK(ratio >= 1 && ratio < 1.1, "%.3f times the size of the rows was written", ratio);
    else
        printf("no /proc/self/io: not checked that chunks are written once\n");
    stored_run_free(&r);
}

/* ---- no space, no permission ---- */

static dd_status limited(rlim_t bytes_a_file, dd_status (*call)(stored_run *r, const char *path), stored_run *r,
                         const char *path)
{
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){bytes_a_file, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    int status = call(r, path);
    setrlimit(RLIMIT_FSIZE, &before);
    return status;
}

static dd_status write_checkpoint(stored_run *r, const char *path)
{
    return stored_run_checkpoint(r, path, 15);
}

static dd_status write_whole_log(stored_run *r, const char *path)
{
    return stored_run_log(r, path, r->config.training.steps);
}

static dd_status write_samples_to(stored_run *r, const char *path)
{
    static float x[2 * 5000];
    return dd_samples_write(path, &r->run, x, NULL, 0, 5000);
}

/* At every limit a file stays as it was, and there is no other file next to it. */
static void check_full(stored_run *r, const char *name, dd_status (*call)(stored_run *, const char *))
{
    const char *path = in_folder(name);
    char next[128];
    snprintf(next, sizeof next, "%s.next", path);
    bytes before = load(path);
    int failures = 0, status = DD_ERR_IO;
    for (rlim_t limit = 0; status; limit += limit < 4000 ? 501 : 7919) {
        status = limited(limit, call, r, path);
        if (!status)
            break;
        failures++;
        CHECK_FAILS(status, DD_ERR_IO, name, "File too large", "Make room");
        CHECK(!left_over(folder) && !there(next), "%s at limit %llu", path, (unsigned long long)limit);
        CHECK(unchanged(path, &before), "%s at limit %llu", path, (unsigned long long)limit);
    }
    CHECK(failures > 10, "%s: %d failures", name, failures);
    free(before.data);
}

/* A log that met the end of the disk still holds what was appended before. */
static void check_full_log(stored_run *r)
{
    const char *path = in_folder("full.h5");
    int kept = 0, status = DD_ERR_IO;
    for (rlim_t limit = 0; status; limit += 997) {
        dd_log *log;
        dd_header h;
        unlink(path);
        status = limited(limit, write_whole_log, r, path);
        if (!status)
            break;
        CHECK_FAILS(status, DD_ERR_IO, "full.h5", "File too large");
        CHECK(!left_over(folder), "a temporary file");
        if (!there(path))
            continue;
        CHECK_OK(dd_header_read(path, &h));
        if (h.step == 0)
            continue;
        CHECK_OK(dd_log_create(path, &r->run, &r->model, h.step, &log));
        CHECK_OK(stored_run_append(r, log, h.step, 23));
        CHECK_OK(dd_log_close(log));
        CHECK_OK(dd_header_read(path, &h));
        CHECK(h.step == 23, "%d", h.step);
        kept++;
    }
    CHECK(kept > 2, "%d logs continued", kept);
}

/* In a separate namespace, with a small file system mounted on `mount_point`. */
static int in_small_file_system(const char *mount_point)
{
    if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
        return 0;
    mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL);
    return !mount("tmpfs", mount_point, "tmpfs", 0, "size=300k");
}

static void check_small_disk(stored_run *r)
{
    const char *place = in_folder("disk");
    mkdir(place, 0777);
    if (!in_small_file_system(place)) {
        printf("no mount: a full and a read-only file system are not tested here\n");
        return;
    }
    const char *path = in_folder("disk/d.checkpoint"), *result = in_folder("disk/d.h5");
    CHECK_OK(write_whole_log(r, result));
    CHECK_OK(write_checkpoint(r, path));
    CHECK_OK(dd_checkpoint_commit(path));
    bytes log = load(result), good = load(path);
    CHECK_FAILS(write_checkpoint(r, path), DD_ERR_IO, "disk/d.checkpoint", "No space left", "Make room");
    CHECK_FAILS(stored_run_result(r, result), DD_ERR_IO, "disk/d.h5", "No space left");
    CHECK(!left_over(place) && !there(in_folder("disk/d.checkpoint.next")), "a temporary file");
    CHECK(unchanged(path, &good) && read_equals(r, path, 15), "checkpoint");
    CHECK(unchanged(result, &log), "log");

    CHECK(!mount("tmpfs", place, NULL, MS_REMOUNT | MS_RDONLY, NULL), "%s", strerror(errno));
    dd_log *none;
    dd_lock *lock;
    CHECK_FAILS(write_checkpoint(r, path), DD_ERR_IO, "disk/d.checkpoint", "Read-only file system");
    CHECK_FAILS(dd_log_create(result, &r->run, &r->model, 0, &none), DD_ERR_IO, "disk/d.h5", "Read-only");
    CHECK_FAILS(stored_run_result(r, result), DD_ERR_IO, "disk/d.h5", "Read-only");
    CHECK_FAILS(dd_lock_acquire(result, &lock), DD_ERR_IO, "disk/", "Read-only");
    CHECK_FAILS(write_samples_to(r, in_folder("disk/s.csv")), DD_ERR_IO, "disk/s.csv", "Read-only");
    CHECK(read_equals(r, path, 15), "reading from a read-only place: %s", dd_error_message());
    free(log.data);
    free(good.data);
}

/* A path whose parent is a file. */
static void check_no_folder(stored_run *r)
{
    const char *path = in_folder("plain/x.h5");
    dd_log *log;
    dd_lock *lock;
    int steps[2];
    text_file(in_folder("plain"), "a file");
    CHECK_FAILS(write_checkpoint(r, path), DD_ERR_IO, "plain/x.h5", "Not a directory");
    CHECK_FAILS(dd_log_create(path, &r->run, &r->model, 0, &log), DD_ERR_IO, "plain/x.h5", "Not a directory");
    CHECK_FAILS(dd_checkpoint_steps(path, &r->run, steps), DD_ERR_IO, "plain/x.h5", "Not a directory");
    CHECK_FAILS(dd_lock_acquire(path, &lock), DD_ERR_IO, "plain/", "Not a directory");
    CHECK_FAILS(write_samples_to(r, path), DD_ERR_IO, "plain/x.h5", "Not a directory");
    CHECK_FAILS(write_samples_to(r, in_folder("plain/x.npy")), DD_ERR_IO, "plain/x.npy", "Not a directory");
    CHECK_FAILS(write_samples_to(r, in_folder("samples.txt")), DD_ERR_USAGE, "samples.txt", ".csv");
    CHECK(!there(in_folder("samples.txt")) && !left_over(folder), "samples.txt");
}

/* ---- two writers ---- */

static void check_lock(void)
{
    const char *path = in_folder("seed_0.h5");
    dd_lock *lock = NULL, *again = NULL;
    int ready[2];
    char token;
    CHECK(!pipe(ready), "pipe");
    pid_t child = fork();
    if (child == 0) {
        token = dd_lock_acquire(path, &lock) ? 'n' : 'y';
        if (write(ready[1], &token, 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    CHECK(read(ready[0], &token, 1) == 1 && token == 'y', "the other process has the lock");
    CHECK_FAILS(dd_lock_acquire(path, &lock), DD_ERR_CONFLICT, "seed_0.h5", "another dualdiff");
    CHECK(!lock, "a lock");
    CHECK_OK(dd_lock_acquire(in_folder("seed_1.h5"), &again)); /* another run */
    dd_lock_release(again);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    CHECK_OK(dd_lock_acquire(path, &lock)); /* a dead process holds none */
    CHECK_FAILS(dd_lock_acquire(path, &again), DD_ERR_CONFLICT, "seed_0.h5");
    dd_lock_release(lock);
    CHECK_OK(dd_lock_acquire(path, &lock));
    dd_lock_release(lock);
    close(ready[0]);
    close(ready[1]);
}

static void remove_folder(void)
{
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        if (unlink(in_folder(entry->d_name)))
            rmdir(in_folder(entry->d_name));
    if (directory)
        closedir(directory);
    rmdir(folder);
}

int main(void)
{
    stored_run r;
    /* In memory where that can be: hundreds of files are flushed to disk. */
    snprintf(folder, sizeof folder, "%s/test_store.XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    signal(SIGXFSZ, SIG_IGN);
    CHECK_OK(stored_run_create(&r, NULL, 0, NULL));
    check_checkpoints(&r);
    check_header(&r);
    check_matches(&r);
    check_log(&r);
    check_short_log(&r);
    check_result(&r);
    check_written_once();
    check_foreign(&r);
    in_child(check_cut_checkpoint, &r);
    in_child(check_flipped_checkpoint, &r);
    in_child(check_cut_result, &r);
    in_child(check_cut_log, &r);
    check_full(&r, "c.checkpoint", write_checkpoint);
    check_full(&r, "samples.h5", write_samples_to);
    check_full(&r, "samples.csv", write_samples_to);
    CHECK_OK(stored_run_log(&r, in_folder("l.h5"), 23));
    check_full(&r, "l.h5", stored_run_result);
    check_full_log(&r);
    in_child(check_small_disk, &r);
    check_no_folder(&r);
    check_kills(&r);
    check_lock();
    CHECK(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0, "HDF5 objects were left open");
    stored_run_free(&r);
    remove_folder();
    return check_report();
}
