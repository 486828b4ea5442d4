/* Reads TOML with toml++, a C++ library, and offers a C interface to it. */
#ifndef DD_TOML_H
#define DD_TOML_H

#include <stdint.h>

#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dd_toml_type {
    DD_TOML_INTEGER,
    DD_TOML_FLOAT,
    DD_TOML_STRING,
    DD_TOML_INTEGERS,
    DD_TOML_BOOLEAN, /* `integer` is 0 or 1 */
    DD_TOML_OTHER
} dd_toml_type;

/* A section's header (key "") or one "key = value" in it. `type_name` is TOML's name for the type of the value. */
typedef struct dd_toml_value {
    const char *section, *key; /* section is "" at the top level */
    int line, column;          /* place of the section's name or of the key */
    dd_toml_type type;
    const char *type_name;
    int64_t integer;
    double real;
    const char *string;
    const int64_t *integers; /* an array of integers only */
    int count;
} dd_toml_value;

/* Parse `text` and call `visit` for every section and value in the order of the file. If `visit` returns nonzero, the
 * walk ends and returns that. DD_ERR_CONFIG with `origin` and place for a syntax error and for text that exceeds the
 * bounds of toml_bounds.h. */
DD_CHECKED dd_status dd_toml_parse(const char *text, const char *origin,
                                   dd_status (*visit)(void *user, const dd_toml_value *value), void *user);

/* Write "line 3, column 7: " for messages into `out` (DD_TOML_PLACE characters) and return it. "" if `origin` is "--set
 * section.key=value", which already says the place. */
enum { DD_TOML_PLACE = 48 };
const char *dd_toml_place(const char *origin, int line, int column, char *out);

#ifdef __cplusplus
}
#endif
#endif
