/* The columns of a set of points: one for each coordinate, with its name.
 *
 *     dd_columns columns;
 *     dd_columns_plain(&columns, 2);              // x1, x2
 */
#ifndef DD_COLUMNS_H
#define DD_COLUMNS_H

#include "config/config.h"

enum { DD_COLUMN_NAME = 64 };

typedef struct dd_column {
    char name[DD_COLUMN_NAME]; /* UTF-8 */
} dd_column;

/* Of fixed size, so that points can be copied. */
typedef struct dd_columns {
    int count; /* D, the dimensions of the points: 1 .. DD_MAX_DIMENSIONS */
    dd_column column[DD_MAX_DIMENSIONS];
} dd_columns;

/* Columns of points that have no names of their own: x1, x2, ... */
void dd_columns_plain(dd_columns *columns, int count);

#endif
