#define _GNU_SOURCE /* memmem */
#include "store/overwrite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "store/store.h"

/* The beginning of a file, with a NUL at the end. */
typedef struct beginning {
    char text[16384];
    size_t n;
} beginning;

static bool starts_with(const beginning *b, const char *text)
{
    return b->n >= strlen(text) && !strncasecmp(b->text, text, strlen(text));
}

static bool has(const beginning *b, const char *text)
{
    return memmem(b->text, b->n, text, strlen(text)) != NULL;
}

/* Recognised by the length of its header, which is longer than NumPy's. */
static bool is_npy_of_points(const beginning *b)
{
    return b->n > 10 && starts_with(b, "\x93NUMPY") && (unsigned char)b->text[8] == DD_NPY_HEADER && !b->text[9] &&
           (has(b, "'<f4'") || has(b, "'<f8'")) && has(b, "), }");
}

static bool is_table(const beginning *b)
{
    return starts_with(b, "Mean ± standard deviation over ") || starts_with(b, "One seed each (n = 1)") ||
           starts_with(b, "run,dataset,metric,unit,mean,sd,n\n");
}

static bool is_page(const beginning *b)
{
    return starts_with(b, "<!doctype html>") && has(b, "<title>dualdiff report");
}

/* The experiment's own final_info.json has the same keys and also "final_info_dict". */
static bool is_summary(const beginning *b)
{
    return starts_with(b, "{") && has(b, "{\"means\": {") && !has(b, "final_info_dict");
}

static bool is_hdf5(const beginning *b)
{
    return starts_with(b, "\x89HDF\r\n");
}

static const struct {
    const char *what;
    bool (*is_ours)(const beginning *);
} kinds[] = {
    [DD_WRITES_TABLE] = {"a table of `dualdiff compare`", is_table},
    [DD_WRITES_PAGE] = {"a page of `dualdiff report`", is_page},
    [DD_WRITES_SUMMARY] = {"a final_info.json of this program", is_summary},
    [DD_WRITES_UNKNOWN] = {"known", NULL},
};

static dd_status read_beginning(const char *path, beginning *b)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = file < 0 ? -1 : read(file, b->text, sizeof b->text - 1);
    int reason = errno;
    if (file >= 0)
        close(file);
    if (n < 0)
        return dd_fail(DD_ERR_CONFLICT, "%s exists and cannot be read (%s), so it is not replaced; choose another name",
                       path, strerror(reason));
    b->n = (size_t)n;
    b->text[n] = '\0';
    return DD_OK;
}

static dd_status refuse(const char *path, const char *what)
{
    return dd_fail(DD_ERR_CONFLICT, "%s exists and is not %s; choose another name, or replace it with --overwrite",
                   path, what);
}

/* Points in HDF5. */
static dd_status check_samples(const char *path)
{
    static const char *const kind[] = {"the log of a run", "a checkpoint", "the result of a run"};
    dd_header header;
    if (dd_header_read(path, &header))
        return dd_fail(DD_ERR_CONFLICT,
                       "%s exists and cannot be read now, so it is not replaced; choose another name, or replace it "
                       "with --overwrite. The reason: %s",
                       path, dd_error_message());
    if (header.kind == DD_FILE_SAMPLES)
        return DD_OK;
    return dd_fail(DD_ERR_CONFLICT, "%s is %s; choose another name, or replace it with --overwrite", path,
                   kind[header.kind]);
}

/* A CSV of the user's points looks the same as a CSV of `sample`. An HDF5 file says what it is; an NPY is recognised by
 * its header. */
static dd_status check_points(const char *path, const beginning *b)
{
    const char *ending = strrchr(path, '.');
    if (ending && !strcmp(ending, ".csv"))
        return dd_fail(DD_ERR_CONFLICT,
                       "%s exists and may contain your own points; choose another name, or replace it with "
                       "--overwrite",
                       path);
    if (ending && !strcmp(ending, ".npy"))
        return is_npy_of_points(b) ? DD_OK : refuse(path, "an NPY of `dualdiff sample`");
    return is_hdf5(b) ? check_samples(path) : refuse(path, "points of `dualdiff sample`");
}

/* Whether nothing can be lost: there is no file, the file is empty, or writing does not replace it. */
static bool is_nothing(const char *path)
{
    struct stat there;
    if (stat(path, &there))
        return errno == ENOENT || errno == ENOTDIR;
    return S_ISDIR(there.st_mode) || !there.st_size || dd_path_is_stream(path);
}

dd_status dd_overwrite_check(const char *path, dd_written_kind kind, bool overwrite)
{
    beginning b;
    if (overwrite || is_nothing(path))
        return DD_OK;
    DD_TRY(read_beginning(path, &b));
    if (kind == DD_WRITES_POINTS)
        return check_points(path, &b);
    return kinds[kind].is_ours && kinds[kind].is_ours(&b) ? DD_OK : refuse(path, kinds[kind].what);
}

dd_status dd_overwrite_check_draw(const char *path, const char *points, bool overwrite)
{
    char there[256];
    bool network;
    if (is_nothing(path))
        return DD_OK;
    if (dd_result_points(path, there, sizeof there, &network))
        return overwrite ? DD_OK
                         : dd_fail(DD_ERR_CONFLICT,
                                   "%s exists and cannot be read now, so it is not replaced; use another --out, or "
                                   "replace it with --overwrite. The reason: %s",
                                   path, dd_error_message());
    if (network)
        return dd_fail(DD_ERR_CONFLICT, "%s is a run with its network, which is never replaced; use another --out",
                       path);
    if (overwrite || !strcmp(there, points))
        return DD_OK;
    return dd_fail(DD_ERR_CONFLICT,
                   "%s exists and contains something else (%s); use another --out, or replace it with --overwrite",
                   path, there);
}
