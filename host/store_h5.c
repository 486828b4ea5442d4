#include "store_h5.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5_hl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- errors ---- */

void dd_h5_quiet(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* The first entry of an upward walk is where the error arose. A failed system call is quoted there as
 * "error message = '...'"; that part is what a user can act on. */
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

int dd_h5_fail(dd_status status, const char *format, ...)
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

int dd_h5_open(const char *path, hid_t *file)
{
    dd_h5_quiet();
    *file = -1;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return dd_fail(DD_ERR_IO, "%s: %s", path, strerror(errno));
    close(descriptor);
    htri_t is_hdf5 = H5Fis_hdf5(path);
    if (is_hdf5 <= 0)
        return dd_fail(DD_ERR_IO, "%s: not an HDF5 file, or its beginning is damaged", path);
    *file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (*file < 0)
        *file = H5Fopen(path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, H5P_DEFAULT);
    if (*file < 0)
        return dd_h5_fail(DD_ERR_IO, "%s: truncated or damaged; restore it from a copy, or remove it to start anew",
                          path);
    return DD_OK;
}

/* ---- writing ---- */

void dd_h5_check(dd_h5_file *f, int ok, const char *what)
{
    if (!ok && !f->status)
        f->status = dd_h5_fail(DD_ERR_IO, "%s: cannot write %s", f->path, what);
}

void dd_h5_create(dd_h5_file *f, const char *path)
{
    dd_h5_quiet();
    *f = (dd_h5_file){.id = -1, .path = path};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST); /* SWMR needs the newer format */
    f->id = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    if (f->id < 0)
        f->status = dd_h5_fail(DD_ERR_IO, "%s: cannot be created", path);
}

int dd_h5_close(dd_h5_file *f)
{
    if (f->id >= 0) {
        dd_h5_check(f, H5Fflush(f->id, H5F_SCOPE_GLOBAL) >= 0, "to the end");
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

static void attribute(dd_h5_file *f, hid_t object, const char *name, hid_t type, const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t id = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    dd_h5_check(f, id >= 0 && H5Awrite(id, type, value) >= 0, name);
    if (id >= 0)
        H5Aclose(id);
    H5Sclose(space);
}

static void text_attribute(dd_h5_file *f, hid_t object, const char *name, const char *value)
{
    if (!value)
        return;
    hid_t type = text_type();
    attribute(f, object, name, type, &value);
    H5Tclose(type);
}

/* Run with the object `at` open. */
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

void dd_h5_integer_attribute(dd_h5_file *f, const char *at, const char *name, long long value)
{
    hid_t object = open_object(f, at);
    if (object < 0)
        return;
    int64_t number = value;
    attribute(f, object, name, H5T_NATIVE_INT64, &number);
    H5Oclose(object);
}

static hid_t creation_properties(const dd_h5_spec *s)
{
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    if (s->rank > 0) {
        hsize_t chunk[2];
        for (int i = 0; i < s->rank; i++)
            chunk[i] = s->chunk[i] ? s->chunk[i] : s->size[i];
        H5Pset_chunk(properties, s->rank, chunk);
        H5Pset_fletcher32(properties);
    }
    if (s->fill)
        H5Pset_fill_value(properties, s->type, s->fill);
    return properties;
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
    hsize_t most[2];
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
        dd_h5_check(f, H5Dclose(set) >= 0, s->name);
    }
    H5Pclose(properties);
    H5Sclose(space);
}

void dd_h5_index_scale(dd_h5_file *f, const char *name, hsize_t n, const char *long_name)
{
    int32_t *index = f->status ? NULL : malloc((size_t)n * sizeof *index);
    if (!index) {
        if (!f->status)
            f->status = dd_fail(DD_ERR_MEMORY, "%s: out of memory for %s", f->path, name);
        return;
    }
    for (hsize_t i = 0; i < n; i++)
        index[i] = (int32_t)i;
    dd_h5_dataset(
        f,
        &(dd_h5_spec){
            .name = name, .type = H5T_NATIVE_INT32, .rank = 1, .size = {n}, .units = "1", .long_name = long_name},
        index);
    free(index);
}

void dd_h5_text(dd_h5_file *f, const char *name, const char *text, const char *long_name)
{
    if (f->status)
        return;
    hid_t type = text_type();
    dd_h5_dataset(f, &(dd_h5_spec){.name = name, .type = type, .long_name = long_name}, &text);
    H5Tclose(type);
}

/* ---- reading ---- */

int dd_h5_read_text_attribute(hid_t file, const char *path, const char *name, char *out, size_t size)
{
    char *text = NULL;
    hid_t type = text_type();
    hid_t id = H5Aopen(file, name, H5P_DEFAULT);
    int ok = id >= 0 && H5Aread(id, type, &text) >= 0 && text;
    if (ok) {
        snprintf(out, size, "%s", text);
        H5free_memory(text);
    }
    if (id >= 0)
        H5Aclose(id);
    H5Tclose(type);
    return ok ? DD_OK : dd_fail(DD_ERR_IO, "%s: no dualdiff file: attribute '%s' is missing or damaged", path, name);
}

int dd_h5_read_integer_attribute(hid_t file, const char *path, const char *name, long long *out)
{
    int64_t number = 0;
    hid_t id = H5Aopen(file, name, H5P_DEFAULT);
    int ok = id >= 0 && H5Aread(id, H5T_NATIVE_INT64, &number) >= 0;
    if (id >= 0)
        H5Aclose(id);
    *out = number;
    return ok ? DD_OK : dd_fail(DD_ERR_IO, "%s: no dualdiff file: attribute '%s' is missing or damaged", path, name);
}

char *dd_h5_read_text(hid_t file, const char *name)
{
    char *text = NULL, *copy = NULL;
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT), type = text_type();
    if (set >= 0 && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &text) >= 0 && text) {
        copy = strdup(text);
        H5free_memory(text);
    }
    if (set >= 0)
        H5Dclose(set);
    H5Tclose(type);
    return copy;
}

