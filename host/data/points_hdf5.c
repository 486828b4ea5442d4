/* Points from a dataset of an HDF5 file, read in a child process (child.h). */
#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/error.h"
#include "data/points_file.h"
#include "hdf5/h5.h"

typedef struct job {
    const char *path, *dataset;
    const dd_rows *rows; /* for its name */
} job;

/* Whether a link to another file may be followed. */
typedef struct followed {
    const job *job;
    dd_status status;
} followed;

/* ---- in the child: which datasets there are ---- */

/* The rank of `set`; *size becomes its size. */
static int rank_and_size(hid_t set, unsigned long long size[H5S_MAX_RANK])
{
    hsize_t extent[H5S_MAX_RANK] = {0};
    hid_t space = H5Dget_space(set);
    int rank = space < 0 ? -1 : H5Sget_simple_extent_dims(space, extent, NULL);
    for (int i = 0; i < rank; i++)
        size[i] = extent[i];
    H5Sclose(space);
    return rank;
}

static bool holds_numbers(hid_t set)
{
    hid_t type = H5Dget_type(set);
    H5T_class_t class = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    H5Tclose(type);
    return class == H5T_FLOAT || class == H5T_INTEGER;
}

typedef struct list {
    const char *folder; /* path of the searched group, without a slash at its end */
    int rank;           /* of the datasets to list */
    int count;
    char text[800];
} list;

static herr_t add_to_list(hid_t group, const char *name, const H5L_info_t *info, void *user)
{
    list *l = user;
    unsigned long long size[H5S_MAX_RANK];
    if (info->type == H5L_TYPE_EXTERNAL)
        return 0;
    hid_t set = H5Dopen2(group, name, H5P_DEFAULT);
    if (set < 0)
        return 0; /* a group, or a link to nothing */
    bool fits = rank_and_size(set, size) == l->rank && (l->rank == 1 || size[1] <= DD_MOST_FILE_COLUMNS);
    if (fits && holds_numbers(set) && H5Aexists(set, "CLASS") <= 0) { /* not a dimension scale */
        size_t at = strlen(l->text);
        if (at + strlen(l->folder) + strlen(name) + 8 < sizeof l->text)
            snprintf(l->text + at, sizeof l->text - at, "%s%s/%s", l->count ? ", " : "", l->folder, name);
        l->count++;
    }
    H5Dclose(set);
    return 0;
}

/* group: the file, or a group in it whose path is `folder`. */
static dd_status say_which(hid_t group, const char *folder, const job *j)
{
    list l = {.folder = folder};
    for (l.rank = 2; l.rank > 0; l.rank--) /* tables first, then single columns */
        H5Lvisit(group, H5_INDEX_NAME, H5_ITER_NATIVE, add_to_list, &l);
    if (!l.count)
        return dd_fail(DD_ERR_DATA, "%s: no dataset of shape (n, D) in %s; `h5ls -r %s` lists what there is", j->path,
                       *folder ? folder : "it", j->path);
    return dd_fail(DD_ERR_DATA, "%s: name one of its datasets: %s:%.*s%s%s", j->path, j->path,
                   (int)strcspn(l.text, ","), l.text, l.count > 1 ? "; there is: " : "", l.count > 1 ? l.text : "");
}

/* ---- in the child: values ---- */

/* What the child sends before the rows; if `named`, the names follow, dd_column[width]. */
typedef struct table {
    uint64_t n;
    int rank, width;
    bool named;
} table;

enum { BLOCK = 1 << 16 }; /* numbers in one message to the parent */

/* If chunks are many times larger than a block, they stay in memory while they are in use, so that each is decompressed
 * only once. */
static hid_t keep_chunks(hid_t set, const table *t)
{
    hsize_t chunk[2] = {0};
    hid_t access = H5Dget_access_plist(set), created = H5Dget_create_plist(set), type = H5Dget_type(set);
    if (H5Pget_layout(created) == H5D_CHUNKED && H5Pget_chunk(created, 2, chunk) == 2) {
        double wide = (double)(chunk[1] < (hsize_t)t->width ? (hsize_t)t->width : chunk[1]);
        double bytes = 1.1 * (double)chunk[0] * wide * (double)H5Tget_size(type);
        if (bytes > 1 << 20 && bytes < 4e9)
            H5Pset_chunk_cache(access, H5D_CHUNK_CACHE_NSLOTS_DEFAULT, (size_t)bytes, 1.);
    }
    H5Tclose(type);
    H5Pclose(created);
    return access;
}

