#define _GNU_SOURCE /* memmem */
/* Points from text: comma, semicolon, tab or blanks between numbers, plain or compressed by gzip. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <zlib.h>

#include "base/error.h"
#include "base/names.h"
#include "data/points_csv_fields.h"
#include "data/points_file.h"

enum { LONGEST_LINE = 1 << 20, BUFFER = 2 * LONGEST_LINE };

typedef struct csv {
    dd_rows *rows;
    dd_header_row header; /* what the user says about the first row */
    dd_csv_format format; /* its line is called a row in messages */
    bool begun;           /* the first row has been read */
    char *names;          /* the text of the header, which is split when the first row of numbers shows how */
    size_t names_length;
    int columns;       /* of every row; 0 until the first row of numbers */
    size_t first_line; /* of that row */
    /* The first row, if its numbers could also be names of columns. Each doubt ends when another row looks the same. */
    struct doubt {
        size_t line;
        char text[64];
        bool whole, years, quoted;
    } doubt;
} csv;

/* ---- one row ---- */

typedef struct row {
    const char *begin, *end;
    double value[DD_MOST_FILE_COLUMNS];
    bool number[DD_MOST_FILE_COLUMNS];
    int columns, numbers, empty, quoted, whole; /* whole: number of fields with digits only */
    bool trailing; /* a separator without a field ends the row; it may mean an empty field, or nothing */
} row;

static void split(csv *c, const char *begin, const char *end, row *r)
{
    const char *p = begin;
    dd_csv_field f;
    r->begin = begin;
    r->end = end;
    r->columns = r->numbers = r->empty = r->quoted = r->whole = 0;
    r->trailing = false;
    while (dd_csv_next_field(&c->format, &p, end, &f)) {
        if (f.begin == f.end && !f.quoted && p > end && r->columns && (!c->columns || r->columns == c->columns)) {
            r->trailing = true;
            break;
        }
        if (r->columns < DD_MOST_FILE_COLUMNS) {
            r->value[r->columns] = f.value;
            r->number[r->columns] = f.number;
        }
        r->columns++;
        r->numbers += f.number;
        r->quoted += f.quoted;
        r->empty += f.begin == f.end;
        if (!c->begun || c->doubt.line)
            r->whole += dd_csv_is_whole(&f);
    }
}

/* ---- rows that are not points ---- */

static dd_status utf16(const char *name, const char *encoding)
{
    return dd_fail(DD_ERR_DATA, "%s: text in %s; save it as UTF-8, or convert it: iconv -f %s -t UTF-8 FILE > NEW_FILE",
                   name, encoding, encoding);
}

/* Recognise UTF-16 and UTF-32 by their marks, or by the zero bytes next to digits. */
static dd_status check_encoding(const csv *c, const unsigned char *start, size_t n)
{
    const char *name = c->rows->name;
    if (n >= 4 && start[0] == 0xFF && start[1] == 0xFE && !start[2] && !start[3])
        return utf16(name, "UTF-32");
    if (n >= 2 && ((start[0] == 0xFF && start[1] == 0xFE) || (start[0] == 0xFE && start[1] == 0xFF)))
        return utf16(name, "UTF-16");
    if (n >= 4 && start[0] && !start[1] && start[2] && !start[3])
        return utf16(name, "UTF-16LE");
    if (n >= 4 && !start[0] && start[1] && !start[2] && start[3])
        return utf16(name, "UTF-16BE");
    return DD_OK;
}

/* Bytes that a line of text never contains. Called if a line has more than numbers. */
static dd_status check_characters(const csv *c, const char *begin, const char *end)
{
    if (memchr(begin, 0, (size_t)(end - begin)))
        return dd_fail(DD_ERR_DATA,
                       "%s: row %zu: a zero byte, which text never has: the file is damaged from there on, for "
                       "instance by a power failure while it was written; restore it from a copy, or write it again",
                       c->rows->name, c->format.line);
    if (memchr(begin, '\r', (size_t)(end - begin)))
        return dd_fail(DD_ERR_DATA,
                       "%s: row %zu: a carriage return without a line feed, the line ending of old Macintosh programs; "
                       "convert the file: tr '\\r' '\\n' < FILE > NEW_FILE",
                       c->rows->name, c->format.line);
    return DD_OK;
}

static const char decimal_commas[] = "; decimal commas are read where a semicolon or tab separates the columns";

