/* Opening an HDF5 file for reading, whatever state it is in. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lock.h"
#include "hdf5/h5.h"
#include "hdf5/result_hint.h"

/* The beginning of a file, which contains the root attributes and /config. */
enum { START = 64 * 1024 };

typedef struct start {
    unsigned char *data;
    size_t n;
    uint64_t size; /* of the whole file */
    dd_lock_state lock;
    char holder[96]; /* the process that locks it, for messages */
} start;

static dd_status read_start(const char *path, start *s)
{
    struct stat about = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* do not wait for a pipe */
    if (file < 0)
        return errno == ENOENT ? dd_fail_missing(path) : dd_fail(DD_ERR_IO, "%s: %s", path, strerror(errno));
    int is_file = !fstat(file, &about) && S_ISREG(about.st_mode);
    s->data = malloc(START);
    ssize_t n = s->data && is_file ? pread(file, s->data, START, 0) : 0;
    dd_status status = S_ISDIR(about.st_mode) ? dd_fail_folder(path)
                       : !is_file             ? dd_fail(DD_ERR_IO, "%s: a pipe or a device, not an HDF5 file", path)
                       : !s->data             ? dd_fail(DD_ERR_MEMORY, "out of memory")
                       : n < 0                ? dd_fail(DD_ERR_IO, "%s: cannot be read: %s", path, strerror(errno))
                                              : DD_OK;
    s->n = n < 0 ? 0 : (size_t)n;
    s->size = (uint64_t)about.st_size;
    s->lock = dd_lock_probe(file);
    if (s->lock == DD_LOCK_HELD)
        dd_lock_holder(file, s->holder, sizeof s->holder);
    close(file);
    return status;
}

/* Flags in the superblock (version 3; HDF5 File Format Specification, II.A) of a file that a writer has open, or had
 * open when it was killed. H5Fopen without SWMR refuses such a file. */
static bool flag(const start *s, int bit)
{
    enum { VERSION = 8, FLAGS = 11 };
    return s->n > FLAGS && s->data[VERSION] == 3 && s->data[FLAGS] & bit;
}

static bool write_flag(const start *s)
{
    return flag(s, 1);
}

static bool swmr_flag(const start *s)
{
    return flag(s, 4);
}

static uint64_t little_endian(const unsigned char *p, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes; i--;)
        value = value << 8 | p[i];
    return value;
}

/* Whether the objects of the global heap collection p[0..n) fill it exactly and each have their own index. Object:
 * index (2 bytes), references (2), reserved (4), size (8), data padded to 8; the size of object 0, free space, includes
 * this head. (HDF5 File Format Specification, III.E) */
static bool heap_is_whole(const unsigned char *p, size_t n)
{
    enum { COLLECTION_HEAD = 16, HEAD = 16 };
    unsigned char seen[65536 / 8] = {0};
    size_t at = COLLECTION_HEAD;
    while (at + HEAD <= n) {
        unsigned index = (unsigned)little_endian(p + at, 2), bit = 1u << index % 8;
        uint64_t size = little_endian(p + at + 8, 8);
        if (size > n || seen[index / 8] & bit)
            return false;
        seen[index / 8] |= (unsigned char)bit;
        if (index == 0)
            return at + size == n;
        at += HEAD + (size + 7) / 8 * 8;
    }
    return at <= n;
}

/* Text is stored in global heaps. They have no checksum, and HDF5 1.10 does not check the sizes in them: a wrong size
 * would crash the program. */
static bool heaps_are_whole(const start *s)
{
    static const unsigned char mark[8] = {'G', 'C', 'O', 'L', 1};
    enum { SIZE = 8 };
    for (size_t at = 0; at + 16 <= s->n; at++) {
        if (s->data[at] != *mark || memcmp(s->data + at, mark, sizeof mark)) /* this quick test saves calls */
            continue;
        uint64_t size = little_endian(s->data + at + SIZE, 8);
        if (size < 16 || size > s->size || (size <= s->n - at && !heap_is_whole(s->data + at, (size_t)size)))
            return false;
    }
    return true;
}

