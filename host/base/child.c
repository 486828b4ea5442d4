#define _GNU_SOURCE /* pipe2 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

/* Bytes of address space in use. CUDA and the sanitizers map terabytes of it without using any memory. */
static uint64_t mapped(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return 0;
    if (fscanf(file, "%llu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void limit(int resource, uint64_t value)
{
    struct rlimit now;
    if (getrlimit(resource, &now))
        return;
    if (now.rlim_cur == RLIM_INFINITY || now.rlim_cur > value)
        now.rlim_cur = (rlim_t)value;
    setrlimit(resource, &now);
}

static void set_limits(const dd_child_limits *limits)
{
    uint64_t before = mapped();
    if (before)
        limit(RLIMIT_AS, before + limits->memory);
    limit(RLIMIT_CPU, limits->time);
    limit(RLIMIT_CORE, 0);
}

/* What the library prints when it crashes does not help the user. */
static void be_quiet(void)
{
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nowhere >= 0) {
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
    }
}

/* What the parent reads at the end, from a separate pipe, so that it is not confused with data. */
typedef struct ending {
    dd_status status;
    char message[2000];
} ending;

static bool write_all(int pipe, const void *data, size_t n)
{
    const char *from = data;
    while (n) {
        ssize_t part = write(pipe, from, n);
        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0)
            return false;
        from += part;
        n -= (size_t)part;
    }
    return true;
}

void dd_child_write(int pipe, const void *data, size_t n)
{
    if (!write_all(pipe, data, n))
        _exit(0);
}

/* The buffers, locks and files belong to the parent. The child must not flush or close them, so it only exits. */
static void run_child(const dd_child_limits *limits, dd_status (*work)(void *user, int pipe), void *user, int data,
                      int end)
{
    ending e = {0};
    signal(SIGXCPU, SIG_DFL);
    be_quiet();
    set_limits(limits);
    e.status = work(user, data);
    snprintf(e.message, sizeof e.message, "%s", dd_error_message());
    write_all(end, &e, sizeof e);
    _exit(0);
}

static void close_pipe(int pipe[2])
{
    for (int i = 0; i < 2; i++)
        if (pipe[i] >= 0)
            close(pipe[i]);
}

dd_status dd_child_start(dd_child *child, const dd_child_limits *limits, dd_status (*work)(void *user, int pipe),
                         void *user)
{
    int data[2] = {-1, -1}, end[2] = {-1, -1};
    *child = (dd_child){.limits = *limits};
    if (!pipe2(data, O_CLOEXEC) && !pipe2(end, O_CLOEXEC) && (child->data = fdopen(data[0], "rb")))
        child->pid = fork();
    if (child->pid == 0 && child->data) {
        close(data[0]); /* else a write would never fail, but wait forever, once the parent has stopped reading */
        close(end[0]);
        run_child(limits, work, user, data[1], end[1]);
    }
    if (child->pid <= 0) {
        dd_status status = dd_fail(DD_ERR_IO, "cannot start a process: %s", strerror(errno));
        if (child->data) {
            fclose(child->data);
            data[0] = -1;
        }
        close_pipe(data);
        close_pipe(end);
        return status;
    }
    close(data[1]);
    close(end[1]);
    child->ending = end[0];
    return DD_OK;
}

bool dd_child_read(dd_child *child, void *data, size_t n)
{
    size_t got = 0;
    for (;;) {
        got += fread((char *)data + got, 1, n - got, child->data);
        if (got == n)
            return true;
        if (!ferror(child->data) || errno != EINTR)
            return false;
        clearerr(child->data);
    }
}

static bool read_ending(int pipe, ending *e)
{
    size_t got = 0;
    while (got < sizeof *e) {
        ssize_t part = read(pipe, (char *)e + got, sizeof *e - got);
        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0)
            return false;
        got += (size_t)part;
    }
    e->message[sizeof e->message - 1] = '\0';
    return true;
}

static dd_status died(const dd_child *child, int how, const char *path)
{
    int number = WIFSIGNALED(how) ? WTERMSIG(how) : 0;
    if (number == SIGXCPU)
        return dd_fail(DD_ERR_IO, "%s: damaged: reading it takes more than %llu s of computing; restore it from a copy",
                       path, (unsigned long long)child->limits.time);
    if (number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGKILL)
        return dd_fail(DD_ERR_IO, "%s: reading it was stopped by signal %d", path, number);
    return dd_fail(DD_ERR_IO,
                   "%s: damaged: the library that reads it crashed; restore it from a copy. If other programs read it, "
                   "save the points as .npy or .csv",
                   path);
}

dd_status dd_child_end(dd_child *child, const char *path)
{
    ending e;
    int how = 0;
    fclose(child->data);
    bool complete = read_ending(child->ending, &e);
    close(child->ending);
    while (waitpid(child->pid, &how, 0) < 0 && errno == EINTR)
        ;
    if (!complete)
        return died(child, how, path);
    return e.status ? dd_fail((dd_status)e.status, "%s", e.message) : DD_OK;
}
