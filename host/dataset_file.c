#include "dataset_file.h"

#include <errno.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "error.h"
#include "store_h5.h"

enum { LEAST_POINTS = 2 };

/* Points as they are read, growing. */
typedef struct sink {
    const char *path;
    float *xy;
    size_t n, room;
} sink;

static int add_point(sink *s, size_t row, double x, double y)
{
    float p[2] = {(float)x, (float)y};
    for (int c = 0; c < 2; c++)
        if (!isfinite(p[c]))
            return dd_fail(DD_ERR_DATA, "%s: row %zu, column %d: %s; every coordinate must be a finite number", s->path,
                           row, c + 1, isnan(p[c]) ? "NaN" : "infinite, or too large for float32");
    if (s->n == s->room) {
        size_t room = s->room ? 2 * s->room : 4096;
        float *longer = room > UINT32_MAX ? NULL : realloc(s->xy, 2 * room * sizeof *longer);
        if (!longer)
            return dd_fail(DD_ERR_MEMORY, "%s: out of memory at row %zu", s->path, row);
        s->xy = longer;
        s->room = room;
    }
    s->xy[2 * s->n] = p[0];
    s->xy[2 * s->n + 1] = p[1];
    s->n++;
    return DD_OK;
}

/* ---- CSV ---- */

static int is_separator(char c)
{
    return c == ',' || c == ';' || c == '\t' || c == ' ';
}

/* Split a line into numbers. Returns how many columns it has; *numbers counts those that are numbers. */
static int split(char *text, double value[2], int *numbers)
{
    int columns = 0;
    *numbers = 0;
    while (*text) {
        while (*text == ' ' || *text == '\t')
            text++;
        if (!*text)
            break;
        char *end = text;
        while (*end && !is_separator(*end))
            end++;
        char *after;
        double number = strtod(text, &after);
        if (after == end && end > text) {
            if (columns < 2)
                value[columns] = number;
            ++*numbers;
        }
        columns++;
        while (*end == ' ' || *end == '\t')
            end++;
        if (*end == ',' || *end == ';')
            end++;
        text = end;
    }
    return columns;
}

static int read_csv(FILE *file, sink *s)
{
    char *text = NULL;
    size_t room = 0, row = 0;
    ssize_t length;
    int status = DD_OK;
    while (!status && (length = getline(&text, &room, file)) >= 0) {
        row++;
        while (length && (text[length - 1] == '\n' || text[length - 1] == '\r'))
            text[--length] = '\0';
        if (row == 1 && !strncmp(text, "\xEF\xBB\xBF", 3))
            memset(text, ' ', 3); /* the byte order mark of a spreadsheet's UTF-8 */
        if (!text[strspn(text, " \t")])
            continue;
        double value[2] = {0, 0};
        int numbers, columns = split(text, value, &numbers);
        if (row == 1 && numbers == 0)
            continue; /* a header */
        if (columns != 2)
            status = dd_fail(DD_ERR_DATA, "%s: row %zu has %d columns; points have 2 (x and y)", s->path, row, columns);
        else if (numbers != 2)
            status = dd_fail(DD_ERR_DATA, "%s: row %zu: '%.60s' is not two numbers", s->path, row, text);
        else
            status = add_point(s, row, value[0], value[1]);
    }
    if (!status && ferror(file))
        status = dd_fail(DD_ERR_IO, "%s: %s", s->path, strerror(errno));
    free(text);
    return status;
}

/* ---- NPY (numpy.lib.format, versions 1 to 3) ---- */

static int not_npy(const char *path, const char *why)
{
    return dd_fail(DD_ERR_DATA,
                   "%s: %s; save it with numpy.save(file, "
                   "numpy.ascontiguousarray(points, 'float32'))",
                   path, why);
}

/* The text behind 'key': in the header's dictionary; NULL if it is not there. */
static const char *header_value(const char *header, const char *key)
{
    const char *at = strstr(header, key);
    if (!at)
        return NULL;
    at += strlen(key);
    return at + strspn(at, "': ");
}

static double decode(const unsigned char *bytes, int size, int big_endian)
{
    unsigned char order[8] = {0};
    for (int i = 0; i < size; i++)
        order[i] = big_endian ? bytes[size - 1 - i] : bytes[i];
    if (size == 4) {
        float value;
        memcpy(&value, order, 4);
        return value;
    }
    double value;
    memcpy(&value, order, 8);
    return value;
}

