#ifndef DD_DIRECTORIES_H
#define DD_DIRECTORIES_H

#include "base/error.h"

/* Make every directory that leads to the file `path`. DD_ERR_IO names the one that cannot be made, and `option`, which
 * chose it. */
DD_CHECKED dd_status dd_make_directories(const char *path, const char *option);

/* The same for a file that a command is to write after its work, with symbolic links followed; and that a file can be
 * made there. Nothing to do for a device or a pipe. */
DD_CHECKED dd_status dd_make_way(const char *path, const char *option);

#endif
