/* The columns of a set of points: one for each coordinate, with its name and its scale (scaling.h).
 *
 *     dd_columns columns;
 *     dd_columns_plain(&columns, 2);              // x1, x2
 */
#ifndef DD_COLUMNS_H
#define DD_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

enum { DD_COLUMN_NAME = 64 };

typedef struct dd_column {
    char name[DD_COLUMN_NAME]; /* UTF-8 */
    double shift, scale;       /* 0 and 1 where nothing is scaled */
} dd_column;

/* Of fixed size, so that points can be copied. */
typedef struct dd_columns {
    int count;   /* D, the dimensions of the points: 1 .. DD_MAX_DIMENSIONS */
    bool scaled; /* false: every shift is 0 and every scale 1 */
    dd_column column[DD_MAX_DIMENSIONS];
} dd_columns;

/* Columns of points that have no names of their own: x1, x2, ...; nothing is scaled. */
void dd_columns_plain(dd_columns *columns, int count);

/* Whether the names are x1, x2, ... */
bool dd_columns_are_plain(const dd_columns *columns);

/* The first `length` bytes of `text` as the name of a column: cut at the end of a character, with '?' for each byte of
 * a control character and for each byte that is not UTF-8. */
void dd_column_name(dd_column *column, const char *text, size_t length);

/* The names of column[0..count) as "a, b, c", or as "a, b, ... (120 columns)" if there is no room. Returns out. */
const char *dd_columns_list(const dd_column *column, int count, char *out, size_t size);

#endif
