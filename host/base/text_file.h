/* Write a text file that appears complete or not at all. */
#ifndef DD_TEXT_FILE_H
#define DD_TEXT_FILE_H

#include <stdio.h>

#include "base/error.h"

/* Call print(out, data) to write an output (files.h). `path` is replaced when everything is written, and is unchanged
 * after a failure. print returns a dd_status and need not check the stream for errors: this function does. DD_ERR_IO
 * when the file cannot be written. */
DD_CHECKED dd_status dd_text_file_write(const char *path, dd_status (*print)(FILE *out, const void *data),
                                        const void *data);

#endif
