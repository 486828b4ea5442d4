/* Words that come from files or users: what may become part of a path, and what a terminal may see.
 *
 *     DD_TRY(dd_name_check(name, DD_ERR_USAGE, "--name", "choose another one"));
 *     snprintf(path, size, "%s/%s/seed_0.h5", out, name);
 */
#ifndef DD_NAMES_H
#define DD_NAMES_H

#include <stddef.h>

#include "error.h"

enum { DD_NAME = 64 }; /* the longest name of a configuration or of points, with its NUL */

/* Whether `name` may be one component of a path that the program writes to. DD_OK, or `status` with the message
 * "<what> '<name>' cannot be part of a path: <why>; <cure>". Refused are the empty name, one of DD_NAME bytes or more,
 * one that begins with '.' or '-', and one that holds '/' or a control character. */
int dd_name_check(const char *name, dd_status status, const char *what, const char *cure);

/* The first `length` bytes of `name` as a name: cut to what fits, behind a whole character. */
void dd_name_copy(char out[DD_NAME], const char *name, size_t length);

/* Make text safe for a terminal, in place: each byte of a control character (C0 but newline and tab, DEL, C1 as UTF-8
 * or as a single byte) becomes '?'. dd_fail does it with every message. */
void dd_clean_text(char *text);

/* The same for one line: newline and tab too. */
void dd_clean_line(char *text);

/* What makes a word of `n` things a plural: "" or "s". */
const char *dd_plural(long long n);

/* Length in bytes of the UTF-8 sequence at s, 0 if it is not one (RFC 3629). */
int dd_utf8_length(const unsigned char *s);

#endif