static dd_status wrong_width(const csv *c, const row *r)
{
    return dd_fail(DD_ERR_DATA, "%s: row %zu has %d column%s; row %zu has %d%s", c->rows->name, c->format.line,
                   r->columns, dd_plural(r->columns), c->first_line, c->columns,
                   c->format.separator == ',' && r->columns == 2 * c->columns ? decimal_commas : "");
}

static dd_status not_numbers(const csv *c, const row *r, const char *hint)
{
    int shown = r->end - r->begin < 60 ? (int)(r->end - r->begin) : 60;
    return dd_fail(DD_ERR_DATA, "%s: row %zu: '%.*s' is not a row of numbers%s", c->rows->name, c->format.line, shown,
                   r->begin, hint);
}

/* ---- the first row: numbers, or names of columns ---- */

static const char name_them[] = "; if it names the columns, say --header yes; if it is a point, --header no";
static const char missing_values[] = ": these are missing values; leave the row out (--drop-incomplete does that; if "
                                     "they name the columns, say --header "
                                     "yes)";

static bool is_year(double value)
{
    return value >= 1800 && value <= 2200;
}

static bool all_years(const row *r)
{
    bool years = r->whole == r->columns;
    for (int i = 0; i < r->columns && years; i++)
        years = is_year(r->value[i]);
    return years;
}

static bool all_different(const row *r)
{
    for (int i = 0; i < r->columns; i++)
        for (int j = 0; j < i; j++)
            if (r->value[i] == r->value[j])
                return false;
    return true;
}

static dd_status ask_for_header(const csv *c, const char *why)
{
    return dd_fail(DD_ERR_DATA,
                   "%s: row %zu, '%s', may be a point or the names of the columns: %s. Say --header no if it is a "
                   "point, --header yes if it is names",
                   c->rows->name, c->doubt.line, c->doubt.text, why);
}

/* If numbers are names of columns, they are all different: 0, 1 (pandas without names), 2020, 2021, "10", "20". */
static dd_status doubt_first_row(csv *c, const row *r)
{
    bool counted = r->whole == r->columns;
    if (!all_different(r))
        return DD_OK;
    c->doubt.line = c->format.line;
    snprintf(c->doubt.text, sizeof c->doubt.text, "%.*s", (int)(r->end - r->begin), r->begin);
    c->doubt.whole = r->whole == r->columns;
    c->doubt.years = all_years(r);
    c->doubt.quoted = r->quoted == r->columns;
    for (int i = 0; i < r->columns && counted; i++)
        counted = r->value[i] == i;
    return counted ? ask_for_header(c, "it counts from 0, as pandas names columns without names") : DD_OK;
}

static void settle_doubt(csv *c, const row *r)
{
    if (c->doubt.line == c->format.line)
        return;
    c->doubt.whole &= r->whole < r->columns;
    c->doubt.years &= !all_years(r);
    c->doubt.quoted &= !r->quoted;
    if (!c->doubt.whole && !c->doubt.years && !c->doubt.quoted)
        c->doubt.line = 0;
}

static dd_status check_doubt(const csv *c)
{
    if (!c->doubt.line || c->rows->n < 2)
        return DD_OK;
    return ask_for_header(c, c->doubt.quoted  ? "no other row is in quotes"
                             : c->doubt.years ? "it looks like years, and no other row does"
                                              : "it is whole numbers, and every other row has decimals");
}

/* Fields that are empty or say that a value is missing. */
static int count_missing(csv *c, const row *r)
{
    const char *p = r->begin;
    int count = 0;
    dd_csv_field f;
    while (dd_csv_next_field(&c->format, &p, r->end, &f))
        count += dd_csv_is_missing(&f);
    return count - r->trailing;
}

static bool has_like_number(csv *c, const row *r)
{
    const char *p = r->begin;
    dd_csv_field f;
    while (dd_csv_next_field(&c->format, &p, r->end, &f))
        if (dd_csv_is_like_number(&f))
            return true;
    return false;
}

/* Whether an unsure first row is one: it has words, and no number. */
static dd_status decide_header(csv *c, const row *r, bool *is_header)
{
    int missing = count_missing(c, r);
    bool drop = c->rows->reading && c->rows->reading->drop_incomplete;
    *is_header = !r->numbers && r->empty < r->columns;
    if (*is_header && r->columns > 1 && missing == r->columns) {
        *is_header = false;
        return drop ? DD_OK : not_numbers(c, r, missing_values);
    }
    bool mixed = r->numbers && r->numbers + missing < r->columns;
    if (!mixed && !(*is_header && has_like_number(c, r)))
        return DD_OK;
    DD_TRY(check_characters(c, r->begin, r->end));
    return not_numbers(c, r, name_them);
}

