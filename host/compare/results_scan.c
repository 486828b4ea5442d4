/* Finds the results of runs on disk. */
#define _GNU_SOURCE /* strverscmp */
#include "compare/results_scan.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clean_text.h"
#include "base/names.h"
#include "hdf5/result_hint.h"
#include "store/store.h"

/* ---- names ---- */

/* Length of the run directory in a `path` <run directory>/<dataset>/seed_<n>.h5. */
static size_t run_directory(const char *path)
{
    size_t length = strlen(path);
    for (int slashes = 0; length > 0 && slashes < 2; slashes += path[length] == '/')
        length--;
    return length;
}

static bool same_run_directory(const dd_entry *a, const dd_entry *b)
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

/* Rename the runs: use more and more parts of the path until no two run directories have the same name. */
static dd_status name_runs(dd_entries *e)
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

/* The user may give both runs and runs/run_1. */
static bool is_entry(const char *path, const dd_entries *e)
{
    bool known = false;
    for (int i = 0; i < e->count && !known; i++)
        known = !strcmp(e->entry[i].path, path);
    return known;
}

static bool is_noted(const char *path, const dd_left_out *list, int count)
{
    bool known = false;
    for (int i = 0; i < count && !known; i++)
        known = !strcmp(list[i].path, path);
    return known;
}

static dd_status note(dd_left_out **list, int *count, const char *path, const char *why)
{
    char *real = realpath(path, NULL);
    dd_left_out noted = {.path = real ? real : strdup(path), .why = strdup(why)}, *grown = NULL;
    bool known = noted.path && is_noted(noted.path, *list, *count);
    if (noted.path && noted.why && !known)
        grown = realloc(*list, ((size_t)*count + 1) * sizeof *grown);
    if (!grown) {
        free(noted.path);
        free(noted.why);
        return known ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory");
    }
    *list = grown;
    grown[(*count)++] = noted;
    return DD_OK;
}

dd_status dd_entries_leave_out(dd_entries *e, const char *path, const char *why)
{
    return note(&e->left_out, &e->left_out_count, path, why);
}

static dd_status add_file(const char *path, dd_entries *e)
{
    dd_entry entry = {0};
    dd_header header;
    DD_TRY(dd_header_read(path, &header));
    if (header.kind == DD_FILE_LOG)
        return note(&e->unfinished, &e->unfinished_count, path, "");
    if (header.kind != DD_FILE_RESULT)
        return DD_OK;
    entry.path = realpath(path, NULL);
    if (!entry.path)
        return dd_fail(DD_ERR_IO, "%s: %s", path, strerror(errno));
    if (is_entry(entry.path, e)) {
        free(entry.path);
        return DD_OK;
    }
    memcpy(entry.dataset, header.dataset, sizeof entry.dataset);
    entry.seed = header.seed;
    dd_entry *grown = NULL;
    dd_status status = dd_result_read_metrics(path, &entry.metrics);
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

/* Add the result, or note that it cannot be read. */
static dd_status take_file(const char *path, dd_entries *e)
{
    dd_status status = add_file(path, e);
    return !status || status == DD_ERR_MEMORY ? status : dd_entries_leave_out(e, path, dd_error_message());
}

static dd_status scan(const char *dir, int levels, dd_entries *e)
{
    DIR *stream = opendir(dir);
    if (!stream)
        return dd_fail(DD_ERR_IO, "%s: %s; give a directory that `dualdiff train` wrote", dir, strerror(errno));
    dd_status status = DD_OK;
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
            else if (S_ISREG(about.st_mode) && dd_is_result_name(item->d_name))
                status = take_file(path, e);
        }
        free(path);
    }
    closedir(stream);
    return status;
}

dd_status dd_entries_scan(const char *dir, int levels, dd_entries *entries)
{
    DD_TRY(scan(dir, levels, entries));
    DD_TRY(name_runs(entries));
    for (int i = 0; i < entries->count; i++)
        dd_clean_line(entries->entry[i].run);
    if (entries->count)
        qsort(entries->entry, (size_t)entries->count, sizeof *entries->entry, compare_entries);
    return DD_OK;
}

static void free_notes(dd_left_out *list, int count)
{
    for (int i = 0; i < count; i++) {
        free(list[i].path);
        free(list[i].why);
    }
    free(list);
}

void dd_entries_free(dd_entries *entries)
{
    for (int i = 0; i < entries->count; i++) {
        free(entries->entry[i].path);
        free(entries->entry[i].run);
    }
    free(entries->entry);
    free_notes(entries->left_out, entries->left_out_count);
    free_notes(entries->unfinished, entries->unfinished_count);
    *entries = (dd_entries){0};
}

void dd_entries_print_left_out(FILE *out, const dd_entries *entries)
{
    for (int i = 0; i < entries->left_out_count; i++)
        fprintf(out, "dualdiff: left out: %s\n", entries->left_out[i].why);
    int unfinished = entries->unfinished_count;
    if (unfinished)
        fprintf(out,
                "dualdiff: not finished, so not shown: %d run%s (%s%s); if no program is training %s now, the same "
                "`dualdiff train` command as before resumes %s\n",
                unfinished, dd_plural(unfinished), entries->unfinished[0].path, unfinished == 1 ? "" : ", ...",
                unfinished == 1 ? "it" : "them", unfinished == 1 ? "it" : "them");
}

dd_status dd_entries_complete(const dd_entries *entries)
{
    enum { LIST = 1024 };
    char list[LIST] = "";
    int named = 0, all = entries->left_out_count;
    for (size_t used = 0; named < all; named++) {
        const char *path = entries->left_out[named].path;
        if (named && used + strlen(path) + 2 >= LIST)
            break;
        used += (size_t)snprintf(list + used, LIST - used, "%s%s", named ? ", " : "", path);
        used = used < LIST ? used : LIST - 1;
    }
    if (!all)
        return DD_OK;
    return dd_fail(DD_ERR_IO, "%d file%s could not be read and %s left out: %s%s", all, all > 1 ? "s" : "",
                   all > 1 ? "were" : "was", list, named < all ? " and those named above" : "");
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
