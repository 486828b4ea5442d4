#include "base/directories.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"

static bool is_folder(const char *path)
{
    int reason = errno;
    struct stat there;
    bool is = !stat(path, &there) && S_ISDIR(there.st_mode);
    errno = reason;
    return is;
}

dd_status dd_make_directories(const char *path, const char *option)
{
    char *copy = strdup(path);
    if (!copy)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status = DD_OK;
    for (char *slash = strchr(copy + 1, '/'); slash && !status; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0777) && !is_folder(copy))
            status = dd_fail(DD_ERR_IO, "%s: cannot be created: %s; choose another folder with %s", copy,
                             errno == EEXIST ? "a file of this name exists" : strerror(errno), option);
        *slash = '/';
    }
    free(copy);
    return status;
}

dd_status dd_prepare_path(const char *path, const char *option)
{
    if (dd_path_is_stream(path))
        return DD_OK;
    char *target = dd_path_followed(path);
    dd_status status = target ? dd_make_directories(target, option) : dd_fail(DD_ERR_MEMORY, "out of memory");
    char *slash = target ? strrchr(target, '/') : NULL;
    if (slash)
        slash[slash == target] = '\0'; /* the folder, which may be the root */
    if (!status && access(slash ? target : ".", W_OK | X_OK))
        status = dd_fail(DD_ERR_IO, "%s: its folder is not writable: %s; choose another one with %s", path,
                         strerror(errno), option);
    free(target);
    return status;
}
