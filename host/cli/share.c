#define _GNU_SOURCE /* asprintf */
#include "cli/share.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char *dd_share_path(const char *installed, const char *in_source)
{
    char program[PATH_MAX], *path;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program);
    while (length > 0 && program[length - 1] != '/')
        length--;
    if (length > 0) {
        if (asprintf(&path, "%.*s../share/dualdiff/%s", (int)length, program, installed) < 0)
            return NULL;
        if (!access(path, R_OK))
            return path;
        free(path);
    }
    return asprintf(&path, "%s/%s", DD_SOURCE_DIR, in_source) < 0 ? NULL : path;
}
