/* Points from NumPy's files: .npy (numpy.lib.format, versions 1 to 3), and .npz, a zip archive of them. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#include "base/error.h"
#include "data/points_file.h"

/* ---- the source of the bytes ---- */

typedef struct source {
    FILE *file;
    zip_file_t *member; /* instead of file */
    const char *name;
    uint64_t left; /* bytes */
} source;

/* Read up to n bytes; fewer at the end or when a read fails, which sets *failed. */
static size_t take(source *s, void *to, size_t n, bool *failed)
{
    size_t got = 0;
    if (n > s->left)
        n = (size_t)s->left;
    if (s->file) {
        got = fread(to, 1, n, s->file);
        *failed = ferror(s->file);
    } else {
        zip_int64_t part = 1;
        while (got < n && (part = zip_fread(s->member, (char *)to + got, n - got)) > 0)
            got += (size_t)part;
        *failed = part < 0;
    }
    s->left -= got;
    return got;
}

static dd_status read_failed(const source *s)
{
    return s->file
               ? dd_fail(DD_ERR_IO, "%s: %s", s->name, strerror(errno))
               : dd_fail(DD_ERR_IO, "%s: damaged: %s; restore it from a copy", s->name, zip_file_strerror(s->member));
}

/* ---- header ---- */

enum { LONGEST_HEADER = 1 << 20, MOST_DIMENSIONS = 8 };

typedef struct layout {
    char kind; /* f, i or u */
    int size, big_endian, fortran;
    int rank;
    unsigned long long shape[MOST_DIMENSIONS];
} layout;

static dd_status not_npy(const source *s, const char *why)
{
    return dd_fail(DD_ERR_DATA, "%s: %s; save it with numpy.save(file, points.astype('float32'))", s->name, why);
}

/* The text after 'key': in the header's dictionary; NULL if there is none. */
static const char *header_value(const char *header, const char *key)
{
    const char *at = strstr(header, key);
    if (!at)
        return NULL;
    at += strlen(key);
    return at + strspn(at, " :");
}

static dd_status wrong_type(const source *s, const char *type)
{
    int shown = *type ? (int)strcspn(type + 1, "',") + 1 : 0;
    char text[120];
    if (*type == '[')
        return dd_fail(DD_ERR_DATA,
                       "%s: an array with fields, not of plain numbers; save "
                       "numpy.lib.recfunctions.structured_to_unstructured(points)",
                       s->name);
    if (strchr(type, 'O') && strchr(type, 'O') < type + shown)
        return not_npy(s, "an array of Python objects, not of plain numbers");
    snprintf(text, sizeof text, "numbers of type %.*s', which are not read", shown < 40 ? shown : 40, type);
    return not_npy(s, text);
}

/* '<f4' and the like. */
static dd_status parse_type(const source *s, const char *type, layout *l)
{
    int end = 0, native = 1;
    char order = 0;
    if (sscanf(type, "'%c%c%d'%n", &order, &l->kind, &l->size, &end) != 3 || !end || !strchr("<>=|", order))
        return wrong_type(s, type);
    int power = l->size == 1 || l->size == 2 || l->size == 4 || l->size == 8;
    if (!power || !strchr("fiu", l->kind) || (l->kind == 'f' && l->size == 1))
        return wrong_type(s, type);
    l->big_endian = order == '>' || (order == '=' && !*(const char *)&native);
    return DD_OK;
}

/* "(400, 2)"; false if the text is not a shape. */
static bool parse_shape(const char *text, layout *l)
{
    if (*text++ != '(')
        return false;
    for (l->rank = 0; l->rank < MOST_DIMENSIONS; l->rank++) {
        text += strspn(text, " ,");
        if (*text == ')')
            return true;
        char *end;
        l->shape[l->rank] = strtoull(text, &end, 10);
        if (end == text || *text == '-' || (*end != ',' && *end != ')'))
            return false;
        text = end;
    }
    return false;
}

static dd_status parse_header(const source *s, const dd_rows *rows, const char *header, layout *l)
{
    const char *type = header_value(header, "'descr'"), *order = header_value(header, "'fortran_order'");
    const char *shape = header_value(header, "'shape'");
    if (!type || !order || !shape)
        return not_npy(s, "malformed header");
    DD_TRY(parse_type(s, type, l));
    l->fortran = !strncmp(order, "True", 4);
    if (!parse_shape(shape, l))
        return not_npy(s, "malformed header");
    return dd_rows_check_shape(rows, "an array", l->rank, l->shape);
}

