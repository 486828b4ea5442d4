/* Which result a user may have meant, for messages where a file is wanted and something else was given.
 *
 *     char *near = dd_result_in("runs/run_1");       // "runs/run_1/dino/seed_0.h5", or NULL
 *     dd_fail(DD_ERR_IO, "runs/run_1: a folder%s%s", near ? "; for instance " : "", near ? near : "");
 *     free(near);
 */
#ifndef DD_RESULT_HINT_H
#define DD_RESULT_HINT_H

#include "base/error.h"

/* Whether a file of this name is a result or a log: seed_<digits>.h5 */
int dd_is_result_name(const char *name);

/* The first file with the name of a result in `folder` or up to two folders below it, malloc'ed; NULL where there is
 * none. */
char *dd_result_in(const char *folder);

/* DD_ERR_IO: `path` is a folder, and a file is wanted; the message names one in it. */
DD_CHECKED dd_status dd_fail_folder(const char *path);

/* DD_ERR_IO: nothing is at `path`. Of a word without a slash, which may be a configuration's name, the message says
 * what the path of a result looks like. */
DD_CHECKED dd_status dd_fail_missing(const char *path);

#endif
