#include "hdf5/h5.h"

#include <hdf5_hl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean_text.h"
#include "base/names.h"
#include "hdf5/h5_driver.h"

/* ---- errors ---- */

void dd_h5_quiet(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* The first entry of an upward walk is the place of the error. It quotes a failed system call as "error message =
 * '...'"; that part helps a user. */
static herr_t take_reason(unsigned n, const H5E_error2_t *entry, void *user)
{
    char *reason = user;
    if (n == 0 && entry->desc) {
        const char *quote = strstr(entry->desc, "error message = '");
        if (quote) {
            quote += strlen("error message = '");
            snprintf(reason, 256, "%.*s", (int)strcspn(quote, "'"), quote);
        } else {
            snprintf(reason, 256, "%s", entry->desc);
        }
    }
    return 0;
}

dd_status dd_h5_fail(dd_status status, const char *format, ...)
{
    char text[1024], reason[256] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_reason, reason);
    H5Eclear2(H5E_DEFAULT);
    return dd_fail(status, "%s%s%s", text, *reason ? ": " : "", reason);
}

/* ---- writing ---- */

void dd_h5_check(dd_h5_file *f, bool ok, const char *what)
{
    if (f->status)
        return;
    if (f->error)
        f->status = dd_fail_writing(f->path, f->error);
    else if (!ok)
        f->status = dd_h5_fail(DD_ERR_IO, "%s: cannot write %s", f->path, what);
}

/* A node of a chunk index holds up to 8 chunks instead of 64. In the format of HDF5 1.8 every dataset has such a node,
 * although most have only one chunk; with 64 the node would take 2 kB. */
static hid_t file_properties(void)
{
    enum { HALF_NODE = 4 };
    hid_t properties = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_istore_k(properties, HALF_NODE);
    return properties;
}

static void create(dd_h5_file *f, const char *path, H5F_libver_t format)
{
    hid_t access = dd_driver_access(format, format, &f->error), properties = file_properties();
    f->id = access < 0 ? -1 : H5Fcreate(path, H5F_ACC_TRUNC, properties, access);
    if (f->id < 0)
        f->status = dd_h5_fail(DD_ERR_IO, "%s: cannot be created", f->path);
    H5Pclose(properties);
    if (access >= 0)
        H5Pclose(access);
}

void dd_h5_create(dd_h5_file *f, const char *path)
{
    dd_h5_quiet();
    *f = (dd_h5_file){.id = -1, .path = path};
    create(f, path, H5F_LIBVER_LATEST);
}

void dd_h5_create_output(dd_h5_file *f, const dd_output *out, H5F_libver_t format)
{
    dd_h5_quiet();
    *f = (dd_h5_file){.id = -1, .path = out->name};
    if (dd_output_is_in_place(out))
        f->status =
            dd_fail(DD_ERR_IO, "%s: is not a regular file, and HDF5 can only be written to a regular file", out->name);
    else
        create(f, out->temporary, format);
}

/* Closes `access`. */
static void open_to_write(dd_h5_file *f, const char *path, unsigned flags, hid_t access)
{
    f->id = access < 0 ? -1 : H5Fopen(path, H5F_ACC_RDWR | flags, access);
    if (f->id < 0)
        f->status = dd_h5_fail(DD_ERR_IO, "%s: cannot be opened for writing", f->path);
    if (access >= 0)
        H5Pclose(access);
}

void dd_h5_open_swmr(dd_h5_file *f, const char *path)
{
    *f = (dd_h5_file){.id = -1, .path = path};
    open_to_write(f, path, H5F_ACC_SWMR_WRITE, dd_driver_access(H5F_LIBVER_LATEST, H5F_LIBVER_LATEST, &f->error));
}

/* Space is allocated byte for byte: with larger blocks, the space of a removed group would stay in the file. */
void dd_h5_edit(dd_h5_file *f, const dd_output *out)
{
    dd_h5_quiet();
    *f = (dd_h5_file){.id = -1, .path = out->name};
    hid_t access = dd_driver_access(H5F_LIBVER_V18, H5F_LIBVER_LATEST, &f->error);
    if (access >= 0) {
        H5Pset_meta_block_size(access, 0);
        H5Pset_small_data_block_size(access, 0);
    }
    open_to_write(f, out->temporary, 0, access);
}