static dd_status send_block(hid_t set, hid_t space, const job *j, const table *t, hsize_t first, hsize_t n,
                            double *values, int pipe)
{
    hsize_t start[2] = {first, 0}, count[2] = {n, (hsize_t)t->width};
    hid_t memory = H5Screate_simple(t->rank, count, NULL);
    bool ok = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
              H5Dread(set, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, values) >= 0;
    H5Sclose(memory);
    if (!ok)
        return dd_h5_fail(DD_ERR_IO, "%s: cannot be read; if it is damaged, restore it from a copy", j->rows->name);
    dd_child_write(pipe, values, n * count[1] * sizeof *values);
    return DD_OK;
}

static bool has_names(hid_t set, const char *object, const table *t, dd_column *column)
{
    return H5Aexists_by_name(set, object, "names", H5P_DEFAULT) > 0 &&
           !dd_h5_read_names_attribute(set, "", object, "names", column->name, sizeof *column, t->width);
}

/* The list of names that files of this program have: the attribute `names` of the scale `coordinate` in the dataset's
 * group, or of the dataset itself. */
static bool read_names(hid_t file, hid_t set, const job *j, const table *t, dd_column *column)
{
    char scale[512];
    H5L_info_t link;
    const char *slash = strrchr(j->dataset, '/');
    int folder = slash ? (int)(slash + 1 - j->dataset) : 0;
    if (t->width > DD_H5_NAMES ||
        snprintf(scale, sizeof scale, "%.*scoordinate", folder, j->dataset) >= (int)sizeof scale)
        return false;
    bool is_there = H5Lexists(file, scale, H5P_DEFAULT) > 0 && H5Lget_info(file, scale, &link, H5P_DEFAULT) >= 0 &&
                    link.type == H5L_TYPE_HARD;
    return (is_there && has_names(file, scale, t, column)) || has_names(set, ".", t, column);
}

static dd_status send_rows(hid_t file, hid_t set, const job *j, table *t, int pipe)
{
    dd_column names[DD_H5_NAMES];
    hsize_t block = BLOCK / (hsize_t)t->width;
    double *values = malloc((size_t)block * (size_t)t->width * sizeof *values);
    hid_t space = H5Dget_space(set);
    dd_status status = values ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory");
    t->named = read_names(file, set, j, t, names);
    dd_child_write(pipe, t, sizeof *t);
    if (t->named)
        dd_child_write(pipe, names, (size_t)t->width * sizeof *names);
    for (hsize_t first = 0; first < t->n && !status; first += block)
        status = send_block(set, space, j, t, first, t->n - first < block ? t->n - first : block, values, pipe);
    free(values);
    return status;
}

/* The size of the file `name`, in which the file at j->path says that values are stored (in the same folder or by an
 * absolute path). -1 with a message if it is not a regular file: reading a pipe could wait forever. */
static int64_t size_of_source(const job *j, const char *name, const char *what)
{
    struct stat status;
    const char *slash = strrchr(j->path, '/');
    int folder = *name == '/' || !slash ? 0 : (int)(slash + 1 - j->path);
    char path[4096];
    int n = snprintf(path, sizeof path, "%.*s%s", folder, j->path, name);
    if (n >= 0 && (size_t)n < sizeof path && !stat(path, &status) && S_ISREG(status.st_mode))
        return (int64_t)status.st_size;
    dd_fail(DD_ERR_DATA,
            "%s: %s the file %s, which does not exist or is not a regular file; put it there, or save the points as "
            ".npy or .csv",
            j->rows->name, what, path);
    return -1;
}

/* Total size in bytes of the files that form a virtual dataset. -1 with a message if one is missing, because HDF5 would
 * read its values as zeros. */
