#define _GNU_SOURCE /* asprintf */
#include "base/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/fnv.h"

/* Who wrote a claim. `boot` and `start` together distinguish a process from a later one with the same number. */
typedef struct owner {
    char host[65], boot[64], space[64], time[32]; /* space: namespace of process numbers, one for each container */
    char machine[20];                             /* the same after a reboot; "-": unknown */
    long pid;
    unsigned long long start; /* clock ticks after the boot */
} owner;

static void read_line(const char *path, char *out, int size)
{
    FILE *file = fopen(path, "r");
    *out = '\0';
    if (file && fgets(out, size, file))
        out[strcspn(out, "\n")] = '\0';
    if (file)
        fclose(file);
}

/* Field 22 of /proc/<pid>/stat; 0 if there is no such process. */
static unsigned long long start_of(long pid)
{
    char path[64], line[1024];
    unsigned long long start = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    read_line(path, line, sizeof line);
    const char *at = strrchr(line, ')'); /* the process name before it may contain anything */
    for (int field = 3; at && field <= 22; field++)
        at = strchr(at + 1, ' ');
    if (at)
        sscanf(at, "%llu", &start);
    return start;
}

/* A number derived from /etc/machine-id. The machine-id itself must stay private. */
static void name_machine(char *out, size_t size)
{
    char id[64];
    read_line("/etc/machine-id", id, sizeof id);
    snprintf(out, size, *id ? "%016llx" : "-", (unsigned long long)dd_fnv1a(DD_FNV1A_START, id, strlen(id)));
}

static void myself(owner *o)
{
    struct utsname name;
    time_t now = time(NULL);
    struct tm parts;
    *o = (owner){.pid = (long)getpid(), .space = "-"};
    snprintf(o->host, sizeof o->host, "%s", uname(&name) ? "unknown" : name.nodename);
    read_line("/proc/sys/kernel/random/boot_id", o->boot, sizeof o->boot);
    if (!*o->boot)
        strcpy(o->boot, "-");
    ssize_t n = readlink("/proc/self/ns/pid", o->space, sizeof o->space - 1);
    if (n > 0)
        o->space[n] = '\0';
    name_machine(o->machine, sizeof o->machine);
    o->start = start_of(o->pid);
    strftime(o->time, sizeof o->time, "%Y-%m-%d %H:%M:%S %z", localtime_r(&now, &parts));
}

static char *print_owner(const owner *o)
{
    char *text;
    return asprintf(&text, "host %s\nboot %s %s\nprocess %ld %llu\nsince %s\nmachine %s\n", o->host, o->boot, o->space,
                    o->pid, o->start, o->time, o->machine) < 0
               ? NULL
               : text;
}

static bool parse_owner(const char *text, owner *o)
{
    *o = (owner){.machine = "-"}; /* older programs wrote no machine */
    return sscanf(text, "host %64s\nboot %63s %63s\nprocess %ld %llu\nsince %31[^\n]\nmachine %19s", o->host, o->boot,
                  o->space, &o->pid, &o->start, o->time, o->machine) >= 6;
}

/* The whole of a small file, malloc'ed; NULL with errno. */
static char *read_text(const char *path)
{
    enum { MOST = 1024 };
    int file = open(path, O_RDONLY | O_CLOEXEC);
    char *text = file < 0 ? NULL : calloc(1, MOST);
    if (text && read(file, text, MOST - 1) < 0) {
        free(text);
        text = NULL;
    }
    if (file >= 0)
        close(file);
    return text;
}

enum { TRIES = 20 }; /* for removing a claim whose owner has ended */

/* ---- checking an existing claim ---- */

static bool is_known(const char *word)
{
    return strcmp(word, "-") != 0;
}

/* Whether there is no process with this number, or one that began at another time. Where the processes of other users
 * are hidden (/proc mounted with hidepid), the start time cannot be read, and only kill() shows whether the process
 * exists. */
static bool is_gone(long pid, unsigned long long start)
{
    if (kill((pid_t)pid, 0) && errno == ESRCH)
        return true;
    unsigned long long now = start_of(pid);
    return start && now && now != start;
}