static dd_status read_header(source *s, const dd_rows *rows, layout *l)
{
    unsigned char start[12] = {0};
    bool failed;
    if (take(s, start, 10, &failed) != 10 || memcmp(start, "\x93NUMPY", 6))
        return failed ? read_failed(s) : not_npy(s, "not an NPY file");
    size_t length = start[8] + 256u * start[9];
    if (start[6] >= 2) {
        if (take(s, start + 10, 2, &failed) != 2)
            return failed ? read_failed(s) : not_npy(s, "truncated header");
        length += 65536u * start[10] + 16777216u * start[11];
    }
    if (length > LONGEST_HEADER)
        return not_npy(s, "header of an impossible length");
    char *header = malloc(length + 1);
    if (!header)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    bool complete = take(s, header, length, &failed) == length;
    header[complete ? length : 0] = '\0';
    dd_status status = complete ? parse_header(s, rows, header, l)
                       : failed ? read_failed(s)
                                : not_npy(s, "truncated header");
    free(header);
    return status;
}

/* ---- numbers ---- */

/* IEEE 754 binary16. */
static double half(uint64_t bits)
{
    int exponent = (int)(bits >> 10 & 31);
    double fraction = (double)(bits & 1023);
    double size = exponent == 31  ? (fraction > 0 ? NAN : INFINITY)
                  : exponent == 0 ? ldexp(fraction, -24)
                                  : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 ? -size : size;
}