static int64_t size_of_sources(hid_t created, const job *j)
{
    size_t count = 0;
    int64_t total = 0;
    H5Pget_virtual_count(created, &count);
    for (size_t i = 0; i < count; i++) {
        char name[2048];
        ssize_t n = H5Pget_virtual_filename(created, i, name, sizeof name);
        if (n <= 0 || (size_t)n >= sizeof name) {
            dd_fail(DD_ERR_DATA, "%s: a virtual dataset whose files cannot be listed; save the points as .npy or .csv",
                    j->rows->name);
            return -1;
        }
        const char *file = strcmp(name, ".") ? name : j->path;
        const char *slash = file == j->path ? strrchr(file, '/') : NULL;
        int64_t size = size_of_source(j, slash ? slash + 1 : file, "it is a virtual dataset with values in");
        if (size < 0)
            return -1;
        total += size;
    }
    return total;
}

/* Compare the stated size with the bytes that are stored: a damaged size may be anything, and HDF5 reads values that
 * were never written as zeros. No filter makes points a thousand times smaller. */
static dd_status check_values(hid_t set, const job *j, const table *t)
{
    enum { MOST_COMPRESSION = 2000 };
    hid_t created = H5Dget_create_plist(set), type = H5Dget_type(set);
    bool virtual = H5Pget_layout(created) == H5D_VIRTUAL;
    int64_t sources = virtual ? size_of_sources(created, j) : 0;
    uint64_t there = virtual && sources > 0 ? (uint64_t)sources : H5Dget_storage_size(set), size = H5Tget_size(type);
    uint64_t ratio = virtual || H5Pget_nfilters(created) > 0 ? MOST_COMPRESSION : 1;
    H5Tclose(type);
    H5Pclose(created);
    if (sources < 0)
        return DD_ERR_DATA;
    if (t->n <= there * ratio / size / (uint64_t)t->width)
        return DD_OK;
    return dd_fail(DD_ERR_IO, "%s: damaged, or not filled yet: fewer values are stored than its %llu rows have",
                   j->rows->name, (unsigned long long)t->n);
}

/* The file names another file as the place of its values. Any file of this computer could be read as numbers, and
 * reading a pipe could wait forever. */
static bool is_elsewhere(hid_t set)
{
    hid_t created = H5Dget_create_plist(set);
    int files = H5Pget_external_count(created);
    H5Pclose(created);
    return files > 0;
}

static dd_status check_dataset(hid_t set, const job *j, table *t)
{
    unsigned long long size[H5S_MAX_RANK] = {0};
    int rank = rank_and_size(set, size);
    if (!holds_numbers(set))
        return dd_fail(DD_ERR_DATA, "%s: the dataset does not hold numbers", j->rows->name);
    DD_TRY(dd_rows_check_shape(j->rows, "a dataset", rank, size));
    if (is_elsewhere(set))
        return dd_fail(DD_ERR_DATA,
                       "%s: its values are stored in another file (external storage), which dualdiff does not read; "
                       "save the points as .npy or .csv",
                       j->rows->name);
    if (size[0] > UINT32_MAX)
        return dd_fail(DD_ERR_MEMORY, "%s: out of memory for %llu rows", j->rows->name, size[0]);
    *t = (table){.n = size[0], .rank = rank, .width = rank == 2 ? (int)size[1] : 1};
    return check_values(set, j, t);
}

/* HDF5 calls this before it follows a link to another file. A file in the same folder is allowed; any other could be
 * any file of this computer. */
static herr_t allow_link(const char *parent, const char *group, const char *file, const char *object, unsigned *flags,
                         hid_t access, void *user)
{
    followed *f = user;
    (void)parent;
    (void)group;
    (void)flags;
    (void)access;
    if (strchr(file, '/'))
        f->status =
            dd_fail(DD_ERR_DATA,
                    "%s: a link leads to the file %s in another folder, which dualdiff does not follow; name that file "
                    "itself: %s:%s",
                    f->job->rows->name, file, file, object);
    else
        f->status = size_of_source(f->job, file, "a link leads to") < 0 ? DD_ERR_DATA : DD_OK;
    return f->status ? -1 : 0;
}

/* The dataset keeps the pointer f. */
static hid_t open_dataset(hid_t file, followed *f)
{
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_elink_cb(access, allow_link, f);
    hid_t set = H5Dopen2(file, f->job->dataset, access);
    H5Pclose(access);
    return set;
}

