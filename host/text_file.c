#include "text_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_h5.h"

int dd_text_file_write(const char *path, int (*print)(FILE *out, const void *data), const void *data)
{
    char *beside = dd_path_with(path, ".tmp");
    if (!beside)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    errno = 0;
    int status = DD_OK, broken = 1;
    FILE *out = fopen(beside, "w");
    if (out) {
        status = print(out, data);
        broken = ferror(out) != 0;
        broken = fclose(out) || broken;
    }
    if (!status && broken)
        status = dd_fail(DD_ERR_IO, "%s: cannot be written: %s; choose another directory, or free space", beside,
                         strerror(errno));
    if (!status)
        status = dd_publish(beside, path);
    else if (out)
        remove(beside);
    free(beside);
    return status;
}
