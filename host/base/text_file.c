#include "base/text_file.h"

#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"

static int write_text(const dd_output *out, int (*print)(FILE *out, const void *data), const void *data)
{
    errno = 0;
    int copy = dup(out->descriptor);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "w");
    if (!file)
        return dd_fail_writing(out->name, errno);
    int status = print(file, data), broken = ferror(file) != 0;
    broken = fclose(file) || broken;
    return status || !broken ? status : dd_fail_writing(out->name, errno ? errno : EIO);
}

int dd_text_file_write(const char *path, int (*print)(FILE *out, const void *data), const void *data)
{
    dd_output out;
    DD_TRY(dd_output_open(&out, path));
    return dd_output_close(&out, write_text(&out, print, data));
}
