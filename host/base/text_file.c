#include "base/text_file.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"

static dd_status write_text(const dd_output *out, dd_status (*print)(FILE *out, const void *data), const void *data)
{
    errno = 0;
    int copy = dup(out->descriptor);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "w");
    if (!file)
        return dd_fail_writing(out->name, errno);
    dd_status status = print(file, data);
    bool broken = ferror(file) != 0;
    broken = fclose(file) || broken;
    return status || !broken ? status : dd_fail_writing(out->name, errno ? errno : EIO);
}

dd_status dd_text_file_write(const char *path, dd_status (*print)(FILE *out, const void *data), const void *data)
{
    dd_output out;
    DD_TRY(dd_output_open(&out, path));
    return dd_output_close(&out, write_text(&out, print, data));
}
