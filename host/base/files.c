#define _GNU_SOURCE /* asprintf */
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

/* ---- names ---- */

char *dd_path_with(const char *path, const char *suffix)
{
    char *out;
    return asprintf(&out, "%s%s", path, suffix) < 0 ? NULL : out;
}

/* Length of the part of `path` before its last component, with the slash. */
static int folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash + 1 - path) : 0;
}

char *dd_path_sibling(const char *path, const char *prefix, const char *suffix)
{
    enum { LONGEST = 200 }; /* so that it stays below a name's 255 bytes */
    char *out;
    int folder = folder_length(path);
    return asprintf(&out, "%.*s%s%.*s%s", folder, path, prefix, LONGEST, path + folder, suffix) < 0 ? NULL : out;
}

/* What the link at `path` points to, relative to the current folder; NULL: it is not a link, or memory is out. */
static char *link_target(const char *path)
{
    char target[PATH_MAX], *out;
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n < 0)
        return NULL;
    target[n] = '\0';
    int folder = *target == '/' ? 0 : folder_length(path);
    return asprintf(&out, "%.*s%s", folder, path, target) < 0 ? NULL : out;
}

char *dd_path_followed(const char *path)
{
    enum { MOST_LINKS = 40 };
    char *now = strdup(path);
    for (int i = 0; now && i < MOST_LINKS; i++) {
        char *next = link_target(now);
        if (!next)
            break;
        free(now);
        now = next;
    }
    return now;
}

/* ---- durability ---- */

dd_status dd_fail_writing(const char *path, int error)
{
    bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    return dd_fail(DD_ERR_IO, "%s: cannot be written: %s%s%s", path, strerror(error),
                   access(path, F_OK) ? "" : "; what was there before is kept",
                   full ? ". Make room, then run the command again" : "");
}

dd_status dd_sync_file(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    int reason = descriptor < 0 || fsync(descriptor) ? errno : 0;
    if (descriptor >= 0)
        close(descriptor);
    return reason ? dd_fail_writing(path, reason) : DD_OK;
}

/* 0 or an errno. Some file systems cannot flush a folder and report that; it is not an error here. */
static int sync_directory_of(const char *path)
{
    int folder = folder_length(path);
    char *directory = folder ? strndup(path, (size_t)folder) : strdup(".");
    int descriptor = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int reason = descriptor < 0 || fsync(descriptor) ? errno : 0;
    if (descriptor >= 0)
        close(descriptor);
    free(directory);
    return reason == EINVAL || reason == ENOSYS || reason == EOPNOTSUPP ? 0 : reason;
}

dd_status dd_sync_directory_of(const char *path)
{
    int reason = sync_directory_of(path);
    return reason ? dd_fail(DD_ERR_IO, "the folder of %s cannot be flushed to disk: %s", path, strerror(reason))
                  : DD_OK;
}

dd_status dd_rename(const char *from, const char *to)
{
    if (rename(from, to))
        return dd_fail_writing(to, errno);
    int reason = sync_directory_of(to);
    return reason ? dd_fail(DD_ERR_IO,
                            "%s: the new file is in place, but its folder cannot be flushed to disk (%s), so a power "
                            "failure may bring the old file back",
                            to, strerror(reason))
                  : DD_OK;
}

/* ---- outputs ---- */

bool dd_output_is_in_place(const dd_output *out)
{
    return !strcmp(out->path, out->temporary);
}

static void release(dd_output *out)
{
    if (out->descriptor >= 0)
        close(out->descriptor);
    free(out->name);
    free(out->path);
    free(out->temporary);
    *out = (dd_output){.descriptor = -1};
}

/* /dev/stdout may be a regular file that already has contents. */
bool dd_path_is_stream(const char *path)
{
    static const char *const streams[] = {"/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/fd/"};
    struct stat there;
    if (stat(path, &there))
        return false;
    for (int i = 0; i < 4; i++)
        if (!strncmp(path, streams[i], strlen(streams[i])))
            return true;
    return !S_ISREG(there.st_mode) && !S_ISDIR(there.st_mode);
}

static void random_suffix(char out[12])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
    unsigned long long bits = 0;
    struct timespec now;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits) {
        clock_gettime(CLOCK_REALTIME, &now);
        bits = (unsigned long long)now.tv_nsec * 1000003u + (unsigned long long)getpid();
    }
    snprintf(out, 12, ".xxxxxx.tmp");
    for (int i = 1; i <= 6; i++, bits >>= 5)
        out[i] = letters[bits & 31];
}

