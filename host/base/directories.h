#ifndef DD_DIRECTORIES_H
#define DD_DIRECTORIES_H

#include "base/error.h"

/* Make every missing directory above the file `path`. DD_ERR_IO names the one that cannot be made, and the command's
 * `option` that chooses another path. */
DD_CHECKED dd_status dd_make_directories(const char *path, const char *option);

/* The same for a file that a command will write after its work, with symbolic links followed. Also checks that a file
 * can be created there. Does nothing for a device or a pipe. */
DD_CHECKED dd_status dd_prepare_path(const char *path, const char *option);

#endif
