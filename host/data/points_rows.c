#include "data/points_rows.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"

enum { LEAST_POINTS = 2, SHOWN = 500, LISTED = 150 };

const char dd_rows_drop[] = "fill it in, or say --drop-incomplete to leave out rows with missing values";

const char *dd_transposed_hint(uint64_t n, int count)
{
    return n && n < (uint64_t)count
               ? "; if rows and columns are exchanged, save the transposed array (NumPy: points.T; "
                 "MATLAB stores its own so)"
               : "";
}

/* ---- columns ---- */

static dd_status name_columns(dd_rows *rows, int width, const dd_column *column)
{
    rows->own = calloc((size_t)width, sizeof *rows->own);
    if (!rows->own)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    for (int c = 0; c < width; c++)
        if (column && *column[c].name)
            rows->own[c] = column[c];
        else
            snprintf(rows->own[c].name, sizeof rows->own[c].name, column ? "column %d" : "x%d", c + 1);
    rows->file = (dd_file_columns){rows->name, width, rows->own, column};
    return DD_OK;
}

/* How many columns at the end hold gating weights: `gate`, or gate1 to gateK, as `dualdiff sample` names them. */
static int gate_columns(const dd_file_columns *file)
{
    char name[DD_COLUMN_NAME];
    int width = file->width;
    if (!file->named)
        return 0;
    if (!strcmp(file->column[width - 1].name, "gate"))
        return 1;
    for (int count = DD_MAX_EXPERTS; count > 1; count--) {
        bool all = width > count;
        for (int k = 1; k <= count && all; k++) {
            snprintf(name, sizeof name, "gate%d", k);
            all = !strcmp(file->column[width - count + k - 1].name, name);
        }
        if (all)
            return count;
    }
    return 0;
}

static dd_status too_many(const dd_rows *rows, int width)
{
    return dd_fail(DD_ERR_DATA, "%s: %d columns; points have at most %d: choose some, for instance --columns 1-5,9%s",
                   rows->name, width, DD_MAX_DIMENSIONS, dd_transposed_hint(rows->announced, width));
}

static dd_status choose_all(dd_rows *rows, int *count)
{
    char list[200];
    int gates = gate_columns(&rows->file), left = rows->file.width - gates;
    if (!left)
        gates = 0, left = rows->file.width;
    if (left > DD_MAX_DIMENSIONS)
        return too_many(rows, left);
    if (gates)
        snprintf(rows->note, sizeof rows->note,
                 "left out the gating weights of `dualdiff sample` (%s), which --columns can choose",
                 dd_columns_list(rows->own + left, gates, list, sizeof list));
    for (int c = 0; c < left; c++)
        rows->source[c] = c;
    *count = left;
    return DD_OK;
}

static dd_status check_names(const dd_rows *rows)
{
    for (int a = 0; a < rows->columns.count; a++)
        for (int b = a + 1; b < rows->columns.count; b++)
            if (!strcmp(rows->columns.column[a].name, rows->columns.column[b].name))
                return dd_fail(DD_ERR_DATA,
                               "%s: columns %d and %d are both called '%s'; rename one, or choose one of them by its "
                               "number with --columns",
                               rows->name, rows->source[a] + 1, rows->source[b] + 1, rows->columns.column[a].name);
    return DD_OK;
}

/* Look for the columns of rows->like by their names among `from` [width], numbers of columns (NULL: all). Returns
 * whether the file has names and each of these once; rows->source and *count change only then. */
static bool find_names(dd_rows *rows, int width, const int *from, int *count)
{
    int source[DD_MAX_DIMENSIONS];
    for (int c = 0; c < rows->like->count; c++) {
        int found = 0;
        for (int i = 0; i < width && rows->file.named; i++) {
            int column = from ? from[i] : i;
            if (strcmp(rows->own[column].name, rows->like->column[c].name) != 0)
                continue;
            source[c] = column;
            found++;
        }
        if (found != 1)
            return false;
    }
    *count = rows->like->count;
    memcpy(rows->source, source, (size_t)*count * sizeof *source);
    return true;
}

