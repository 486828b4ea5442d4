#define _GNU_SOURCE /* F_OFD_SETLK */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/claim.h"
#include "base/error.h"
#include "base/files.h"
#include "base/fnv.h"

struct dd_lock {
    char *target;       /* what is locked, links followed */
    char *file, *claim; /* .NAME.lock and .NAME.claim */
    char *claimed;      /* text of the claim; NULL if flock is used */
    int descriptor;     /* of the locked file; -1 with a claim */
    int folder;         /* of the folder with its mark; -1 if it has none */
};

/* ---- flock ---- */

bool dd_lock_is_missing(int error)
{
    enum { NOT_SUPPORTED = 524 }; /* ENOTSUPP; NFS servers may return it, and <errno.h> does not define it */
    return error == ENOLCK || error == ENOSYS || error == EOPNOTSUPP || error == NOT_SUPPORTED;
}

bool dd_lock_is_disabled(void)
{
    const char *setting = getenv("HDF5_USE_FILE_LOCKING");
    return setting && (!strcasecmp(setting, "FALSE") || !strcmp(setting, "0"));
}

dd_lock_state dd_lock_probe(int descriptor)
{
    if (dd_lock_is_disabled())
        return DD_LOCK_NONE;
    if (!flock(descriptor, LOCK_SH | LOCK_NB)) {
        flock(descriptor, LOCK_UN);
        return DD_LOCK_FREE;
    }
    return dd_lock_is_missing(errno) ? DD_LOCK_NONE : errno == EWOULDBLOCK ? DD_LOCK_HELD : DD_LOCK_FREE;
}

void dd_lock_holder(int descriptor, char *out, size_t size)
{
    struct stat about;
    char line[256], mine[64], path[64], name[64] = "";
    long pid;
    *out = '\0';
    FILE *locks = fstat(descriptor, &about) ? NULL : fopen("/proc/locks", "r");
    snprintf(mine, sizeof mine, "%02x:%02x:%llu", major(about.st_dev), minor(about.st_dev),
             (unsigned long long)about.st_ino);
    while (locks && fgets(line, sizeof line, locks)) {
        char place[64];
        if (sscanf(line, "%*s FLOCK %*s WRITE %ld %63s", &pid, place) != 2 || strcmp(place, mine) || pid <= 0)
            continue;
        snprintf(path, sizeof path, "/proc/%ld/comm", pid);
        FILE *comm = fopen(path, "r");
        if (comm && fgets(name, sizeof name, comm))
            name[strcspn(name, "\n")] = '\0';
        if (comm)
            fclose(comm);
        snprintf(out, size, " (process %ld%s%s)", pid, *name ? ", " : "", name);
        break;
    }
    if (locks)
        fclose(locks);
}

static dd_status held_by_another(const dd_lock *l)
{
    char holder[96] = "";
    if (l->descriptor >= 0)
        dd_lock_holder(l->descriptor, holder, sizeof holder);
    return dd_fail(DD_ERR_CONFLICT, "%s: another dualdiff is writing it%s; wait for it", l->target, holder);
}

/* Whether the locked file still has its name: a lock on a deleted file does not exclude other processes. */
static bool is_named(const dd_lock *l)
{
    struct stat open_file, named;
    return !fstat(l->descriptor, &open_file) && !stat(l->file, &named) && open_file.st_dev == named.st_dev &&
           open_file.st_ino == named.st_ino;
}

static void drop_descriptor(dd_lock *l)
{
    if (l->descriptor >= 0)
        close(l->descriptor);
    l->descriptor = -1;
}