static dd_status keep_names(csv *c, const row *r)
{
    c->names_length = (size_t)(r->end - r->begin);
    c->names = malloc(c->names_length + 1);
    if (!c->names)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    memcpy(c->names, r->begin, c->names_length);
    c->format.separator = 0; /* a title line may have another separator, or none */
    c->format.comma = c->format.point = 0;
    return check_characters(c, r->begin, r->end);
}

/* Whether the first row is a header. */
static dd_status read_first_row(csv *c, const row *r, bool *is_header)
{
    *is_header = c->header == DD_HEADER_ROW_YES;
    c->begun = true;
    if (c->header == DD_HEADER_ROW_AUTO)
        DD_TRY(decide_header(c, r, is_header));
    if (*is_header)
        return keep_names(c, r);
    bool all_numbers = r->columns <= DD_MOST_FILE_COLUMNS && r->numbers == r->columns;
    return c->header == DD_HEADER_ROW_AUTO && all_numbers ? doubt_first_row(c, r) : DD_OK;
}

/* ---- the names of the columns ---- */

/* The field's text as a name; in quotes, a quote is doubled. */
static void name_of_field(const dd_csv_field *f, dd_column *column)
{
    char text[4 * DD_COLUMN_NAME];
    size_t n = 0;
    for (const char *p = f->begin; p < f->end && n < sizeof text; p++) {
        text[n++] = *p;
        p += f->quoted && *p == '"' && p + 1 < f->end && p[1] == '"';
    }
    dd_column_name(column, text, n);
}

/* The fields of the header, at most DD_MOST_FILE_COLUMNS; returns how many it has. */
static int split_names(csv *c, dd_column *column)
{
    dd_csv_format format = c->format; /* its marks of decimal commas are not those of the numbers */
    const char *p = c->names, *end = c->names + c->names_length;
    int count = 0;
    dd_csv_field f;
    while (dd_csv_next_field(&format, &p, end, &f)) {
        if (count < DD_MOST_FILE_COLUMNS)
            name_of_field(&f, &column[count]);
        count++;
    }
    return count;
}

static dd_status index_column(const csv *c, int width)
{
    char option[32] = "";
    if (width > 1)
        snprintf(option, sizeof option, width > 2 ? " --columns 2-%d" : " --columns 2", width);
    return dd_fail(DD_ERR_DATA,
                   "%s: row 1: the first column has no name, as an index has; leave it out:%s, or save without it "
                   "(pandas: to_csv(FILE, index=False); R: row.names = FALSE)",
                   c->rows->name, option);
}

/* The header has other columns than the row of numbers: a title, or names that cannot be assigned. */
static dd_status other_width(csv *c, int names, int width)
{
    if (c->format.separator == ',' && width == 2 * names && names > 1)
        return dd_fail(DD_ERR_DATA, "%s: row %zu has %d columns; the header names %d%s", c->rows->name, c->format.line,
                       width, names, decimal_commas);
    if (names > 1)
        snprintf(c->rows->note, sizeof c->rows->note,
                 "the names of the header were not used: it has %d, and row %zu has %d columns", names, c->format.line,
                 width);
    return dd_rows_begin(c->rows, width, NULL);
}

/* The first row of numbers says how many columns there are, and how to split the header. */
static dd_status begin_table(csv *c, const row *r)
{
    dd_column *column = c->names ? calloc(DD_MOST_FILE_COLUMNS, sizeof *column) : NULL;
    if (c->names && !column)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    int names = column ? split_names(c, column) : 0, width = r->columns;
    bool trailing = names > 1 && names <= DD_MOST_FILE_COLUMNS && !*column[names - 1].name;
    if (r->trailing && names == width + 1 && !trailing)
        width++; /* the last value is missing */
    names -= trailing && names == width + 1;
    dd_status status;
    if (names && names != width)
        status = other_width(c, names, width);
    else if (names && !*column[0].name && !(c->rows->reading && *c->rows->reading->columns))
        status = index_column(c, width);
    else
        status = dd_rows_begin(c->rows, width, names ? column : NULL);
    free(column);
    c->columns = width;
    c->first_line = c->format.line;
    return status;
}

/* ---- lines ---- */