/* Bring the chosen columns into the order of the run's, or take them by their place. */
static dd_status match(dd_rows *rows, int *count)
{
    char mine[LISTED], theirs[LISTED];
    int source[DD_MAX_DIMENSIONS];
    dd_column chosen[DD_MAX_DIMENSIONS];
    const dd_columns *like = rows->like;
    memcpy(source, rows->source, sizeof source);
    if (find_names(rows, *count, source, count))
        return DD_OK;
    for (int c = 0; c < *count; c++)
        chosen[c] = rows->own[source[c]];
    dd_columns_list(chosen, *count, mine, sizeof mine);
    dd_columns_list(like->column, like->count, theirs, sizeof theirs);
    if (*count != like->count)
        return dd_fail(DD_ERR_DATA, "%s: %d column%s (%s), but the run has %d (%s); choose with --columns", rows->name,
                       *count, dd_plural(*count), mine, like->count, theirs);
    size_t at = strlen(rows->note);
    if (rows->file.named)
        snprintf(rows->note + at, sizeof rows->note - at, "%scolumns %s are taken as %s, by their place",
                 at ? "; " : "", mine, theirs);
    return DD_OK;
}

dd_status dd_rows_begin(dd_rows *rows, int width, const dd_column *column)
{
    int count = 0;
    const char *choice = rows->reading ? rows->reading->columns : "";
    if (width > DD_MOST_FILE_COLUMNS)
        return dd_fail(DD_ERR_DATA, "%s: %d columns; a file may have at most %d%s", rows->name, width,
                       DD_MOST_FILE_COLUMNS, dd_transposed_hint(rows->announced, width));
    DD_TRY(name_columns(rows, width, column));
    if (*choice)
        DD_TRY(dd_choose_columns(&rows->file, choice, rows->source, &count));
    else if (!rows->like || !find_names(rows, width, NULL, &count))
        DD_TRY(choose_all(rows, &count));
    if (rows->like)
        DD_TRY(match(rows, &count));
    dd_columns_plain(&rows->columns, count);
    for (int c = 0; c < count; c++)
        memcpy(rows->columns.column[c].name, rows->own[rows->source[c]].name, DD_COLUMN_NAME);
    return check_names(rows);
}

/* ---- rows ---- */

dd_status dd_rows_extend(dd_rows *rows, size_t n)
{
    size_t width = (size_t)rows->columns.count * sizeof *rows->value, needed = rows->n + n;
    if (needed > rows->room) {
        size_t room = n > 1 ? needed : rows->room ? 2 * rows->room : 4096;
        double *longer = needed > UINT32_MAX ? NULL : realloc(rows->value, room * width);
        if (!longer)
            return dd_fail(DD_ERR_MEMORY, "%s: out of memory for %zu rows", rows->name, needed);
        rows->value = longer;
        rows->room = room;
    }
    rows->n = needed;
    return DD_OK;
}

enum { QUOTED = DD_COLUMN_NAME + 8 };

/* " ('mass')", the name of a chosen column in a message; "" if the file has no names. */
static const char *quoted(const dd_rows *rows, int c, char name[QUOTED])
{
    *name = '\0';
    if (rows->file.named)
        snprintf(name, QUOTED, " ('%s')", rows->columns.column[c].name);
    return name;
}

dd_status dd_rows_bad_value(const dd_rows *rows, size_t place, int c, const char *what, const char *cure)
{
    char name[QUOTED];
    return dd_fail(DD_ERR_DATA, "%s: row %zu, column %d%s: %s; %s", rows->name, place, rows->source[c] + 1,
                   quoted(rows, c, name), what, cure);
}

/* Whether the row stays: one with a missing value goes, if the user wants that. */
static dd_status check_row(const dd_rows *rows, size_t place, const double *row, bool *stays)
{
    bool drop = rows->reading && rows->reading->drop_incomplete;
    *stays = true;
    for (int c = 0; c < rows->columns.count; c++)
        if (isnan(row[c])) {
            *stays = false;
            if (!drop)
                return dd_rows_bad_value(rows, place, c, "NaN", dd_rows_drop);
        }
    for (int c = 0; c < rows->columns.count && *stays; c++)
        if (!isfinite(rows->scaled ? row[c] : (double)(float)row[c]))
            return dd_rows_bad_value(rows, place, c, rows->scaled ? "infinite" : "infinite, or too large for float32",
                                     "every coordinate must be a finite number");
    return DD_OK;
}

dd_status dd_rows_add(dd_rows *rows, size_t place, const double *value)
{
    bool stays;
    DD_TRY(dd_rows_extend(rows, 1));
    double *row = rows->value + (rows->n - 1) * (size_t)rows->columns.count;
    for (int c = 0; c < rows->columns.count; c++)
        row[c] = value[rows->source[c]];
    DD_TRY(check_row(rows, place, row, &stays));
    rows->n -= !stays;
    rows->dropped += !stays;
    return DD_OK;
}