/* A new file under a unique name. */
static dd_status create_unique(dd_output *out)
{
    enum { TRIES = 100 };
    for (int i = 0; i < TRIES && out->descriptor < 0; i++) {
        char suffix[12];
        random_suffix(suffix);
        free(out->temporary);
        out->temporary = dd_path_sibling(out->path, ".", suffix);
        if (!out->temporary)
            return dd_fail(DD_ERR_MEMORY, "out of memory");
        out->descriptor = open(out->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (out->descriptor < 0 && errno != EEXIST)
            break;
    }
    return out->descriptor < 0 ? dd_fail_writing(out->name, errno) : DD_OK;
}

static dd_status create_fixed(dd_output *out)
{
    out->temporary = dd_path_sibling(out->path, ".", ".tmp");
    if (!out->temporary)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    unlink(out->temporary);
    out->descriptor = open(out->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return out->descriptor < 0 ? dd_fail_writing(out->name, errno) : DD_OK;
}

static dd_status open_in_place(dd_output *out)
{
    free(out->path);
    out->path = strdup(out->name);
    out->temporary = strdup(out->name);
    if (!out->path || !out->temporary)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    out->descriptor = open(out->name, O_WRONLY | O_APPEND | O_CLOEXEC);
    return out->descriptor < 0 ? dd_fail_writing(out->name, errno) : DD_OK;
}

/* The new file gets the mode and the owner of the file that it replaces. */
static dd_status take_mode(dd_output *out, const struct stat *there)
{
    struct stat made;
    if (fstat(out->descriptor, &made))
        return dd_fail_writing(out->name, errno);
    if ((made.st_uid != there->st_uid || made.st_gid != there->st_gid) &&
        fchown(out->descriptor, there->st_uid, there->st_gid))
        errno = 0; /* only an administrator may do this; otherwise the file belongs to the caller, as a new file does */
    if ((made.st_mode & 07777) != (there->st_mode & 07777) && fchmod(out->descriptor, there->st_mode & 07777))
        return dd_fail_writing(out->name, errno);
    return DD_OK;
}

static dd_status open_output(dd_output *out, const char *name, dd_status (*create)(dd_output *))
{
    struct stat there;
    *out = (dd_output){.name = strdup(name), .path = dd_path_followed(name), .descriptor = -1};
    dd_status status = out->name && out->path ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory");
    bool exists = !status && !stat(name, &there);
    if (exists && S_ISDIR(there.st_mode))
        status = dd_fail(DD_ERR_IO, "%s: is a folder; name a file in it", name);
    else if (exists && dd_path_is_stream(name))
        status = open_in_place(out);
    else if (!status)
        status = create(out);
    if (!status && exists && !dd_output_is_in_place(out))
        status = take_mode(out, &there);
    if (!status)
        return DD_OK;
    if (out->temporary && out->descriptor >= 0 && !dd_output_is_in_place(out))
        unlink(out->temporary);
    release(out);
    return status;
}

dd_status dd_output_open(dd_output *out, const char *name)
{
    return open_output(out, name, create_unique);
}

dd_status dd_output_open_locked(dd_output *out, const char *name)
{
    return open_output(out, name, create_fixed);
}

dd_status dd_output_close(dd_output *out, dd_status status)
{
    int in_place = dd_output_is_in_place(out);
    if (!status && !in_place && fsync(out->descriptor))
        status = dd_fail_writing(out->name, errno);
    if (in_place || status) {
        if (!in_place)
            unlink(out->temporary);
    } else {
        status = dd_rename(out->temporary, out->path);
        if (status)
            unlink(out->temporary); /* if the file was not renamed */
    }
    release(out);
    return status;
}

static dd_status copy_bytes(int from, const char *path, const dd_output *out)
{
    enum { BLOCK = 1 << 20 };
    char *block = malloc(BLOCK);
    dd_status status = block ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory");
    ssize_t n = 1;
    while (!status && n) {
        n = read(from, block, BLOCK);
        if (n < 0)
            status = dd_fail(DD_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        for (ssize_t done = 0; done < n && !status;) {
            ssize_t written = write(out->descriptor, block + done, (size_t)(n - done));
            if (written < 0)
                status = dd_fail_writing(out->name, errno);
            else
                done += written;
        }
    }
    free(block);
    return status;
}

dd_status dd_output_copy(const dd_output *out, const char *path)
{
    int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return dd_fail(DD_ERR_IO, "%s: %s", path, strerror(errno));
    dd_status status = copy_bytes(from, path, out);
    close(from);
    return status;
}