/* The field of column `number` of a row. */
static dd_csv_field field_of(csv *c, const row *r, int number)
{
    const char *p = r->begin;
    dd_csv_field f = {.begin = r->end, .end = r->end};
    for (int i = 0; i <= number && dd_csv_next_field(&c->format, &p, r->end, &f); i++)
        ;
    return f;
}

/* " --columns a,b" for those of the row that are numbers, unless the user chose. */
static void numeric_columns(const csv *c, const row *r, char *option, size_t size)
{
    int source[DD_MAX_DIMENSIONS], count = 0;
    bool chosen = c->rows->reading && *c->rows->reading->columns;
    for (int i = 0; i < c->rows->columns.count && !chosen; i++)
        if (r->number[c->rows->source[i]])
            source[count++] = c->rows->source[i];
    dd_columns_option(&c->rows->file, source, count, option, size);
}

static dd_status not_a_number(const csv *c, const row *r, int column, const dd_csv_field *f)
{
    char what[160], cure[700], option[500];
    int shown = f->end - f->begin < 60 ? (int)(f->end - f->begin) : 60;
    numeric_columns(c, r, option, sizeof option);
    snprintf(what, sizeof what, "'%.*s' is not a number", shown, f->begin);
    snprintf(cure, sizeof cure, "if the column is text, leave it out%s%s", *option ? ":" : "", option);
    return dd_rows_bad_value(c->rows, c->format.line, column, what, cure);
}

static dd_status missing_value(const csv *c, int column, const dd_csv_field *f)
{
    char what[160];
    int shown = f->end - f->begin < 60 ? (int)(f->end - f->begin) : 60;
    if (f->begin == f->end)
        snprintf(what, sizeof what, "an empty field");
    else
        snprintf(what, sizeof what, "'%.*s' is a missing value", shown, f->begin);
    return dd_rows_bad_value(c->rows, c->format.line, column, what, dd_rows_drop);
}

/* Some fields are not numbers. That matters only in a chosen column. */
static dd_status read_others(csv *c, row *r)
{
    bool drop = c->rows->reading && c->rows->reading->drop_incomplete;
    for (int i = 0; i < c->rows->columns.count; i++) {
        int number = c->rows->source[i];
        if (r->number[number])
            continue;
        DD_TRY(check_characters(c, r->begin, r->end));
        dd_csv_field f = field_of(c, r, number);
        if (!dd_csv_is_missing(&f))
            return not_a_number(c, r, i, &f);
        if (!drop)
            return missing_value(c, i, &f);
        r->value[number] = NAN;
    }
    return DD_OK;
}

/* Many columns in the first row: text of another kind, or a file with old line endings. */
static dd_status check_width(const csv *c, const row *r)
{
    if (r->columns <= DD_MOST_FILE_COLUMNS)
        return DD_OK;
    DD_TRY(check_characters(c, r->begin, r->end));
    return dd_fail(DD_ERR_DATA, "%s: row %zu has %d columns; a file may have at most %d", c->rows->name, c->format.line,
                   r->columns, DD_MOST_FILE_COLUMNS);
}

static dd_status read_row(csv *c, const char *begin, const char *end)
{
    row r;
    bool is_header = false;
    if (!c->format.separator)
        c->format.separator = dd_csv_separator(begin, end);
    split(c, begin, end, &r);
    if (!c->begun)
        DD_TRY(read_first_row(c, &r, &is_header));
    if (is_header)
        return DD_OK;
    if (!c->columns) {
        DD_TRY(check_width(c, &r));
        DD_TRY(begin_table(c, &r));
        split(c, begin, end, &r);
    }
    if (r.columns != c->columns) {
        DD_TRY(check_characters(c, begin, end));
        return wrong_width(c, &r);
    }
    if (r.numbers != r.columns)
        DD_TRY(read_others(c, &r));
    if (c->format.comma && c->format.point)
        return dd_fail(DD_ERR_DATA, "%s: row %zu has a decimal comma and row %zu a decimal point; use one of them",
                       c->rows->name, c->format.comma, c->format.point);
    if (c->doubt.line)
        settle_doubt(c, &r);
    return dd_rows_add(c->rows, c->format.line, r.value);
}

/* The line by which Excel knows the separator: "sep=;". */
static bool names_separator(csv *c, const char *begin, const char *end)
{
    if (c->format.line != 1 || end - begin != 5 || strncasecmp(begin, "sep=", 4))
        return false;
    c->format.separator = begin[4];
    return true;
}

