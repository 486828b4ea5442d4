/* Opening an HDF5 file for reading, whatever state it is in. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_h5.h"

/* The beginning of a file, as far as root attributes and /config reach. */
enum { START = 64 * 1024 };

typedef struct start {
    unsigned char *data;
    size_t n;
} start;

static int read_start(const char *path, start *s)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return dd_fail(DD_ERR_IO, "%s: %s", path, strerror(errno));
    s->data = malloc(START);
    ssize_t n = s->data ? pread(file, s->data, START, 0) : 0;
    int status = !s->data ? dd_fail(DD_ERR_MEMORY, "out of memory")
                 : n < 0  ? dd_fail(DD_ERR_IO, "%s: cannot be read: %s", path, strerror(errno))
                          : DD_OK;
    s->n = n < 0 ? 0 : (size_t)n;
    close(file);
    return status;
}

/* Whether a SWMR writer has the file, or was killed while it had: a flag in the superblock (version 3 of it,
 * HDF5 File Format Specification, II.A) that a plain open refuses. */
static int swmr_flag(const start *s)
{
    enum { VERSION = 8, FLAGS = 11, SWMR = 4 };
    return s->n > FLAGS && s->data[VERSION] == 3 && s->data[FLAGS] & SWMR;
}

static uint64_t little_endian(const unsigned char *p, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes; i--;)
        value = value << 8 | p[i];
    return value;
}

/* Whether the objects of the global heap collection p[0..n) fill it exactly and have each its own index. Object:
 * index (2 bytes), references (2), reserved (4), size (8), data padded to 8; the size of object 0, free space,
 * includes this head. (HDF5 File Format Specification, III.E) */
static int heap_is_whole(const unsigned char *p, size_t n)
{
    enum { COLLECTION_HEAD = 16, HEAD = 16 };
    unsigned char seen[65536 / 8] = {0};
    size_t at = COLLECTION_HEAD;
    while (at + HEAD <= n) {
        unsigned index = (unsigned)little_endian(p + at, 2), bit = 1u << index % 8;
        uint64_t size = little_endian(p + at + 8, 8);
        if (size > n || seen[index / 8] & bit)
            return 0;
        seen[index / 8] |= (unsigned char)bit;
        if (index == 0)
            return at + size == n;
        at += HEAD + (size + 7) / 8 * 8;
    }
    return at <= n;
}

/* Text lies in global heaps, the one part of a file that has no checksum and that HDF5 1.10 follows without a look:
 * a wrong size in it would crash the program. */
static int heaps_are_whole(const start *s)
{
    static const unsigned char mark[8] = {'G', 'C', 'O', 'L', 1};
    enum { SIZE = 8 };
    for (size_t at = 0; at + 16 <= s->n; at++) {
        if (memcmp(s->data + at, mark, sizeof mark))
            continue;
        uint64_t size = little_endian(s->data + at + SIZE, 8);
        if (size < 16 || (at + size <= s->n && !heap_is_whole(s->data + at, (size_t)size)))
            return 0;
    }
    return 1;
}

/* HDF5 reads again what a writer is just changing, each time after twice the pause, from 1 ns on. The 100 attempts of
 * its default never end on a damaged log; 22 take 4 ms. */
static hid_t open_log(const char *path)
{
    enum { ATTEMPTS = 22 };
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_metadata_read_attempts(access, ATTEMPTS);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, access);
    H5Pclose(access);
    return file;
}

int dd_h5_open(const char *path, hid_t *file)
{
    dd_h5_quiet();
    start s = {0};
    *file = -1;
    int status = read_start(path, &s);
    if (!status && H5Fis_hdf5(path) <= 0)
        status = dd_fail(DD_ERR_IO, "%s: not an HDF5 file, or its beginning is damaged", path);
    int whole = !status && heaps_are_whole(&s);
    if (whole) {
        *file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
        if (*file < 0 && swmr_flag(&s))
            *file = open_log(path);
    }
    if (!status && *file < 0)
        status =
            dd_h5_fail(DD_ERR_IO, "%s: truncated or damaged; restore it from a copy, or remove it to start anew", path);
    free(s.data);
    return status;
}
