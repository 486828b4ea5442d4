/* Chooses the reader for a file. */
#include "data/points_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/names.h"
#include "data/generators.h"

/* ---- names ---- */

static bool has_ending(const char *path, size_t n, const char *ending)
{
    size_t m = strlen(ending);
    return n > m && !strncasecmp(path + n - m, ending, m);
}

typedef enum kind { UNKNOWN, TEXT, NPY, NPZ, HDF5, PARQUET } kind;

static const struct {
    const char *ending;
    kind kind;
} endings[] = {{".csv", TEXT},    {".tsv", TEXT},    {".txt", TEXT}, {".dat", TEXT}, {".csv.gz", TEXT},
               {".tsv.gz", TEXT}, {".txt.gz", TEXT}, {".npy", NPY},  {".npz", NPZ},  {".h5", HDF5},
               {".hdf5", HDF5},   {".he5", HDF5},    {".nc", HDF5},  {".mat", HDF5}};

static kind kind_by_ending(const char *path, size_t length)
{
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (has_ending(path, length, endings[i].ending))
            return endings[i].kind;
    return UNKNOWN;
}

/* HDF5 may begin after a user block of 512, 1024, ... bytes (MATLAB writes one). */
static bool has_later_start(int file, const char start[8])
{
    char there[8];
    for (off_t at = 512; pread(file, there, sizeof there, at) == (ssize_t)sizeof there; at *= 2)
        if (!memcmp(there, start, sizeof there))
            return true;
    return false;
}

static kind kind_by_content(const char *path)
{
    static const struct {
        const char *start;
        size_t n;
        kind kind;
    } magic[] = {{"\x89HDF\r\n\x1a\n", 8, HDF5}, {"\x93NUMPY", 6, NPY}, {"PK\3\4", 4, NPZ}, {"PAR1", 4, PARQUET}};
    char start[8] = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = file < 0 ? -1 : pread(file, start, sizeof start, 0);
    int later = has_later_start(file, magic[0].start);
    if (file >= 0)
        close(file);
    if (later)
        return HDF5;
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++)
        if (n >= (ssize_t)magic[i].n && !memcmp(start, magic[i].start, magic[i].n))
            return magic[i].kind;
    return UNKNOWN;
}

/* Whether the first `length` bytes of `name` are an existing file that can contain several sets. */
static bool is_container(const char *name, size_t length)
{
    struct stat status;
    char *path = strndup(name, length);
    bool is = path && !stat(path, &status) && S_ISREG(status.st_mode);
    free(path);
    return is;
}

const char *dd_points_inner_path(const char *name)
{
    const char *by_ending = NULL;
    if (!access(name, F_OK))
        return NULL;
    for (const char *colon = strchr(name, ':'); colon; colon = strchr(colon + 1, ':')) {
        size_t length = (size_t)(colon - name);
        if (colon[1] && is_container(name, length))
            return colon + 1;
        kind k = kind_by_ending(name, length);
        if (colon[1] && !by_ending && (k == HDF5 || k == NPZ))
            by_ending = colon + 1;
    }
    return by_ending;
}

/* ---- reading ---- */

static dd_status cannot_open(const char *path)
{
    int error = errno;
    char near[200] = "";
    if (error == ENOENT && !strchr(path, '/'))
        dd_near_datasets(path, near);
    if (*near)
        return dd_fail(DD_ERR_IO, "no dataset and no file is called '%s'; did you mean %s?", path, near);
    return dd_fail(DD_ERR_IO,
                   "%s: %s; a dataset is a name that `dualdiff datasets` lists, or a file (.csv, .tsv, .npy, .npz, "
                   "FILE.h5:/path)",
                   path, strerror(error));
}

static dd_status unknown_kind(const char *path)
{
    return dd_fail(DD_ERR_DATA,
                   "%s: unknown kind of file; use .csv, .tsv, .txt (also with .gz), .npy, .npz or FILE.h5:/path. Text "
                   "under another name can be given as `--dataset - < FILE`",
                   path);
}

static dd_status parquet(const char *path)
{
    return dd_fail(DD_ERR_DATA,
                   "%s: a Parquet file, which dualdiff does not read; convert it: python3 -c \"import pandas; "
                   "pandas.read_parquet('%s').to_csv('points.csv', index=False)\"",
                   path, path);
}

static dd_status read_plain(const char *path, dd_rows *rows)
{
    struct stat status;
    if (!strcmp(path, "-"))
        return dd_points_read_csv(path, rows);
    if (stat(path, &status) || access(path, R_OK))
        return cannot_open(path);
    if (S_ISDIR(status.st_mode))
        return dd_fail(DD_ERR_IO, "%s: a folder; name a file in it", path);
    if (!S_ISREG(status.st_mode)) /* a pipe, as the shell's <(COMMAND) makes them */
        return dd_points_read_csv(path, rows);
    kind k = kind_by_ending(path, strlen(path));
    switch (k ? k : kind_by_content(path)) {
    case TEXT:
        return dd_points_read_csv(path, rows);
    case NPY:
        return dd_points_read_npy(path, rows);
    case NPZ:
        return dd_points_read_npz(path, NULL, rows);
    case HDF5:
        return dd_points_read_hdf5(path, NULL, rows);
    case PARQUET:
        return parquet(path);
    default:
        return unknown_kind(path);
    }
}

/* A part of a file, FILE:inner. */
static dd_status read_inner(const char *name, const char *inner, dd_rows *rows)
{
    char *path = strndup(name, (size_t)(inner - 1 - name));
    if (!path)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    kind by_content = kind_by_content(path), by_ending = kind_by_ending(path, strlen(path));
    dd_status status;
    if (access(path, R_OK))
        status = dd_fail(DD_ERR_IO, "%s: %s", path, strerror(errno));
    else if (by_content == NPZ || (!by_content && by_ending == NPZ))
        status = dd_points_read_npz(path, inner, rows);
    else if (by_content == HDF5 || by_ending == HDF5)
        status = dd_points_read_hdf5(path, inner, rows);
    else
        status = dd_fail(DD_ERR_DATA, "%s: '%s' names a part of the file, but only HDF5 and NPZ files have parts", path,
                         inner);
    free(path);
    return status;
}

dd_status dd_rows_read(const char *name, dd_rows *rows)
{
    rows->name = strcmp(name, "-") ? name : "standard input";
    const char *inner = dd_points_inner_path(name);
    dd_status status = inner ? read_inner(name, inner, rows) : read_plain(name, rows);
    if (!status)
        status = dd_rows_end(rows);
    if (status)
        dd_rows_free(rows);
    return status;
}