dd_status dd_rows_check(dd_rows *rows)
{
    size_t width = (size_t)rows->columns.count, kept = 0;
    for (size_t i = 0; i < rows->n; i++) {
        bool stays;
        double *row = rows->value + i * width;
        DD_TRY(check_row(rows, i + 1, row, &stays));
        if (stays && kept < i)
            memcpy(rows->value + kept * width, row, width * sizeof *row);
        kept += stays;
    }
    rows->dropped += rows->n - kept;
    rows->n = kept;
    return DD_OK;
}

/* ---- all rows ---- */

static bool is_constant(const dd_rows *rows, int c)
{
    size_t width = (size_t)rows->columns.count;
    for (size_t i = 1; i < rows->n; i++) {
        double value = rows->value[i * width + (size_t)c], first = rows->value[c];
        if (rows->scaled ? value != first : (float)value != (float)first)
            return false;
    }
    return true;
}

static dd_status constant(const dd_rows *rows, int c)
{
    int others[DD_MAX_DIMENSIONS], count = 0;
    char option[SHOWN], name[QUOTED];
    for (int i = 0; i < rows->columns.count; i++)
        if (i != c && !is_constant(rows, i))
            others[count++] = rows->source[i];
    dd_columns_option(&rows->file, others, count, option, sizeof option);
    return dd_fail(DD_ERR_DATA,
                   "%s: column %d%s is %g in every row, so there is nothing to learn of it; leave it out%s%s",
                   rows->name, rows->source[c] + 1, quoted(rows, c, name), rows->value[c], *option ? ":" : "", option);
}

dd_status dd_rows_end(dd_rows *rows)
{
    char dropped[80] = "";
    if (rows->dropped)
        snprintf(dropped, sizeof dropped, "; %zu incomplete row%s left out", rows->dropped,
                 rows->dropped == 1 ? " was" : "s were");
    if (rows->n < LEAST_POINTS)
        return dd_fail(DD_ERR_DATA, "%s: %zu point%s; at least %d are needed%s", rows->name, rows->n,
                       dd_plural((long long)rows->n), LEAST_POINTS, dropped);
    for (int c = 0; c < rows->columns.count; c++)
        if (is_constant(rows, c))
            return constant(rows, c);
    return DD_OK;
}

void dd_rows_free(dd_rows *rows)
{
    free(rows->own);
    free(rows->value);
    *rows = (dd_rows){0};
}

/* ---- arrays and compressed files ---- */

dd_status dd_rows_check_compression(const dd_rows *rows, uint64_t size, uint64_t there)
{
    enum { MOST = 200, HARMLESS = 32 << 20 };
    if (size < HARMLESS || size / MOST <= there)
        return DD_OK;
    return dd_fail(
        DD_ERR_DATA,
        "%s: decompresses to more than %llu MB from %llu kB, which a table of points never does: the file is damaged, "
        "or made to fill the memory. If it is neither, give the decompressed file (gunzip, unzip)",
        rows->name, (unsigned long long)(size >> 20), (unsigned long long)(there >> 10));
}

static dd_status wrong_shape(const dd_rows *rows, const char *what, int rank, const unsigned long long *size)
{
    char shape[256] = "()";
    for (int i = 0, at = 0; i < rank && at < (int)sizeof shape - 32; i++)
        at += snprintf(shape + at, sizeof shape - (size_t)at, "%s%llu%s", i ? ", " : "(", size[i],
                       i < rank - 1 ? ""
                       : rank == 1  ? ",)"
                                    : ")");
    return dd_fail(DD_ERR_DATA, "%s: %s of shape %s; points have shape (n, D), a row for each point", rows->name, what,
                   shape);
}

dd_status dd_rows_check_shape(const dd_rows *rows, const char *what, int rank, const unsigned long long *size)
{
    bool table = rank == 1 || (rank == 2 && size[1]);
    if (!table)
        return wrong_shape(rows, what, rank, size);
    if (rank == 2 && size[1] > DD_MOST_FILE_COLUMNS)
        return dd_fail(DD_ERR_DATA, "%s: %llu columns; a file may have at most %d%s", rows->name, size[1],
                       DD_MOST_FILE_COLUMNS,
                       dd_transposed_hint(size[0], size[1] > INT32_MAX ? INT32_MAX : (int)size[1]));
    return DD_OK;
}