/* Whether its process is known to have ended. Two hosts may have the same name: if the boot differs, only an equal
 * machine number shows that it was this host before a reboot. */
static bool has_ended(const owner *o)
{
    owner me;
    myself(&me);
    if (strcmp(o->host, me.host) || strcmp(o->space, me.space) || !is_known(o->space) || !is_known(o->boot) ||
        !is_known(me.boot))
        return false;
    if (strcmp(o->boot, me.boot))
        return is_known(o->machine) && !strcmp(o->machine, me.machine);
    return is_gone(o->pid, o->start);
}

static dd_status refuse(const char *path, const char *target, const owner *o)
{
    return dd_fail(DD_ERR_CONFLICT,
                   "%s: another dualdiff is writing it: process %ld on host %s, since %s; wait for it. If that process "
                   "has ended, delete the file %s (only that one), then run the same command again",
                   target, o->pid, o->host, o->time, path);
}

/* Remove a stale claim. Only one process can rename it. If another process has made a new claim in the meantime, that
 * claim is put back, and this process sees it at its next try. */
static void remove_stale(const char *path, const char *stale)
{
    char *aside, *text;
    if (asprintf(&aside, "%s.%ld", path, (long)getpid()) < 0)
        return;
    if (!rename(path, aside)) {
        text = read_text(aside);
        if (text && strcmp(text, stale) && link(aside, path) && errno != EEXIST)
            rename(aside, path); /* no hard links here */
        free(text);
        unlink(aside);
    }
    free(aside);
}

static dd_status busy(const char *path, const char *target)
{
    return dd_fail(DD_ERR_CONFLICT,
                   "%s: another dualdiff is about to write it; wait for it. If none is, delete the file %s (only that "
                   "one), then run the same command again",
                   target, path);
}

/* Handle an existing claim. true: it is removed now; false: *status says who holds it. */
static bool judge(const char *path, const char *target, dd_status *status)
{
    owner o;
    errno = 0;
    char *text = read_text(path);
    if (!text && errno == ENOENT)
        return true;
    if (!text || !parse_owner(text, &o))
        *status = busy(path, target);
    else if (has_ended(&o))
        remove_stale(path, text);
    else
        *status = refuse(path, target, &o);
    free(text);
    return !*status;
}

dd_status dd_claim_absent(const char *path, const char *target)
{
    dd_status status = DD_OK;
    for (int i = 0; i < TRIES && !status && !access(path, F_OK); i++)
        judge(path, target, &status);
    return status;
}

/* ---- taking ---- */

/* Write the text into the new claim. */
static dd_status fill(const char *path, int descriptor, const char *text)
{
    size_t n = strlen(text);
    int reason = write(descriptor, text, n) != (ssize_t)n || fsync(descriptor) ? errno : 0;
    if (close(descriptor) && !reason)
        reason = errno;
    if (!reason)
        return DD_OK;
    unlink(path);
    return dd_fail_writing(path, reason);
}

static dd_status create(const char *path, const char *target, const char *text)
{
    dd_status status = DD_OK;
    for (int i = 0; i < TRIES; i++) {
        int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0)
            return fill(path, descriptor, text);
        if (errno != EEXIST)
            return dd_fail(DD_ERR_IO, "%s: %s; no lock can be made there", path, strerror(errno));
        if (!judge(path, target, &status))
            return status;
    }
    return busy(path, target);
}

dd_status dd_claim_take(const char *path, const char *target, char **mine)
{
    owner me;
    myself(&me);
    *mine = print_owner(&me);
    dd_status status = *mine ? create(path, target, *mine) : dd_fail(DD_ERR_MEMORY, "out of memory");
    if (status) {
        free(*mine);
        *mine = NULL;
    }
    return status;
}

int dd_claim_is(const char *path, const char *mine)
{
    char *text = read_text(path);
    int same = text ? !strcmp(text, mine) : errno == ENOENT ? -1 : 0;
    free(text);
    return same;
}

void dd_claim_release(const char *path, char *mine)
{
    if (mine && dd_claim_is(path, mine) == 1)
        unlink(path);
    free(mine);
}