void dd_h5_remove(dd_h5_file *f, const char *name)
{
    if (!f->status && H5Lexists(f->id, name, H5P_DEFAULT) > 0)
        dd_h5_check(f, H5Ldelete(f->id, name, H5P_DEFAULT) >= 0, name);
}

void dd_h5_flush(dd_h5_file *f)
{
    if (!f->status)
        dd_h5_check(f, H5Fflush(f->id, H5F_SCOPE_GLOBAL) >= 0, "to the end");
}

dd_status dd_h5_close(dd_h5_file *f)
{
    if (f->id >= 0) {
        dd_h5_check(f, H5Fclose(f->id) >= 0, "to the end");
        f->id = -1;
    }
    return f->status;
}

void dd_h5_group(dd_h5_file *f, const char *name)
{
    if (f->status)
        return;
    hid_t group = H5Gcreate2(f->id, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    dd_h5_check(f, group >= 0, name);
    if (group >= 0)
        H5Gclose(group);
}

static hid_t text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

/* Closes the dataspace. */
static void attribute_of(dd_h5_file *f, hid_t object, const char *name, hid_t type, hid_t space, const void *value)
{
    hid_t id = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    dd_h5_check(f, id >= 0 && H5Awrite(id, type, value) >= 0, name);
    if (id >= 0)
        H5Aclose(id);
    H5Sclose(space);
}

static void attribute(dd_h5_file *f, hid_t object, const char *name, hid_t type, const void *value)
{
    attribute_of(f, object, name, type, H5Screate(H5S_SCALAR), value);
}

static void text_attribute(dd_h5_file *f, hid_t object, const char *name, const char *value)
{
    if (!value)
        return;
    hid_t type = text_type();
    attribute(f, object, name, type, &value);
    H5Tclose(type);
}

/* Runs its body with the object `at` open. */
static hid_t open_object(dd_h5_file *f, const char *at)
{
    hid_t object = f->status ? -1 : H5Oopen(f->id, at, H5P_DEFAULT);
    dd_h5_check(f, object >= 0, at);
    return object;
}

void dd_h5_text_attribute(dd_h5_file *f, const char *at, const char *name, const char *value)
{
    hid_t object = open_object(f, at);
    if (object < 0)
        return;
    text_attribute(f, object, name, value);
    H5Oclose(object);
}

void dd_h5_names_attribute(dd_h5_file *f, const char *at, const char *name, const char *first, size_t stride, int count)
{
    hid_t object = open_object(f, at);
    if (object < 0)
        return;
    const char *value[DD_H5_NAMES];
    for (int i = 0; i < count; i++)
        value[i] = first + (size_t)i * stride;
    hid_t type = text_type();
    attribute_of(f, object, name, type, H5Screate_simple(1, (const hsize_t[1]){(hsize_t)count}, NULL), value);
    H5Tclose(type);
    H5Oclose(object);
}

void dd_h5_integer_attribute(dd_h5_file *f, const char *at, const char *name, unsigned long long value)
{
    hid_t object = open_object(f, at);
    if (object < 0)
        return;
    uint64_t number = value;
    attribute(f, object, name, H5T_NATIVE_UINT64, &number);
    H5Oclose(object);
}

/* All bits set: NaN, or -1. In the format of HDF5 1.8 a chunk index has no checksum, and a chunk that HDF5 does not
 * find reads as the fill value. Zeros would look like data; no arithmetic gives this NaN. */
static const unsigned char lost[sizeof(double)] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* n values of `size` bytes. */
static bool none_lost(const void *values, size_t size, size_t n)
{
    const char *value = values;
    size_t i = 0;
    while (i < n && memcmp(value + i * size, lost, size) != 0)
        i++;
    return i == n;
}

static hid_t creation_properties(const dd_h5_spec *s)
{
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    if (s->rank > 0) {
        hsize_t chunk[DD_H5_RANK];
        for (int i = 0; i < s->rank; i++)
            chunk[i] = s->chunk[i] ? s->chunk[i] : s->size[i];
        H5Pset_chunk(properties, s->rank, chunk);
        H5Pset_fletcher32(properties);
        H5Pset_fill_value(properties, s->type, s->fill ? s->fill : lost);
    }
    return properties;
}

/* CRC-32 as in zlib, PNG and Ethernet. */
static uint32_t crc32(const void *data, size_t n)
{
    uint32_t crc = ~0u;
    for (const unsigned char *p = data; n--; p++) {
        crc ^= *p;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static const char crc_name[] = "crc32";

/* HDF5 has checksums for chunks and headers, but none for a scalar dataset. (A value in the header would have one, but
 * small readers do not support that.) */
static void write_crc(dd_h5_file *f, hid_t set, hid_t type, const void *value)
{
    uint32_t crc = crc32(value, H5Tget_size(type));
    attribute(f, set, crc_name, H5T_NATIVE_UINT32, &crc);
}

static void attach_scales(dd_h5_file *f, hid_t set, const dd_h5_spec *s)
{
    if (s->rank == 1 && !s->dimension[0]) {
        const char *slash = strrchr(s->name, '/');
        dd_h5_check(f, H5DSset_scale(set, slash ? slash + 1 : s->name) >= 0, s->name);
        return;
    }
    for (int i = 0; i < s->rank; i++) {
        hid_t scale = H5Dopen2(f->id, s->dimension[i], H5P_DEFAULT);
        dd_h5_check(f, scale >= 0 && H5DSattach_scale(set, scale, (unsigned)i) >= 0, s->dimension[i]);
        if (scale >= 0)
            H5Dclose(scale);
    }
}

void dd_h5_dataset(dd_h5_file *f, const dd_h5_spec *s, const void *data)
{
    if (f->status)
        return;
    hsize_t most[DD_H5_RANK];
    for (int i = 0; i < s->rank; i++)
        most[i] = i == 0 && s->grows ? H5S_UNLIMITED : s->size[i];
    hid_t space = s->rank ? H5Screate_simple(s->rank, s->size, most) : H5Screate(H5S_SCALAR);
    hid_t properties = creation_properties(s);
    hid_t set = H5Dcreate2(f->id, s->name, s->type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    dd_h5_check(f, set >= 0, s->name);
    if (set >= 0) {
        if (data)
            dd_h5_check(f, H5Dwrite(set, s->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0, s->name);
        attach_scales(f, set, s);
        text_attribute(f, set, "units", s->units);
        text_attribute(f, set, "long_name", s->long_name);
        if (s->fill)
            attribute(f, set, "_FillValue", s->type, s->fill);
        if (!s->rank)
            write_crc(f, set, s->type, data);
        dd_h5_check(f, H5Dclose(set) >= 0, s->name);
    }
    H5Pclose(properties);
    H5Sclose(space);
}

void dd_h5_whole_scale(dd_h5_file *f, const char *name, hsize_t n, const int *value, const char *long_name)
{
    dd_h5_dataset(
        f,
        &(dd_h5_spec){
            .name = name, .type = H5T_NATIVE_INT, .rank = 1, .size = {n}, .units = "1", .long_name = long_name},
        value);
}

static void counted_scale(dd_h5_file *f, const char *name, hsize_t n, int first, const char *long_name)
{
    int *value = f->status ? NULL : malloc((size_t)n * sizeof *value);
    if (!value) {
        if (!f->status)
            f->status = dd_fail(DD_ERR_MEMORY, "%s: out of memory for %s", f->path, name);
        return;
    }
    for (hsize_t i = 0; i < n; i++)
        value[i] = first + (int)i;
    dd_h5_whole_scale(f, name, n, value, long_name);
    free(value);
}

void dd_h5_index_scale(dd_h5_file *f, const char *name, hsize_t n, const char *long_name)
{
    counted_scale(f, name, n, 0, long_name);
}

void dd_h5_expert_scale(dd_h5_file *f, const char *name, hsize_t n)
{
    counted_scale(f, name, n, 1, "number of an expert");
}

void dd_h5_text(dd_h5_file *f, const char *name, const char *text, const char *long_name)
{
    if (f->status)
        return;
    hid_t type = H5Tcopy(H5T_C_S1); /* ASCII, because Octave needs it and HDF5 does not convert UTF-8 */
    H5Tset_size(type, strlen(text));
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    dd_h5_dataset(f, &(dd_h5_spec){.name = name, .type = type, .long_name = long_name}, text);
    H5Tclose(type);
}

/* ---- reading ---- */

/* A file from another program may have an array where one value is expected. */
static bool is_one(hid_t space)
{
    bool one = space >= 0 && H5Sget_simple_extent_npoints(space) == 1;
    if (space >= 0)
        H5Sclose(space);
    return one;
}

static dd_status read_attribute(hid_t file, const char *path, const char *name, hid_t type, void *out)
{
    hid_t id = H5Aopen(file, name, H5P_DEFAULT);
    bool ok = id >= 0 && is_one(H5Aget_space(id)) && H5Aread(id, type, out) >= 0;
    if (id >= 0)
        H5Aclose(id);
    H5Eclear2(H5E_DEFAULT);
    return ok ? DD_OK
              : dd_fail(DD_ERR_IO,
                        "%s: not a file of dualdiff, or damaged: attribute '%s' is missing or is not a single value",
                        path, name);
}

/* Whether the file can really hold n values of the dataset. Deflate, the strongest filter that a copy of our file may
 * use, packs at most 1032 bytes into one. A dataset with a larger size is damaged or forged, and reading it would fill
 * the memory. (H5Dget_storage_size is no help: it does not return on a forged chunk index.) */
static bool holds_values(hid_t set, hsize_t n)
{
    static const double densest = 1032;
    hid_t type = H5Dget_type(set), file = H5Iget_file_id(set);
    hsize_t whole = 0;
    size_t size = H5Tget_size(type);
    H5Fget_filesize(file, &whole);
    H5Fclose(file);
    H5Tclose(type);
    return (double)n * (double)size <= densest * (double)whole;
}

/* Whether the value of a scalar matches its checksum. Older files have no checksum. */
static bool matches_crc(hid_t set, const void *value, size_t size)
{
    uint32_t stored = 0;
    if (H5Aexists(set, crc_name) <= 0)
        return true;
    hid_t id = H5Aopen(set, crc_name, H5P_DEFAULT);
    bool ok = id >= 0 && is_one(H5Aget_space(id)) && H5Aread(id, H5T_NATIVE_UINT32, &stored) >= 0;
    if (id >= 0)
        H5Aclose(id);
    return ok && stored == crc32(value, size);
}

static hid_t open_scalar(hid_t file, const char *name)
{
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    if (set < 0 || (is_one(H5Dget_space(set)) && holds_values(set, 1)))
        return set;
    H5Dclose(set);
    return -1;
}

dd_status dd_h5_read_exact_attribute(hid_t file, const char *path, const char *name, char *out, size_t size)
{
    char *text = NULL;
    hid_t type = text_type();
    dd_status status = read_attribute(file, path, name, type, &text);
    snprintf(out, size, "%s", !status && text ? text : "");
    H5free_memory(text);
    H5Tclose(type);
    return status;
}

dd_status dd_h5_read_text_attribute(hid_t file, const char *path, const char *name, char *out, size_t size)
{
    dd_status status = dd_h5_read_exact_attribute(file, path, name, out, size);
    dd_clean_line(out);
    return status;
}

/* Whether a dataspace has one dimension of `count` elements; closes it. */
static bool is_list(hid_t space, int count)
{
    bool is = space >= 0 && H5Sget_simple_extent_ndims(space) == 1 && H5Sget_simple_extent_npoints(space) == count;
    if (space >= 0)
        H5Sclose(space);
    return is;
}

dd_status dd_h5_read_names_attribute(hid_t file, const char *path, const char *at, const char *name, char *first,
                                     size_t stride, int count)
{
    char *value[DD_H5_NAMES] = {0};
    hid_t id = H5Aopen_by_name(file, at, name, H5P_DEFAULT, H5P_DEFAULT), type = text_type();
    bool ok = id >= 0 && is_list(H5Aget_space(id), count) && H5Aread(id, type, value) >= 0;
    for (int i = 0; i < count; i++) {
        snprintf(first + (size_t)i * stride, stride, "%s", value[i] ? value[i] : "");
        dd_clean_line(first + (size_t)i * stride);
        H5free_memory(value[i]);
    }
    if (id >= 0)
        H5Aclose(id);
    H5Tclose(type);
    H5Eclear2(H5E_DEFAULT);
    return ok ? DD_OK
              : dd_fail(DD_ERR_IO, "%s: damaged: the attribute '%s' of %s is missing, or is not %d texts", path, name,
                        at, count);
}

dd_status dd_h5_read_integer_attribute(hid_t file, const char *path, const char *name, unsigned long long *out)
{
    uint64_t number = 0;
    dd_status status = read_attribute(file, path, name, H5T_NATIVE_UINT64, &number);
    *out = number;
    return status;
}

/* As in files of older programs. */
static char *read_variable_text(hid_t set)
{
    char *text = NULL, *copy = NULL;
    hid_t type = text_type();
    if (H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &text) >= 0 && text)
        copy = strdup(text);
    H5free_memory(text);
    H5Tclose(type);
    return copy;
}

static char *read_fixed_text(hid_t set, hid_t type)
{
    enum { LONGEST = 1 << 20 };
    size_t size = H5Tget_class(type) == H5T_STRING ? H5Tget_size(type) : 0;
    char *text = size && size <= LONGEST ? calloc(size + 1, 1) : NULL;
    if (text && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0 && matches_crc(set, text, size))
        return text;
    free(text);
    return NULL;
}

char *dd_h5_read_text(hid_t file, const char *name)
{
    hid_t set = open_scalar(file, name), type = set >= 0 ? H5Dget_type(set) : -1;
    char *text = NULL;
    if (type >= 0)
        text = H5Tis_variable_str(type) > 0 ? read_variable_text(set) : read_fixed_text(set, type);
    if (type >= 0)
        H5Tclose(type);
    if (set >= 0)
        H5Dclose(set);
    H5Eclear2(H5E_DEFAULT);
    return text;
}

dd_status dd_h5_read_double(hid_t file, const char *path, const char *name, double *out)
{
    hid_t set = open_scalar(file, name);
    bool ok = set >= 0 && H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0 &&
              matches_crc(set, out, sizeof *out);
    if (set >= 0)
        H5Dclose(set);
    return ok ? DD_OK : dd_h5_fail(DD_ERR_IO, "%s: %s is missing or damaged", path, name);
}

dd_status dd_h5_size(hid_t file, const char *path, const char *name, int rank, hsize_t size[DD_H5_RANK])
{
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = set >= 0 ? H5Dget_space(set) : -1;
    bool ok = space >= 0 && H5Sget_simple_extent_ndims(space) == rank;
    if (ok)
        H5Sget_simple_extent_dims(space, size, NULL);
    if (space >= 0)
        H5Sclose(space);
    if (set >= 0)
        H5Dclose(set);
    return ok ? DD_OK : dd_h5_fail(DD_ERR_IO, "%s: %s is missing, damaged or not of rank %d", path, name, rank);
}

/* A whole dataset as `type`, float32 or float64. */
static dd_status read_numbers(hid_t file, const char *path, const char *name, int rank, const hsize_t *size, hid_t type,
                              void *out)
{
    hsize_t there[DD_H5_RANK] = {0};
    DD_TRY(dd_h5_size(file, path, name, rank, there));
    for (int i = 0; i < rank; i++)
        if (there[i] != size[i])
            return dd_fail(DD_ERR_IO, "%s: dimension %d of %s has %llu elements, not %llu", path, i, name,
                           (unsigned long long)there[i], (unsigned long long)size[i]);
    hsize_t n = 1;
    for (int i = 0; i < rank; i++)
        n *= size[i];
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    bool ok = set >= 0 && holds_values(set, n) && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0 &&
              none_lost(out, H5Tget_size(type), (size_t)n);
    if (set >= 0)
        H5Dclose(set);
    return ok ? DD_OK : dd_h5_fail(DD_ERR_IO, "%s: %s is damaged; restore the file from a copy", path, name);
}

dd_status dd_h5_read_floats(hid_t file, const char *path, const char *name, int rank, const hsize_t *size, float *out)
{
    return read_numbers(file, path, name, rank, size, H5T_NATIVE_FLOAT, out);
}

dd_status dd_h5_read_doubles(hid_t file, const char *path, const char *name, int rank, const hsize_t *size, double *out)
{
    return read_numbers(file, path, name, rank, size, H5T_NATIVE_DOUBLE, out);
}