int dd_h5_read_floats(hid_t file, const char *path, const char *name, size_t count, float *out)
{
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = set >= 0 ? H5Dget_space(set) : -1;
    int status = DD_OK;
    if (set < 0 || H5Sget_simple_extent_npoints(space) != (hssize_t)count)
        status = dd_h5_fail(DD_ERR_IO, "%s: %s is missing or has another size than the configuration says", path, name);
    else if (H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        status = dd_h5_fail(DD_ERR_IO, "%s: %s is damaged; restore the file from a copy", path, name);
    if (space >= 0)
        H5Sclose(space);
    if (set >= 0)
        H5Dclose(set);
    return status;
}

/* ---- files that appear whole ---- */

char *dd_path_with(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    char *out = malloc(n + m + 1);
    if (out) {
        memcpy(out, path, n);
        memcpy(out + n, suffix, m + 1);
    }
    return out;
}

static int sync_path(const char *path, int flags)
{
    int descriptor = open(path, flags | O_CLOEXEC);
    int ok = descriptor >= 0 && fsync(descriptor) == 0;
    int reason = errno;
    if (descriptor >= 0)
        close(descriptor);
    return ok ? DD_OK : dd_fail(DD_ERR_IO, "%s: cannot be flushed to disk: %s", path, strerror(reason));
}

int dd_sync_file(const char *path)
{
    return sync_path(path, O_RDONLY);
}

int dd_sync_directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return sync_path(".", O_RDONLY | O_DIRECTORY);
    char *directory = strndup(path, (size_t)(slash - path) + 1);
    if (!directory)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    int status = sync_path(directory, O_RDONLY | O_DIRECTORY);
    free(directory);
    return status;
}

int dd_publish(const char *temporary, const char *path)
{
    int status = dd_sync_file(temporary);
    if (!status && rename(temporary, path))
        status = dd_fail(DD_ERR_IO, "%s: cannot be renamed to %s: %s", temporary, path, strerror(errno));
    if (status)
        unlink(temporary);
    else
        status = dd_sync_directory_of(path);
    return status;
}