static dd_status read_line(csv *c, const char *begin, const char *end)
{
    c->format.line++;
    while (end > begin && end[-1] == '\r')
        end--;
    const char *text = begin;
    while (text < end && (*text == ' ' || *text == '\t'))
        text++;
    if (text == end)
        return DD_OK;
    bool missing = end - text >= 4 && !strncasecmp(text, "#N/A", 4);
    if (*text == '#' && !missing) /* a comment, as NumPy writes headers */
        return check_characters(c, text, end);
    if (names_separator(c, begin, end))
        return DD_OK;
    return read_row(c, begin, end);
}

/* At the end of the file gzread reports no error, even if the compressed data is incomplete. */
static bool truncated(gzFile file)
{
    int error;
    gzerror(file, &error);
    return error == Z_BUF_ERROR;
}

/* zlib's message without the file's name in it, "<fd:3>: ". */
static const char *reason_of(const char *text)
{
    const char *colon = strstr(text, ": ");
    return colon ? colon + 2 : text;
}

static dd_status read_failed(const csv *c, gzFile file)
{
    int error, reason = errno;
    const char *text = gzerror(file, &error);
    if (error == Z_ERRNO)
        return dd_fail(DD_ERR_IO, "%s: %s", c->rows->name, strerror(reason));
    if (error == Z_MEM_ERROR)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    return dd_fail(DD_ERR_IO, "%s: damaged or truncated after row %zu: %s; restore it from a copy", c->rows->name,
                   c->format.line, reason_of(text));
}

/* Read the complete lines of buffer[0..n), and at the end of the file also the rest. What remains is moved to the
 * front; *n becomes its length. */
static dd_status read_lines(csv *c, char *buffer, size_t *n, bool at_end)
{
    char *begin = buffer, *end = buffer + *n, *newline;
    while ((newline = memchr(begin, '\n', (size_t)(end - begin)))) {
        DD_TRY(read_line(c, begin, newline));
        begin = newline + 1;
    }
    if (at_end && begin < end)
        DD_TRY(read_line(c, begin, end));
    *n = at_end ? 0 : (size_t)(end - begin);
    if (*n > LONGEST_LINE) {
        c->format.line++;
        DD_TRY(check_characters(c, begin, end));
        return dd_fail(DD_ERR_DATA, "%s: row %zu is longer than %d letters; is the file a table of numbers?",
                       c->rows->name, c->format.line, LONGEST_LINE);
    }
    memmove(buffer, begin, *n);
    return DD_OK;
}

/* Only if the position in the compressed file is known; a pipe has none. */
static dd_status check_compression(const csv *c, gzFile file, uint64_t size)
{
    z_off_t there = gzdirect(file) ? -1 : gzoffset(file);
    return there < 0 ? DD_OK : dd_rows_check_compression(c->rows, size, (uint64_t)there);
}

static dd_status read_all(csv *c, gzFile file, char *buffer)
{
    size_t n = 0;
    uint64_t size = 0;
    dd_status status = DD_OK;
    int got;
    bool first = true;
    do {
        got = gzread(file, buffer + n, (unsigned)(BUFFER - n));
        if (got < 0 || (got == 0 && truncated(file)))
            return read_failed(c, file);
        n += (size_t)got;
        size += (size_t)got;
        DD_TRY(check_compression(c, file, size));
        if (first) {
            DD_TRY(check_encoding(c, (const unsigned char *)buffer, n));
            if (n >= 3 && !memcmp(buffer, "\xEF\xBB\xBF", 3))
                memmove(buffer, buffer + 3, n -= 3); /* the byte order mark of a spreadsheet's UTF-8 */
        }
        first = false;
        status = read_lines(c, buffer, &n, got == 0);
    } while (!status && got);
    return status ? status : check_doubt(c);
}

dd_status dd_points_read_csv(const char *path, dd_rows *rows)
{
    csv c = {.rows = rows, .header = rows->reading ? rows->reading->header : DD_HEADER_ROW_AUTO};
    int descriptor = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
    if (descriptor < 0)
        return dd_fail(DD_ERR_IO, "%s: %s", rows->name, strerror(errno));
    gzFile file = gzdopen(descriptor, "rb");
    char *buffer = malloc(BUFFER);
    dd_status status = DD_ERR_MEMORY;
    if (file && buffer) {
        gzbuffer(file, 1 << 18);
        status = read_all(&c, file, buffer);
    } else {
        dd_fail(DD_ERR_MEMORY, "out of memory");
    }
    free(buffer);
    free(c.names);
    if (file)
        gzclose(file);
    else
        close(descriptor);
    return status;
}
