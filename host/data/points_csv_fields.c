#define _GNU_SOURCE /* memmem */
#include "data/points_csv_fields.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"

enum { LONGEST_NUMBER = 400 };

static bool is_blank(const dd_csv_format *c, char x)
{
    return x == ' ' || (x == '\t' && c->separator != '\t');
}

static const char *skip_blanks(const dd_csv_format *c, const char *p, const char *end)
{
    while (p < end && is_blank(c, *p))
        p++;
    return p;
}

/* Whether a field may end at p. */
static bool ends_field(const dd_csv_format *c, const char *p, const char *end)
{
    const char *next = skip_blanks(c, p, end);
    return next == end || *next == c->separator || (c->separator == ' ' && next > p);
}

/* "1,5" where the comma is not a separator. */
static bool parse_decimal_comma(dd_csv_format *c, dd_csv_field *f)
{
    char text[LONGEST_NUMBER];
    size_t n = (size_t)(f->end - f->begin);
    const char *comma = n < sizeof text ? memchr(f->begin, ',', n) : NULL;
    if (!comma || comma + 1 == f->end || (c->separator != ';' && c->separator != '\t'))
        return false;
    memcpy(text, f->begin, n);
    if (memchr(text, '.', n))
        return false;
    text[comma - f->begin] = '.';
    if (dd_parse_double(text, text + n, &f->value) != text + n)
        return false;
    if (!c->comma)
        c->comma = c->line;
    return true;
}

static void note_decimal_point(dd_csv_format *c, const dd_csv_field *f)
{
    if (!c->point && (c->separator == ';' || c->separator == '\t') &&
        memchr(f->begin, '.', (size_t)(f->end - f->begin)))
        c->point = c->line;
}

static void parse_text(dd_csv_format *c, dd_csv_field *f)
{
    f->number = f->end > f->begin && dd_parse_double(f->begin, f->end, &f->value) == f->end;
    if (f->number)
        note_decimal_point(c, f);
    else
        f->number = parse_decimal_comma(c, f);
}

/* A field in quotes, in which a quote is doubled. Returns where it ends; the end of the line if no quote ends it. */
static const char *read_quoted(dd_csv_format *c, const char *p, const char *end, dd_csv_field *f)
{
    f->quoted = true;
    f->begin = f->end = ++p;
    for (; p < end; p++)
        if (*p == '"') {
            if (p + 1 < end && p[1] == '"')
                p++;
            else
                break;
        }
    f->end = p;
    if (p == end || !ends_field(c, p + 1, end))
        return end;
    const char *close = f->end;
    f->begin = skip_blanks(c, f->begin, close);
    while (f->end > f->begin && is_blank(c, f->end[-1]))
        f->end--;
    parse_text(c, f);
    return close + 1;
}

static const char *read_unquoted(dd_csv_format *c, const char *p, const char *end, dd_csv_field *f)
{
    const char *after = dd_parse_double(p, end, &f->value);
    if (after > p && ends_field(c, after, end)) {
        f->number = true;
        f->end = after;
        note_decimal_point(c, f);
        return after;
    }
    while (after < end && *after != c->separator && !(c->separator == ' ' && is_blank(c, *after)))
        after++;
    f->end = after;
    while (f->end > p && is_blank(c, f->end[-1]))
        f->end--;
    parse_text(c, f);
    return after;
}

bool dd_csv_next_field(dd_csv_format *c, const char **p, const char *end, dd_csv_field *f)
{
    const char *begin = skip_blanks(c, *p, end);
    if (begin > end || (begin == end && c->separator == ' '))
        return false;
    *f = (dd_csv_field){.begin = begin, .end = begin};
    const char *after = begin < end && *begin == '"' ? read_quoted(c, begin, end, f) : read_unquoted(c, begin, end, f);
    after = skip_blanks(c, after, end);
    if (c->separator != ' ')
        after++; /* a separator, or past the end */
    *p = after;
    return true;
}

bool dd_csv_is_whole(const dd_csv_field *f)
{
    const char *p = f->begin;
    p += p < f->end && (*p == '-' || *p == '+');
    if (p == f->end)
        return false;
    while (p < f->end && isdigit((unsigned char)*p))
        p++;
    return p == f->end;
}

bool dd_csv_is_like_number(const dd_csv_field *f)
{
    const char *p = f->begin;
    if (f->end - p >= 3 && !memcmp(p, "\xE2\x88\x92", 3))
        return true;
    p += p < f->end && (*p == '-' || *p == '+');
    p += p < f->end && (*p == '.' || *p == ',');
    return p < f->end && isdigit((unsigned char)*p);
}

bool dd_csv_is_missing(const dd_csv_field *f)
{
    static const char *const words[] = {"NA", "N/A", "#N/A", "<NA>", "NULL", "None", "missing", "-", "?", "."};
    size_t n = (size_t)(f->end - f->begin);
    for (size_t i = 0; i < sizeof words / sizeof *words && n; i++)
        if (strlen(words[i]) == n && !strncasecmp(f->begin, words[i], n))
            return true;
    return !n;
}

/* Whether commas separate the columns and tabs only align them, as in "1,<tab>2": outside quotes each comma has a tab
 * next to it. */
static int commas_before_tabs(const char *begin, const char *end)
{
    int commas = 0;
    bool quoted = false;
    for (const char *p = begin; p < end; p++) {
        quoted ^= *p == '"';
        if (quoted || *p != ',')
            continue;
        if (!(p + 1 < end && p[1] == '\t') && !(p > begin && p[-1] == '\t'))
            return 0;
        commas++;
    }
    return commas;
}

char dd_csv_separator(const char *begin, const char *end)
{
    static const char order[] = ";\t,";
    if (!memchr(begin, ';', (size_t)(end - begin)) && commas_before_tabs(begin, end))
        return ',';
    if (memmem(begin, (size_t)(end - begin), "\t\t", 2))
        return ' ';
    for (const char *separator = order; *separator; separator++) {
        bool quoted = false;
        for (const char *p = begin; p < end; p++) {
            quoted ^= *p == '"';
            if (!quoted && *p == *separator)
                return *separator;
        }
    }
    return ' ';
}
