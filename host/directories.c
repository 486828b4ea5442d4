#include "directories.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "error.h"

int dd_make_directories(const char *path, const char *option)
{
    char *copy = strdup(path);
    if (!copy)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    int status = DD_OK;
    for (char *slash = strchr(copy + 1, '/'); slash && !status; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0777) && errno != EEXIST)
            status = dd_fail(DD_ERR_IO, "%s: cannot be created: %s; choose another folder with %s", copy,
                             strerror(errno), option);
        *slash = '/';
    }
    free(copy);
    return status;
}
