#define _GNU_SOURCE /* asprintf, versionsort */
#include "hdf5/result_hint.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

bool dd_is_result_name(const char *name)
{
    if (strncmp(name, "seed_", 5))
        return false;
    size_t digits = strspn(name + 5, "0123456789");
    return digits > 0 && !strcmp(name + 5 + digits, ".h5");
}

static int is_visible(const struct dirent *item)
{
    return *item->d_name != '.';
}

static char *search(const char *folder, int levels)
{
    struct dirent **item;
    char *path, *found = NULL;
    int count = scandir(folder, &item, is_visible, versionsort), here = count < 0 ? 0 : count;
    for (int i = 0; i < here; i++) {
        if (!found && asprintf(&path, "%s/%s", folder, item[i]->d_name) >= 0) {
            found = dd_is_result_name(item[i]->d_name) ? strdup(path) : levels ? search(path, levels - 1) : NULL;
            free(path);
        }
        free(item[i]);
    }
    if (count >= 0)
        free(item);
    return found;
}

char *dd_result_in(const char *folder)
{
    enum { LEVELS = 2 }; /* <out>/<configuration>/<dataset> */
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    char *clean = strndup(folder, length), *found = clean ? search(clean, LEVELS) : NULL;
    free(clean);
    return found;
}

dd_status dd_fail_folder(const char *path)
{
    char *near = dd_result_in(path);
    dd_status status = dd_fail(DD_ERR_IO, "%s: is a folder, but a file is expected%s%s", path,
                               near ? "; for instance " : "", near ? near : "");
    free(near);
    return status;
}

dd_status dd_fail_missing(const char *path)
{
    if (strchr(path, '/') || strchr(path, '.'))
        return dd_fail(DD_ERR_IO, "%s: %s", path, strerror(ENOENT));
    char in_runs[300], *near = NULL;
    if (snprintf(in_runs, sizeof in_runs, "runs/%s", path) < (int)sizeof in_runs)
        near = dd_result_in(in_runs);
    dd_status status = dd_fail(DD_ERR_IO, "%s: %s; give the path of a file, for instance %s%s", path, strerror(ENOENT),
                               near ? near : "runs/run_1/dino/seed_0.h5", near ? "" : " of `dualdiff train run_1`");
    free(near);
    return status;
}
