/* TOML through toml++ (a C++ library), with an edge in C. */
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

/* A section's header (key "") or one "key = value" in it. `type_name` is TOML's word for what stands there. */
typedef struct dd_toml_value {
    const char *section, *key; /* section "" at the top level */
    int line, column;          /* of the section's name or the key */
    dd_toml_type type;
    const char *type_name;
    int64_t integer;
    double real;
    const char *string;
    const int64_t *integers; /* an array of integers only */
    int count;
} dd_toml_value;

/* Parse `text` and hand every section and value to `visit` in the order of the file; a nonzero return of it ends
 * the walk and is returned. Syntax errors, and text that exceeds the bounds of
 * toml_bounds.h, are DD_ERR_CONFIG with `origin` and place. */
DD_CHECKED dd_status dd_toml_parse(const char *text, const char *origin,
                                   dd_status (*visit)(void *user, const dd_toml_value *value), void *user);

/* "line 3, column 7: ", for messages; "" where `origin` is "--set section.key=value", which is its own place. Returns
 * out, of DD_TOML_PLACE characters. */
enum { DD_TOML_PLACE = 48 };
const char *dd_toml_place(const char *origin, int line, int column, char *out);

#ifdef __cplusplus
}
#endif
#endif
