/* Finding the results of runs on disk. */
#define _GNU_SOURCE /* strverscmp */
#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "names.h"
#include "store.h"

/* ---- names ---- */

/* seed_<digits>.h5 */
static int is_result_name(const char *name)
{
    if (strncmp(name, "seed_", 5))
        return 0;
    size_t digits = strspn(name + 5, "0123456789");
    return digits > 0 && !strcmp(name + 5 + digits, ".h5");
}

/* The run directory of <run directory>/<dataset>/seed_<n>.h5: its length in `path`. */
static size_t run_directory(const char *path)
{
    size_t length = strlen(path);
    for (int slashes = 0; length > 0 && slashes < 2; slashes += path[length] == '/')
        length--;
    return length;
}

static int same_run_directory(const dd_entry *a, const dd_entry *b)
{
    size_t length = run_directory(a->path);
    return length == run_directory(b->path) && !strncmp(a->path, b->path, length);
}

/* The last `components` parts of the run directory of `path`, malloc'ed. */
static char *tail(const char *path, int components)
{
    size_t end = run_directory(path), begin = end;
    while (begin > 0 && (path[begin - 1] != '/' || --components > 0))
        begin--;
    return strndup(path + begin, end - begin);
}

/* Name the runs anew, with one more part of the path until no two run directories share a name. */
static int name_runs(dd_entries *e)
{
    for (int components = 1, clash = 1; clash; components++) {
        for (int i = 0; i < e->count; i++) {
            free(e->entry[i].run);
            e->entry[i].run = tail(e->entry[i].path, components);
            if (!e->entry[i].run)
                return dd_fail(DD_ERR_MEMORY, "out of memory for the names of runs");
        }
        clash = 0;
        for (int i = 0; i < e->count; i++) {
            for (int j = 0; j < i && !clash; j++)
                clash = !strcmp(e->entry[i].run, e->entry[j].run) && !same_run_directory(&e->entry[i], &e->entry[j]);
        }
    }
    return DD_OK;
}

static int compare_entries(const void *left, const void *right)
{
    const dd_entry *a = left, *b = right;
    int order = strverscmp(a->run, b->run);
    if (!order)
        order = strcmp(a->dataset, b->dataset);
    return order ? order : (a->seed > b->seed) - (a->seed < b->seed);
}

/* ---- files ---- */

static int add_file(const char *path, dd_entries *e)
{
    dd_entry entry = {0};
    dd_header header;
    DD_TRY(dd_header_read(path, &header));
    if (header.kind != DD_FILE_RESULT)
        return DD_OK;
    entry.path = realpath(path, NULL);
    if (!entry.path)
        return dd_fail(DD_ERR_IO, "%s: %s", path, strerror(errno));
    for (int i = 0; i < e->count; i++) {
        if (!strcmp(e->entry[i].path, entry.path)) { /* both runs and runs/run_1 were given */
            free(entry.path);
            return DD_OK;
        }
    }
    memcpy(entry.dataset, header.dataset, sizeof entry.dataset);
    entry.seed = header.seed;
    dd_entry *grown = NULL;
    int status = dd_result_read_metrics(path, &entry.metrics);
    if (!status) {
        grown = realloc(e->entry, ((size_t)e->count + 1) * sizeof *grown);
        if (!grown)
            status = dd_fail(DD_ERR_MEMORY, "out of memory for %d results", e->count + 1);
    }
    if (status) {
        free(entry.path);
        return status;
    }
    e->entry = grown;
    e->entry[e->count++] = entry;
    return DD_OK;
}

static int scan(const char *dir, int levels, dd_entries *e)
{
    DIR *stream = opendir(dir);
    if (!stream)
        return dd_fail(DD_ERR_IO, "%s: %s; give a directory that `dualdiff train` wrote", dir, strerror(errno));
    int status = DD_OK;
    const struct dirent *item;
    while (!status && (item = readdir(stream))) {
        struct stat about;
        char *path;
        if (!strcmp(item->d_name, ".") || !strcmp(item->d_name, ".."))
            continue;
        if (asprintf(&path, "%s/%s", dir, item->d_name) < 0) {
            status = dd_fail(DD_ERR_MEMORY, "out of memory");
            break;
        }
        if (!stat(path, &about)) {
            if (S_ISDIR(about.st_mode) && levels)
                status = scan(path, levels - 1, e);
            else if (S_ISREG(about.st_mode) && is_result_name(item->d_name))
                status = add_file(path, e);
        }
        free(path);
    }
    closedir(stream);
    return status;
}

int dd_entries_scan(const char *dir, int levels, dd_entries *entries)
{
    DD_TRY(scan(dir, levels, entries));
    DD_TRY(name_runs(entries));
    for (int i = 0; i < entries->count; i++)
        dd_clean_line(entries->entry[i].run);
    if (entries->count)
        qsort(entries->entry, (size_t)entries->count, sizeof *entries->entry, compare_entries);
    return DD_OK;
}

void dd_entries_free(dd_entries *entries)
{
    for (int i = 0; i < entries->count; i++) {
        free(entries->entry[i].path);
        free(entries->entry[i].run);
    }
    free(entries->entry);
    *entries = (dd_entries){0};
}

int dd_entries_group(const dd_entries *entries, int first, int dataset)
{
    const dd_entry *a = &entries->entry[first];
    int count = 1;
    while (first + count < entries->count && !strcmp(a[count].run, a->run) &&
           (!dataset || !strcmp(a[count].dataset, a->dataset)))
        count++;
    return count;
}

dd_summary dd_entries_summary(const dd_entry *entry, int count, int metric)
{
    const double *first = NULL;
    if (count)
        first = (const double *)((const char *)&entry->metrics + dd_metric_table[metric].offset);
    return dd_summarise(first, count, sizeof *entry);
}