/* *missing becomes true if the file system has no flock. */
static dd_status take_flock(dd_lock *l, bool *missing)
{
    enum { TRIES = 20 };
    *missing = dd_lock_is_disabled();
    for (int i = 0; i < TRIES && !*missing; i++) {
        dd_status status = DD_OK;
        l->descriptor = open(l->file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (l->descriptor < 0)
            return dd_fail(DD_ERR_IO, "%s: %s; no lock can be made there", l->file, strerror(errno));
        if (!flock(l->descriptor, LOCK_EX | LOCK_NB) && is_named(l))
            return DD_OK;
        if (errno == EWOULDBLOCK)
            status = held_by_another(l);
        *missing = dd_lock_is_missing(errno);
        drop_descriptor(l);
        DD_TRY(status);
    }
    return *missing ? DD_OK : dd_fail(DD_ERR_IO, "%s: cannot be locked: %s", l->file, strerror(errno));
}

/* ---- the mark on the folder ---- */

/* The byte offset, below 2^62, that represents the file's name (FNV-1a; two names in a folder get different places). */
static struct flock place_of(const char *target, short type)
{
    const char *slash = strrchr(target, '/'), *name = slash ? slash + 1 : target;
    uint64_t hash = dd_fnv1a(DD_FNV1A_START, name, strlen(name));
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)(hash >> 2), .l_len = 1};
}

static int open_folder(const char *target)
{
    const char *slash = strrchr(target, '/');
    char *folder = slash ? strndup(target, (size_t)(slash - target) + 1) : strdup(".");
    int descriptor = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(folder);
    return descriptor;
}

/* A folder accepts only read locks, which do not exclude each other: each process sets its own lock, then checks
 * whether another process has one. */
static dd_status mark_folder(dd_lock *l)
{
    struct flock mine = place_of(l->target, F_RDLCK), other = place_of(l->target, F_WRLCK);
    l->folder = open_folder(l->target);
    if (l->folder < 0 || fcntl(l->folder, F_OFD_SETLK, &mine) || fcntl(l->folder, F_OFD_GETLK, &other))
        return DD_OK; /* no such locks on this file system; the lock file must suffice */
    return other.l_type == F_UNLCK ? DD_OK
                                   : dd_fail(DD_ERR_CONFLICT,
                                             "%s: another dualdiff is writing it, although its lock file was deleted; "
                                             "wait for it",
                                             l->target);
}

/* ---- both ---- */

void dd_lock_release(dd_lock *l)
{
    if (!l)
        return;
    if (l->claim)
        dd_claim_release(l->claim, l->claimed);
    drop_descriptor(l);
    if (l->folder >= 0)
        close(l->folder);
    free(l->target);
    free(l->file);
    free(l->claim);
    free(l);
}

/* Even where flock works, a process on another machine may hold a claim. */
static dd_status take(dd_lock *l)
{
    bool missing;
    DD_TRY(take_flock(l, &missing));
    DD_TRY(missing ? dd_claim_take(l->claim, l->target, &l->claimed) : dd_claim_absent(l->claim, l->target));
    return mark_folder(l);
}

dd_status dd_lock_acquire(const char *path, dd_lock **lock)
{
    dd_lock *l = calloc(1, sizeof *l);
    *lock = NULL;
    if (!l)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    *l = (dd_lock){.target = dd_path_followed(path), .descriptor = -1, .folder = -1};
    l->file = l->target ? dd_path_sibling(l->target, ".", ".lock") : NULL;
    l->claim = l->target ? dd_path_sibling(l->target, ".", ".claim") : NULL;
    dd_status status = l->file && l->claim ? take(l) : dd_fail(DD_ERR_MEMORY, "out of memory");
    if (status)
        dd_lock_release(l);
    else
        *lock = l;
    return status;
}

static dd_status lost(const dd_lock *l)
{
    return dd_fail(DD_ERR_CONFLICT,
                   "%s: its lock was deleted and another dualdiff holds it now, so this one writes nothing more; let "
                   "that one finish, then run the same command again",
                   l->target);
}

static dd_status check_claim(dd_lock *l)
{
    int is_mine = dd_claim_is(l->claim, l->claimed);
    if (is_mine >= 0)
        return is_mine ? DD_OK : lost(l);
    char *again;
    if (dd_claim_take(l->claim, l->target, &again))
        return lost(l);
    free(l->claimed);
    l->claimed = again;
    return DD_OK;
}

dd_status dd_lock_check(dd_lock *l)
{
    int before = l->descriptor;
    bool missing;
    if (l->claimed)
        return check_claim(l);
    if (is_named(l))
        return DD_OK;
    dd_status status = take_flock(l, &missing);
    if (status || missing) {
        l->descriptor = before;
        return status == DD_ERR_CONFLICT ? lost(l) : status;
    }
    close(before);
    return DD_OK;
}
