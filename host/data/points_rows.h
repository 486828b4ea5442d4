/* The table that readers of files fill: rows of the chosen columns in float64. It checks each value, for every kind of
 * file.
 *
 *     dd_rows rows = {.name = path, .reading = reading};
 *     DD_TRY(dd_rows_begin(&rows, width, names));       // once the file's columns are known
 *     DD_TRY(dd_rows_add(&rows, place, value));         // a row of the file, value [width]
 *     DD_TRY(dd_rows_end(&rows));                       // checks that need all rows
 */
#ifndef DD_POINTS_ROWS_H
#define DD_POINTS_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "data/points.h"
#include "data/points_choice.h"

/* The most columns that a file may have. Points have at most DD_MAX_DIMENSIONS: the chosen ones. */
enum { DD_MOST_FILE_COLUMNS = 4096 };

typedef struct dd_rows {
    const char *name; /* of the file, for messages */
    const dd_reading *reading;
    const dd_columns *like;         /* NULL, or the columns of a run, which are looked for in the file */
    bool scaled;                    /* values become float32 only after they are scaled */
    uint64_t announced;             /* rows that an array says it has; 0: not known before reading */
    dd_file_columns file;           /* width 0 until dd_rows_begin */
    dd_column *own;                 /* of the file */
    dd_columns columns;             /* the chosen ones */
    int source[DD_MAX_DIMENSIONS];  /* their numbers in the file, from 0 */
    double *value;                  /* (n, columns.count) */
    size_t n, room, dropped;        /* dropped: incomplete rows that were left out */
    char note[DD_POINTS_NOTE - 80]; /* what else was left out */
} dd_rows;

/* The file has `width` columns, with names column[width], or NULL if it does not name them; a column without a name is
 * "column 3". Chooses columns: all but the gating weights of `dualdiff sample`, or those of --columns. With `like` it
 * chooses the columns of these names, in this order, if the file (or --columns) has them all; else as many columns are
 * taken by their place, and rows->note says so. DD_ERR_DATA as dd_choose_columns, for too many columns or two of the
 * same name, and if there are not as many as in `like`. */
DD_CHECKED dd_status dd_rows_begin(dd_rows *rows, int width, const dd_column *column);

/* Append a row of the file; `place` is its number there. A row with a NaN is left out if the user wants that; else a
 * NaN, and always an infinite value (in float32, unless rows->scaled), is DD_ERR_DATA with place and column. */
DD_CHECKED dd_status dd_rows_add(dd_rows *rows, size_t place, const double *value);

/* For readers that know only the order of an array: append n rows at once, set value[row * columns.count + c], then let
 * all rows be checked as dd_rows_add does. */
DD_CHECKED dd_status dd_rows_extend(dd_rows *rows, size_t n);
DD_CHECKED dd_status dd_rows_check(dd_rows *rows);

/* DD_ERR_DATA if there are too few rows, or if a column has the same value in all of them. */
DD_CHECKED dd_status dd_rows_end(dd_rows *rows);
void dd_rows_free(dd_rows *rows);

/* DD_ERR_DATA for the value of chosen column c at `place`: "<file>: row 3, column 2 ('mass'): <what>; <cure>". */
dd_status dd_rows_bad_value(const dd_rows *rows, size_t place, int c, const char *what, const char *cure);
/* The cures for it. */
extern const char dd_rows_drop[];

/* DD_ERR_DATA if a compressed file of `there` bytes decompresses to `size` bytes, which is far more than numbers ever
 * do: it would fill the memory. */
DD_CHECKED dd_status dd_rows_check_compression(const dd_rows *rows, uint64_t size, uint64_t there);

/* The shape of an array or dataset (`what`): DD_ERR_DATA unless it is (n, D) or (n,), which is one column. */
DD_CHECKED dd_status dd_rows_check_shape(const dd_rows *rows, const char *what, int rank,
                                         const unsigned long long *size);

/* The end of a message about n rows of `count` columns: "" unless they seem to be exchanged. */
const char *dd_transposed_hint(uint64_t n, int count);

#endif