/* The named object cannot be opened as a dataset: it does not exist, or it is a group. */
static dd_status no_dataset(hid_t file, const job *j)
{
    followed f = {.job = j};
    hid_t access = H5Pcreate(H5P_GROUP_ACCESS);
    H5Pset_elink_cb(access, allow_link, &f);
    hid_t group = H5Gopen2(file, j->dataset, access);
    size_t length = strlen(j->dataset);
    H5Pclose(access);
    if (f.status)
        return f.status;
    if (group < 0)
        return dd_fail(DD_ERR_DATA, "%s: no dataset %s in it; `h5ls -r %s` lists what there is", j->path, j->dataset,
                       j->path);
    while (length > 0 && j->dataset[length - 1] == '/')
        length--;
    char *folder = strndup(j->dataset, length);
    return folder ? say_which(group, folder, j) : dd_fail(DD_ERR_MEMORY, "out of memory");
}

static dd_status send_dataset(hid_t file, const job *j, int pipe)
{
    table t;
    followed f = {.job = j};
    hid_t set = open_dataset(file, &f);
    if (f.status)
        return f.status;
    if (set < 0)
        return no_dataset(file, j);
    DD_TRY(check_dataset(set, j, &t));
    hid_t access = keep_chunks(set, &t);
    H5Dclose(set);
    set = H5Dopen2(file, j->dataset, access);
    return send_rows(file, set, j, &t, pipe);
}

static dd_status in_child(void *user, int pipe)
{
    const job *j = user;
    hid_t file;
    DD_TRY(dd_h5_open(j->path, &file));
    return j->dataset ? send_dataset(file, j, pipe)
                      : say_which(file, "", j); /* nothing needs closing: the child exits */
}

/* ---- in the parent ---- */

/* Take over the names, as text that can be shown. */
static bool receive_names(dd_child *child, const table *t, dd_column *column)
{
    if (!t->named || !dd_child_read(child, column, (size_t)t->width * sizeof *column))
        return false;
    for (int c = 0; c < t->width; c++) {
        dd_column sent = column[c];
        dd_column_name(&column[c], sent.name, strnlen(sent.name, sizeof sent.name - 1));
    }
    return true;
}

/* Receive the rows; there may be fewer than the child announced. */
static dd_status receive(dd_child *child, dd_rows *rows)
{
    table t;
    dd_column names[DD_H5_NAMES];
    double row[DD_MOST_FILE_COLUMNS];
    if (!dd_child_read(child, &t, sizeof t))
        return DD_OK;
    if (t.width < 1 || t.width > DD_MOST_FILE_COLUMNS || (t.named && t.width > DD_H5_NAMES))
        return DD_OK; /* what a child sends whose memory a file has damaged */
    rows->announced = t.n;
    DD_TRY(dd_rows_begin(rows, t.width, receive_names(child, &t, names) ? names : NULL));
    for (uint64_t i = 0; i < t.n && dd_child_read(child, row, (size_t)t.width * sizeof *row); i++)
        DD_TRY(dd_rows_add(rows, (size_t)i + 1, row));
    return DD_OK;
}

/* Enough memory for a decompressed file and its chunks; only a damaged size needs more. Reading is faster than 100
 * MB/s, which gives the time limit. */
static dd_child_limits limits_for(const char *path)
{
    struct stat status;
    uint64_t size = stat(path, &status) ? 0 : (uint64_t)status.st_size;
    return (dd_child_limits){.memory = (512u << 20) + 4 * size, .time = 20 + (size >> 22)};
}

dd_status dd_points_read_hdf5(const char *path, const char *dataset, dd_rows *rows)
{
    dd_child child;
    job j = {path, dataset, rows};
    dd_child_limits limits = limits_for(path);
    DD_TRY(dd_child_start(&child, &limits, in_child, &j));
    int received = receive(&child, rows);
    char message[2048];
    snprintf(message, sizeof message, "%s", dd_error_message());
    dd_status status = dd_child_end(&child, path);
    return received ? dd_fail((dd_status)received, "%s", message) : status;
}
