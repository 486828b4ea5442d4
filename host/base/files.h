/* Files that appear complete under their names, or not at all. Everything that this program writes under a name that a
 * user or a later command reads is written through these functions:
 *
 *     dd_output out;
 *     DD_TRY(dd_output_open(&out, "points.csv"));
 *     dd_status status = write_points(out.descriptor);        // or to the file out.temporary
 *     return dd_output_close(&out, status);             // publishes it, or removes it after a failure
 *
 * Each output is written to its own temporary file in the folder of its target, .points.csv.XXXXXX.tmp. Closing flushes
 * it to disk and renames it over the target. So a reader sees the old file or the new one, never a part. If two
 * processes write the same target, the later one wins. After a failure the old file is still there. A killed process
 * can leave its temporary file behind: nothing reads it, and the user may delete it.
 *
 * If the target is a symbolic link, the file that it points to is replaced and the link is kept. The new file gets the
 * mode of the old one (and its owner, where permitted). A device or a pipe is written in place.
 *
 * text_file.h writes text this way, hdf5/h5.h HDF5; overwrite.h says what may be replaced.
 */
#ifndef DD_FILES_H
#define DD_FILES_H

#include <stdbool.h>

#include "base/error.h"

typedef struct dd_output {
    char *name;      /* as given, for messages */
    char *path;      /* the target: `name` with symbolic links followed */
    char *temporary; /* what to write; the same as path if that is written in place */
    int descriptor;  /* of the temporary file, open for writing */
} dd_output;

/* Create the temporary file of an output. DD_ERR_IO names what cannot be created and why. */
DD_CHECKED dd_status dd_output_open(dd_output *out, const char *name);

/* The same for a file whose only writer holds its lock (lock.h): the temporary file has a fixed name, .NAME.tmp, so
 * that the next writer replaces the one that a killed writer left. */
DD_CHECKED dd_status dd_output_open_locked(dd_output *out, const char *name);

/* Publish the file if `status`, the status of writing it, is DD_OK, else remove it. Returns the first failure.
 * DD_ERR_IO: either the target is as it was, or the new file is in place but not yet safe on disk; the message says
 * which. */
DD_CHECKED dd_status dd_output_close(dd_output *out, dd_status status);

/* Copy the file at `path` into the new output, where it will be changed. DD_ERR_IO names the file. */
DD_CHECKED dd_status dd_output_copy(const dd_output *out, const char *path);

/* Whether the target is a device or a pipe. Some formats cannot be written to it. */
bool dd_output_is_in_place(const dd_output *out);
/* The same for a path: writing there replaces nothing. */
bool dd_path_is_stream(const char *path);

/* ---- the steps of publishing, for files that are published later (store/checkpoint.c) ---- */

/* Rename `from` to `to`, durably. DD_ERR_IO as for dd_output_close. */
DD_CHECKED dd_status dd_rename(const char *from, const char *to);
DD_CHECKED dd_status dd_sync_file(const char *path);
/* Make names that were added to or removed from the folder of `path` durable. */
DD_CHECKED dd_status dd_sync_directory_of(const char *path);

/* DD_ERR_IO for a failed write, with the reason (errno) and, if there is one, the cure. */
DD_CHECKED dd_status dd_fail_writing(const char *path, int error);

/* "<path><suffix>", malloc'ed; NULL when memory is out. */
char *dd_path_with(const char *path, const char *suffix);
/* `path` with symbolic links followed to their end, malloc'ed; the file need not exist. NULL when memory is out. */
char *dd_path_followed(const char *path);
/* "<folder of path>/<prefix><name><suffix>", malloc'ed, for files that belong to `path`; NULL when memory is out. */
char *dd_path_sibling(const char *path, const char *prefix, const char *suffix);

#endif
