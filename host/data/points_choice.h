/* Chooses columns of a file, as --columns says: names or numbers from 1, and ranges of numbers, with commas between.
 *
 *     a,c,d      three columns by name          2,5-7      the second, and the fifth to the seventh
 *
 * A word that is the name of a column means that column, also if it is a number or has commas.
 */
#ifndef DD_POINTS_CHOICE_H
#define DD_POINTS_CHOICE_H

#include <stdbool.h>

#include "base/error.h"
#include "data/columns.h"

/* The columns of a file. */
typedef struct dd_file_columns {
    const char *file; /* its name, for messages */
    int width;
    const dd_column *column; /* [width] */
    bool named;              /* the names are the file's own */
} dd_file_columns;

/* source[0..*count) become the numbers, from 0, of the columns that `choice` names, in its order. DD_ERR_DATA for a
 * column that is not there (with the closest name), for a name that two columns have, and for more than
 * DD_MAX_DIMENSIONS columns. DD_ERR_USAGE for a malformed choice, or a column that is chosen twice. */
DD_CHECKED dd_status dd_choose_columns(const dd_file_columns *columns, const char *choice,
                                       int source[DD_MAX_DIMENSIONS], int *count);

/* " --columns a,c" for the columns source[0..count) as a shell reads it; "" if count is 0, if there is no room, or if a
 * column has neither a name nor a number that means it alone. By name
 * where a name is plain, else by number. Returns out. */
const char *dd_columns_option(const dd_file_columns *columns, const int *source, int count, char *out, size_t size);

#endif
