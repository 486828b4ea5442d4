/* The fields of a line of text: numbers and words between separators, in quotes or not. */
#ifndef DD_POINTS_CSV_FIELDS_H
#define DD_POINTS_CSV_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct dd_csv_format {
    char separator; /* ' ': any blanks; 0: not known yet */
    size_t line;    /* the number of the current one */
    size_t comma,
        point; /* the first line with a decimal comma, and the first with a decimal point where a comma is allowed */
} dd_csv_format;

typedef struct dd_csv_field {
    const char *begin, *end; /* without quotes */
    double value;
    bool number, quoted;
} dd_csv_field;

/* Read the field at *p and move *p to the next one. Returns false after the last field. */
bool dd_csv_next_field(dd_csv_format *format, const char **p, const char *end, dd_csv_field *field);

/* The separator of a row: the first of these outside quotes: semicolon, tab, comma; else blanks. Several tabs in a row
 * only align columns, and so do tabs next to each comma. */
char dd_csv_separator(const char *begin, const char *end);

/* Whether the field has digits only, with a sign or without. */
bool dd_csv_is_whole(const dd_csv_field *field);
/* Whether a field that is not a number begins like one: "1.2.3", "1,234.5", "-?", also with the typographic minus
 * sign. */
bool dd_csv_is_like_number(const dd_csv_field *field);
/* Whether the field is empty, or a text that programs write for a missing value. ("nan" is a number, which the table
 * finds.) */
bool dd_csv_is_missing(const dd_csv_field *field);

#endif