static int read_npy(FILE *file, sink *s)
{
    unsigned char start[12];
    if (fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY", 6))
        return not_npy(s->path, "not an NPY file");
    size_t length = start[8] + 256u * start[9];
    if (start[6] >= 2) {
        if (fread(start + 10, 1, 2, file) != 2)
            return not_npy(s->path, "truncated header");
        length += 65536u * start[10] + 16777216u * start[11];
    }
    if (length > 1u << 20)
        return not_npy(s->path, "header of an impossible length");
    char *header = malloc(length + 1);
    if (!header)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    int complete = fread(header, 1, length, file) == length;
    header[complete ? length : 0] = '\0';
    const char *type = header_value(header, "'descr'"), *order = header_value(header, "'fortran_order'");
    const char *shape = header_value(header, "'shape'");
    unsigned long long rows = 0, columns = 0;
    int end = 0;
    int status = DD_OK;
    char kind = type ? *type : 0;
    int size = type && type[0] && type[1] == 'f' ? type[2] - '0' : 0;
    if (!complete || !type || !order || !shape)
        status = not_npy(s->path, "truncated or malformed header");
    else if ((kind != '<' && kind != '>' && kind != '=') || (size != 4 && size != 8))
        status = not_npy(s->path, "not float32 or float64");
    else if (strncmp(order, "False", 5))
        status = not_npy(s->path, "in Fortran order");
    else if (sscanf(shape, "(%llu, %llu)%n", &rows, &columns, &end) != 2 || !end || columns != 2)
        status = dd_fail(DD_ERR_DATA, "%s: shape %.*s; points have shape (n, 2)", s->path,
                         (int)(strcspn(shape, ")") + 1 < 40 ? strcspn(shape, ")") + 1 : 40), shape);
    free(header);
    for (unsigned long long row = 0; row < rows && !status; row++) {
        unsigned char bytes[16];
        if (fread(bytes, 1, 2 * (size_t)size, file) != 2 * (size_t)size)
            status = dd_fail(DD_ERR_DATA, "%s: truncated: the header says %llu rows, row %llu is missing", s->path,
                             rows, row + 1);
        else
            status = add_point(s, row + 1, decode(bytes, size, kind == '>'), decode(bytes + size, size, kind == '>'));
    }
    return status;
}

/* ---- HDF5 ---- */

const char *dd_points_hdf5_path(const char *name)
{
    for (const char *colon = strchr(name, ':'); colon; colon = strchr(colon + 1, ':')) {
        size_t stem = (size_t)(colon - name);
        if (colon[1] == '/' &&
            ((stem > 3 && !strncasecmp(colon - 3, ".h5", 3)) || (stem > 5 && !strncasecmp(colon - 5, ".hdf5", 5))))
            return colon + 1;
    }
    return NULL;
}

static int read_hdf5(const char *name, const char *inside, sink *s)
{
    char *path = strndup(name, (size_t)(inside - 1 - name));
    if (!path)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_h5_quiet();
    hid_t file = -1, set = -1, space = -1, type = -1;
    double *values = NULL;
    hsize_t shape[2] = {0, 0};
    int status = dd_h5_open(path, &file);
    if (!status) {
        set = H5Dopen2(file, inside, H5P_DEFAULT);
        space = set >= 0 ? H5Dget_space(set) : -1;
        type = set >= 0 ? H5Dget_type(set) : -1;
        if (set < 0)
            status =
                dd_fail(DD_ERR_DATA, "%s: no dataset %s in it; `h5ls -r %s` lists what there is", path, inside, path);
        else if (H5Sget_simple_extent_ndims(space) != 2 || H5Sget_simple_extent_dims(space, shape, NULL) < 0 ||
                 shape[1] != 2)
            status = dd_fail(DD_ERR_DATA, "%s: the dataset's shape is not (n, 2)", name);
        else if (H5Tget_class(type) != H5T_FLOAT && H5Tget_class(type) != H5T_INTEGER)
            status = dd_fail(DD_ERR_DATA, "%s: the dataset does not hold numbers", name);
    }
    if (!status) {
        values = shape[0] > UINT32_MAX ? NULL : malloc((size_t)shape[0] * 2 * sizeof *values + 1);
        if (!values)
            status = dd_fail(DD_ERR_MEMORY, "%s: out of memory for %llu rows", name, (unsigned long long)shape[0]);
        else if (H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
            status = dd_h5_fail(DD_ERR_IO, "%s: cannot be read", name);
    }
    for (size_t row = 0; row < shape[0] && !status; row++)
        status = add_point(s, row + 1, values[2 * row], values[2 * row + 1]);
    free(values);
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    if (set >= 0)
        H5Dclose(set);
    if (file >= 0)
        H5Fclose(file);
    free(path);
    return status;
}

/* ---- any of them ---- */

static int has_ending(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n > m && !strcasecmp(path + n - m, ending);
}

static int cannot_open(const char *path)
{
    const char *closest = errno == ENOENT && !strchr(path, '/') ? dd_closest_dataset(path) : NULL;
    if (closest)
        return dd_fail(DD_ERR_DATA, "no dataset and no file is called '%s'; did you mean '%s'?", path, closest);
    return dd_fail(DD_ERR_IO,
                   "%s: %s; a dataset is circle, dino, line, moons, another that README.md lists, or a "
                   "file (.csv, .npy, FILE.h5:/path)",
                   path, strerror(errno));
}

int dd_points_read(const char *path, dd_points *points)
{
    sink s = {.path = path};
    const char *inside = dd_points_hdf5_path(path);
    int status;
    if (inside) {
        status = read_hdf5(path, inside, &s);
    } else {
        FILE *file = fopen(path, "rb");
        if (!file)
            return cannot_open(path);
        if (has_ending(path, ".csv") || has_ending(path, ".txt"))
            status = read_csv(file, &s);
        else if (has_ending(path, ".npy"))
            status = read_npy(file, &s);
        else if (has_ending(path, ".h5") || has_ending(path, ".hdf5"))
            status = dd_fail(DD_ERR_DATA, "%s: say which dataset in it: %s:/path/in/file", path, path);
        else
            status = dd_fail(DD_ERR_DATA, "%s: unknown kind of file; use .csv, .npy or FILE.h5:/path", path);
        fclose(file);
    }
    if (!status && s.n < LEAST_POINTS)
        status = dd_fail(DD_ERR_DATA, "%s: %zu points; at least %d are needed", path, s.n, LEAST_POINTS);
    points->xy = s.xy;
    points->n = (uint32_t)s.n;
    return status;
}
