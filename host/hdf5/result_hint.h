/* Suggests a result file in a message, when the user gave something else where a file is expected.
 *
 *     char *near = dd_result_in("runs/run_1");       // "runs/run_1/dino/seed_0.h5", or NULL
 *     dd_fail(DD_ERR_IO, "runs/run_1: a folder%s%s", near ? "; for instance " : "", near ? near : "");
 *     free(near);
 */
#ifndef DD_RESULT_HINT_H
#define DD_RESULT_HINT_H

#include <stdbool.h>

#include "base/error.h"

/* Whether a file of this name is a result or a log: seed_<digits>.h5 */
bool dd_is_result_name(const char *name);

/* The first file with the name of a result in `folder` or up to two folders below it, malloc'ed; NULL if there is
 * none. */
char *dd_result_in(const char *folder);

/* Returns DD_ERR_IO with the message that `path` is a folder but a file is expected; it names a result in the
 * folder. */
DD_CHECKED dd_status dd_fail_folder(const char *path);

/* Returns DD_ERR_IO with the message that `path` does not exist. For a word without a slash, which may be the name of a
 * configuration, the message shows what the path of a result looks like. */
DD_CHECKED dd_status dd_fail_missing(const char *path);

#endif
