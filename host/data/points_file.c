/* Chooses the reader for a file, and keeps the table that all readers fill. */
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

enum { LEAST_POINTS = 2 };

/* ---- the table ---- */

dd_status dd_rows_extend(dd_rows *rows, size_t n)
{
    size_t width = (size_t)rows->columns * sizeof *rows->value, needed = rows->n + n;
    if (needed > rows->room) {
        size_t room = n > 1 ? needed : rows->room ? 2 * rows->room : 4096;
        float *longer = needed > UINT32_MAX ? NULL : realloc(rows->value, room * width);
        if (!longer)
            return dd_fail(DD_ERR_MEMORY, "%s: out of memory for %zu rows", rows->name, needed);
        rows->value = longer;
        rows->room = room;
    }
    rows->n = needed;
    return DD_OK;
}

dd_status dd_rows_put(dd_rows *rows, size_t row, size_t place, int column, double value)
{
    float narrow = (float)value;
    if (!isfinite(narrow))
        return dd_fail(DD_ERR_DATA, "%s: row %zu, column %d: %s; every coordinate must be a finite number", rows->name,
                       place, column + 1, isnan(narrow) ? "NaN" : "infinite, or too large for float32");
    rows->value[row * (size_t)rows->columns + (size_t)column] = narrow;
    return DD_OK;
}

dd_status dd_rows_add(dd_rows *rows, size_t place, const double *value)
{
    DD_TRY(dd_rows_extend(rows, 1));
    for (int c = 0; c < rows->columns; c++)
        DD_TRY(dd_rows_put(rows, rows->n - 1, place, c, value[c]));
    return DD_OK;
}

dd_status dd_rows_check_compression(const dd_rows *rows, uint64_t size, uint64_t there)
{
    enum { MOST = 200, HARMLESS = 32 << 20 };
    if (size < HARMLESS || size / MOST <= there)
        return DD_OK;
    return dd_fail(
        DD_ERR_DATA,
        "%s: decompresses to more than %llu MB from %llu kB, which a table of points never does: the file is damaged, "
        "or made to fill the memory. If it is neither, give the decompressed file (gunzip, unzip)",
        rows->name, (unsigned long long)(size >> 20), (unsigned long long)(there >> 10));
}

dd_status dd_rows_wrong_shape(const dd_rows *rows, const char *what, int rank, const unsigned long long *size,
                              const char *transpose)
{
    char shape[256] = "()";
    for (int i = 0, at = 0; i < rank && at < (int)sizeof shape - 32; i++)
        at += snprintf(shape + at, sizeof shape - (size_t)at, "%s%llu%s", i ? ", " : "(", size[i],
                       i < rank - 1 ? ""
                       : rank == 1  ? ",)"
                                    : ")");
    bool transposed = rank == 2 && size[0] == (unsigned)rows->columns;
    return dd_fail(DD_ERR_DATA, "%s: %s of shape %s; points have shape (n, %d)%s%s", rows->name, what, shape,
                   rows->columns, transposed ? "; these seem to be transposed: " : "", transposed ? transpose : "");
}

/* ---- names ---- */

static bool has_ending(const char *path, size_t n, const char *ending)
{
    size_t m = strlen(ending);
    return n > m && !strncasecmp(path + n - m, ending, m);
}

typedef enum kind { UNKNOWN, TEXT, NPY, NPZ, HDF5 } kind;

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
    } magic[] = {{"\x89HDF\r\n\x1a\n", 8, HDF5}, {"\x93NUMPY", 6, NPY}, {"PK\3\4", 4, NPZ}};
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

static dd_status read_plain(const char *path, const dd_reading *reading, dd_rows *rows)
{
    struct stat status;
    if (!strcmp(path, "-"))
        return dd_points_read_csv(path, reading, rows);
    if (stat(path, &status) || access(path, R_OK))
        return cannot_open(path);
    if (S_ISDIR(status.st_mode))
        return dd_fail(DD_ERR_IO, "%s: a folder; name a file in it", path);
    if (!S_ISREG(status.st_mode)) /* a pipe, as the shell's <(COMMAND) makes them */
        return dd_points_read_csv(path, reading, rows);
    kind k = kind_by_ending(path, strlen(path));
    switch (k ? k : kind_by_content(path)) {
    case TEXT:
        return dd_points_read_csv(path, reading, rows);
    case NPY:
        return dd_points_read_npy(path, rows);
    case NPZ:
        return dd_points_read_npz(path, NULL, rows);
    case HDF5:
        return dd_points_read_hdf5(path, NULL, rows);
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

dd_status dd_points_read(const char *name, const dd_reading *reading, dd_points *points)
{
    dd_rows rows = {.name = strcmp(name, "-") ? name : "standard input", .columns = DD_POINT_COLUMNS};
    const char *inner = dd_points_inner_path(name);
    dd_status status = inner ? read_inner(name, inner, &rows) : read_plain(name, reading, &rows);
    if (!status && rows.n < LEAST_POINTS)
        status = dd_fail(DD_ERR_DATA, "%s: %zu point%s; at least %d are needed", rows.name, rows.n,
                         dd_plural((long long)rows.n), LEAST_POINTS);
    dd_columns_plain(&points->columns, rows.columns);
    points->x = rows.value;
    points->n = (uint32_t)rows.n;
    return status;
}