/* HDF5's own locks are switched off where the file system has none, because some versions then fail. */
static hid_t open_file(const char *path, unsigned flags, dd_lock_state lock)
{
    /* HDF5 retries a read while a writer changes the data. Each pause is twice as long as the one before; the first is
     * 1 ns. With the default of 100 attempts a damaged log would never return an error; 22 attempts take 4 ms. */
    enum { ATTEMPTS = 22 };
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_file_locking(access, lock != DD_LOCK_NONE, 1);
    if (flags & H5F_ACC_SWMR_READ)
        H5Pset_metadata_read_attempts(access, ATTEMPTS);
    hid_t file = H5Fopen(path, flags, access);
    H5Pclose(access);
    return file;
}

/* ---- why it does not open ---- */

static dd_status fail_held(const char *path, const char *holder)
{
    return dd_fail(DD_ERR_CONFLICT,
                   "%s: another program has it open for writing%s; close it there (in a notebook: file.close(), or "
                   "restart the kernel), or wait for it",
                   path, holder);
}

static dd_status fail_marked(const char *path)
{
    return dd_fail(DD_ERR_CONFLICT,
                   "%s: it is marked as open for writing: another program has it open, or was killed while it had. "
                   "Close it there. If no program has it, `h5clear -s` (package hdf5-tools) on a copy of it takes the "
                   "mark away",
                   path);
}

/* Size in bytes that the superblock states for the file; 0 if it cannot be read. */
static uint64_t stated_size(const start *s)
{
    enum { VERSION = 8, OFFSET_SIZE_0 = 13, OFFSET_SIZE_2 = 9, EIGHT = 8, ENOUGH = 52 };
    if (s->n < ENOUGH)
        return 0;
    int version = s->data[VERSION], old = version < 2;
    if (version > 3 || s->data[old ? OFFSET_SIZE_0 : OFFSET_SIZE_2] != EIGHT)
        return 0;
    return little_endian(s->data + (version == 0 ? 40 : version == 1 ? 44 : 28), EIGHT);
}

static dd_status fail_damaged(const char *path, const start *s)
{
    static const char cure[] = "restore it from a copy, or make it again";
    uint64_t size = stated_size(s);
    if (s->size < size)
        return dd_fail(DD_ERR_IO, "%s: truncated: it has %llu of %llu bytes; %s", path, (unsigned long long)s->size,
                       (unsigned long long)size, cure);
    return dd_h5_fail(DD_ERR_IO, "%s: damaged; %s", path, cure);
}

static dd_status explain(const char *path, const start *s)
{
    const char *setting = getenv("HDF5_USE_FILE_LOCKING");
    if (s->lock == DD_LOCK_NONE && setting && !dd_lock_is_disabled())
        return dd_h5_fail(DD_ERR_IO,
                          "%s: cannot be opened. This file system has no locks, and HDF5_USE_FILE_LOCKING=%s requires "
                          "them; unset it, or set it to FALSE",
                          path, setting);
    return write_flag(s) && !swmr_flag(s) ? fail_marked(path) : fail_damaged(path, s);
}

dd_status dd_h5_open(const char *path, hid_t *file)
{
    dd_h5_quiet();
    start s = {0};
    *file = -1;
    dd_status status = read_start(path, &s);
    if (!status && s.lock == DD_LOCK_HELD)
        status = fail_held(path, s.holder);
    if (!status && H5Fis_hdf5(path) <= 0)
        status = dd_fail(DD_ERR_IO, "%s: not an HDF5 file, or its beginning is damaged", path);
    if (!status && heaps_are_whole(&s)) {
        *file = open_file(path, H5F_ACC_RDONLY, s.lock);
        if (*file < 0 && swmr_flag(&s))
            *file = open_file(path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, s.lock);
    }
    if (!status && *file < 0)
        status = explain(path, &s);
    free(s.data);
    return status;
}