static double decode(const unsigned char *bytes, const layout *l)
{
    uint64_t bits = 0;
    for (int i = 0; i < l->size; i++)
        bits = bits << 8 | bytes[l->big_endian ? i : l->size - 1 - i];
    if (l->kind == 'u')
        return (double)bits;
    if (l->kind == 'i') {
        int unused = 64 - 8 * l->size;
        return (double)((int64_t)(bits << unused) >> unused);
    }
    if (l->size == 2)
        return half(bits);
    if (l->size == 4) {
        float value;
        uint32_t low = (uint32_t)bits;
        memcpy(&value, &low, sizeof value);
        return (double)value;
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Where the values of each of the file's columns go in a row of the table; -1: nowhere. */
static void find_places(const dd_rows *rows, int place[DD_MOST_FILE_COLUMNS])
{
    for (int c = 0; c < rows->file.width; c++)
        place[c] = -1;
    for (int c = 0; c < rows->columns.count; c++)
        place[rows->source[c]] = c;
}

/* All values in the order of the file: row after row, or column after column. */
static dd_status read_values(source *s, const layout *l, uint64_t n, uint64_t width, dd_rows *rows)
{
    enum { BLOCK = 8192 };
    unsigned char bytes[BLOCK * 8];
    int place[DD_MOST_FILE_COLUMNS];
    uint64_t count = n * width, chosen = (uint64_t)rows->columns.count;
    find_places(rows, place);
    for (uint64_t done = 0; done < count;) {
        size_t block = count - done < BLOCK ? (size_t)(count - done) : BLOCK;
        bool failed;
        if (take(s, bytes, block * (size_t)l->size, &failed) != block * (size_t)l->size)
            return failed ? read_failed(s) : dd_fail(DD_ERR_DATA, "%s: it became shorter while it was read", s->name);
        for (size_t i = 0; i < block; i++, done++) {
            uint64_t row = l->fortran ? done % n : done / width, column = l->fortran ? done / n : done % width;
            if (place[column] >= 0)
                rows->value[row * chosen + (uint64_t)place[column]] = decode(bytes + i * (size_t)l->size, l);
        }
    }
    return DD_OK;
}

static dd_status read_array(source *s, dd_rows *rows)
{
    layout l = {0};
    DD_TRY(read_header(s, rows, &l));
    uint64_t n = l.shape[0], width = l.rank == 2 ? l.shape[1] : 1, there = s->left / (unsigned)l.size;
    if (n > there / width) { /* the first row with a missing value; in Fortran order it may be missing in any column */
        uint64_t row = l.fortran ? there % n : there / width;
        return dd_fail(DD_ERR_DATA, "%s: truncated: the header says %llu rows, row %llu is missing", s->name,
                       l.shape[0], (unsigned long long)row + 1);
    }
    rows->announced = n;
    DD_TRY(dd_rows_begin(rows, (int)width, NULL));
    DD_TRY(dd_rows_extend(rows, (size_t)n));
    DD_TRY(read_values(s, &l, n, width, rows));
    return dd_rows_check(rows);
}

dd_status dd_points_read_npy(const char *path, dd_rows *rows)
{
    struct stat status;
    source s = {.file = fopen(path, "rb"), .name = rows->name};
    if (!s.file || fstat(fileno(s.file), &status)) {
        int error = errno;
        if (s.file)
            fclose(s.file);
        return dd_fail(DD_ERR_IO, "%s: %s", rows->name, strerror(error));
    }
    s.left = (uint64_t)status.st_size;
    dd_status result = read_array(&s, rows);
    fclose(s.file);
    return result;
}

/* ---- NPZ ---- */

/* Names of the arrays, without .npy, as "x, y"; how many. */
static int list_arrays(zip_t *archive, char *out, size_t size)
{
    int count = 0;
    size_t at = 0;
    *out = '\0';
    for (zip_int64_t i = 0; i < zip_get_num_entries(archive, 0); i++) {
        const char *name = zip_get_name(archive, (zip_uint64_t)i, 0);
        size_t n = name ? strlen(name) : 0;
        if (n < 5 || strcmp(name + n - 4, ".npy"))
            continue;
        if (at + n + 3 < size)
            at += (size_t)snprintf(out + at, size - at, "%s%.*s", count ? ", " : "", (int)(n - 4), name);
        count++;
    }
    return count;
}

/* The index of the member that the user means; -1 with a message. A leading slash, as in an HDF5 path, is allowed. */
static zip_int64_t find_array(zip_t *archive, const char *path, const char *array, const dd_rows *rows)
{
    char names[600], member[300];
    int count = list_arrays(archive, names, sizeof names);
    if (!array && count != 1) {
        dd_fail(DD_ERR_DATA, count ? "%s: several arrays (%s); say which: %s:NAME" : "%s: no array in it", rows->name,
                names, path);
        return -1;
    }
    snprintf(member, sizeof member, "%s.npy", array ? array + (*array == '/') : names);
    zip_int64_t found = zip_name_locate(archive, member, 0);
    if (found < 0)
        dd_fail(DD_ERR_DATA, "%s: no array '%s' in it; there is: %s", path, array ? array : names, names);
    return found;
}

static dd_status read_member(const char *path, zip_t *archive, zip_int64_t index, dd_rows *rows)
{
    zip_stat_t about;
    struct stat file;
    source s = {.name = rows->name};
    if (!zip_stat_index(archive, (zip_uint64_t)index, 0, &about) && about.valid & ZIP_STAT_SIZE)
        s.left = about.size;
    if (!stat(path, &file))
        DD_TRY(dd_rows_check_compression(rows, s.left, (uint64_t)file.st_size));
    s.member = zip_fopen_index(archive, (zip_uint64_t)index, 0);
    if (!s.member)
        return dd_fail(DD_ERR_IO, "%s: cannot be read: %s", rows->name, zip_strerror(archive));
    dd_status status = read_array(&s, rows);
    char behind; /* a member's checksum is checked only at its end */
    if (!status && zip_fread(s.member, &behind, 1) < 0)
        status = read_failed(&s);
    zip_fclose(s.member);
    return status;
}

dd_status dd_points_read_npz(const char *path, const char *array, dd_rows *rows)
{
    int error = 0;
    zip_t *archive = zip_open(path, ZIP_RDONLY, &error);
    if (!archive) {
        zip_error_t reason;
        zip_error_init_with_code(&reason, error);
        dd_status status = dd_fail(DD_ERR_IO, "%s: not an NPZ file, or damaged: %s", path, zip_error_strerror(&reason));
        zip_error_fini(&reason);
        return status;
    }
    zip_int64_t index = find_array(archive, path, array, rows);
    dd_status status = index < 0 ? DD_ERR_DATA : read_member(path, archive, index, rows);
    zip_discard(archive);
    return status;
}
