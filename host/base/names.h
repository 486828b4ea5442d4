/* Checks names that come from files or users before they become part of a path.
 *
 *     DD_TRY(dd_name_check(name, DD_ERR_USAGE, "--name", "choose another one"));
 *     snprintf(path, size, "%s/%s/seed_0.h5", out, name);
 */
#ifndef DD_NAMES_H
#define DD_NAMES_H

#include <stddef.h>

#include "base/error.h"

enum { DD_NAME = 64 }; /* size of the longest name of a configuration or of a set of points, with its NUL */

/* Whether `name` may be one component of a path that the program writes to. DD_OK, or `status` with the message "<what>
 * '<name>' cannot be part of a path: <why>; <cure>". An empty name is refused, and one of DD_NAME bytes or more, one
 * that begins with '.' or '-', and one that contains '/' or a control character. */
DD_CHECKED dd_status dd_name_check(const char *name, dd_status status, const char *what, const char *cure);

/* The first `length` bytes of `name` as a name, shortened to the size of a name at the end of a character. */
void dd_name_copy(char out[DD_NAME], const char *name, size_t length);

/* The plural ending for `n` things: "" or "s". */
const char *dd_plural(long long n);

#endif
