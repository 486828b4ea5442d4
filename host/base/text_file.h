/* A text file that appears whole or not at all. */
#ifndef DD_TEXT_FILE_H
#define DD_TEXT_FILE_H

#include <stdio.h>

#include "base/error.h"

/* Let print(out, data) write an output (files.h): `path` is replaced when all is written, and stays as it was on
 * failure. print returns a dd_status, and leaves errors of the stream to this function. DD_ERR_IO when the file cannot
 * be written. */
DD_CHECKED dd_status dd_text_file_write(const char *path, dd_status (*print)(FILE *out, const void *data),
                                        const void *data);

#endif
