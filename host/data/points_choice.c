#include "data/points_choice.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTED = 400 };

typedef struct choice {
    const dd_file_columns *from;
    const char *text;
    int *source, count;
} choice;

/* ---- reading a choice ---- */

static dd_status malformed(const choice *c, const char *why)
{
    return dd_fail(DD_ERR_USAGE, "--columns %s: %s; give names or numbers from 1, for instance a,c or 1,3-5", c->text,
                   why);
}

static dd_status add(choice *c, int column)
{
    for (int i = 0; i < c->count; i++)
        if (c->source[i] == column)
            return dd_fail(DD_ERR_USAGE, "--columns %s: column %d ('%s') is chosen twice", c->text, column + 1,
                           c->from->column[column].name);
    if (c->count == DD_MAX_DIMENSIONS)
        return dd_fail(DD_ERR_DATA, "--columns %s: more than %d columns, which is the most that points have", c->text,
                       DD_MAX_DIMENSIONS);
    c->source[c->count++] = column;
    return DD_OK;
}

static dd_status not_there(const choice *c, const char *word)
{
    char near[DD_SUGGESTION] = "", list[LISTED];
    const char **name = malloc((size_t)c->from->width * sizeof *name);
    for (int i = 0; i < c->from->width && name; i++)
        name[i] = c->from->column[i].name;
    if (name)
        dd_suggest(word, name, c->from->width, near);
    free(name);
    return dd_fail(DD_ERR_DATA, "%s: no column '%s'%s; there is: %s", c->from->file, word, near,
                   dd_columns_list(c->from->column, c->from->width, list, sizeof list));
}

/* The number of a column, from 1; 0 if the text is not one, and more than any file has for one that is too large. */
static int number_of(const char *text, size_t length)
{
    int number = 0;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)text[i]))
            return 0;
        number = number > 100000 ? number : 10 * number + (text[i] - '0');
    }
    return number;
}

static dd_status add_range(choice *c, int first, int last)
{
    if (first > last)
        return malformed(c, "a range goes from the smaller number to the larger one");
    if (last > c->from->width)
        return dd_fail(DD_ERR_DATA, "%s: --columns %s: there are only %d columns", c->from->file, c->text,
                       c->from->width);
    for (int i = first; i <= last; i++)
        DD_TRY(add(c, i - 1));
    return DD_OK;
}

static dd_status add_by_number(choice *c, const char *word)
{
    const char *dash = strchr(word, '-');
    size_t length = dash ? (size_t)(dash - word) : strlen(word);
    int first = number_of(word, length), last = dash ? number_of(dash + 1, strlen(dash + 1)) : first;
    return first && last ? add_range(c, first, last) : not_there(c, word);
}

static dd_status add_word(choice *c, const char *word)
{
    int found = -1;
    for (int i = 0; i < c->from->width; i++) {
        if (strcmp(c->from->column[i].name, word))
            continue;
        if (found >= 0)
            return dd_fail(DD_ERR_DATA, "%s: columns %d and %d are both called '%s'; choose by number", c->from->file,
                           found + 1, i + 1, word);
        found = i;
    }
    return found >= 0 ? add(c, found) : add_by_number(c, word);
}

/* The length of the first word: up to the next comma, or a name of a column that has commas itself. */
static size_t word_length(const dd_file_columns *columns, const char *text)
{
    size_t length = strcspn(text, ",");
    for (int i = 0; i < columns->width; i++) {
        const char *name = columns->column[i].name;
        size_t whole = strlen(name);
        if (whole > length && !strncmp(text, name, whole) && (!text[whole] || text[whole] == ','))
            length = whole;
    }
    return length;
}

dd_status dd_choose_columns(const dd_file_columns *columns, const char *text, int source[DD_MAX_DIMENSIONS], int *count)
{
    choice c = {.from = columns, .text = text, .source = source};
    const char *begin = text;
    for (const char *end; begin; begin = *end ? end + 1 : NULL) {
        dd_column word;
        begin += strspn(begin, " ");
        end = begin + word_length(columns, begin);
        const char *last = end;
        while (last > begin && last[-1] == ' ')
            last--;
        if (begin >= last)
            return malformed(&c, "a name is empty");
        dd_column_name(&word, begin, (size_t)(last - begin));
        DD_TRY(add_word(&c, word.name));
    }
    *count = c.count;
    return DD_OK;
}

/* ---- writing one ---- */

/* Whether the name alone, without quotes of its own, chooses the column. */
static bool is_plain(const dd_file_columns *columns, int column)
{
    const char *name = columns->column[column].name;
    for (int i = 0; i < columns->width; i++)
        if (i != column && !strcmp(columns->column[i].name, name))
            return false;
    return columns->named && *name && !strpbrk(name, ",'\n?") && name[0] != ' ' && name[strlen(name) - 1] != ' ';
}

static bool needs_quotes(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("_.,-", *text))
            return true;
    return false;
}

/* Whether the number of column `column` is the name of another one, which it would choose. */
static bool is_other_name(const dd_file_columns *columns, int column)
{
    char number[16];
    snprintf(number, sizeof number, "%d", column + 1);
    for (int i = 0; i < columns->width; i++)
        if (i != column && !strcmp(columns->column[i].name, number))
            return true;
    return false;
}

/* Names and numbers with commas; false if there is no room, or no word for a column. */
static bool by_name(const dd_file_columns *columns, const int *source, int count, char *out, size_t size)
{
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", source[i] + 1);
        const char *word = is_plain(columns, source[i]) ? columns->column[source[i]].name : number;
        if (at + strlen(word) + 2 > size || (word == number && is_other_name(columns, source[i])))
            return false;
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? "," : "", word);
    }
    return true;
}

/* Numbers, those in a row as a range; false also if one of them would choose another column. */
static bool by_number(const dd_file_columns *columns, const int *source, int count, char *out, size_t size)
{
    size_t at = 0;
    for (int i = 0; i < count; i++)
        if (is_other_name(columns, source[i]))
            return false;
    for (int i = 0, end; i < count; i = end) {
        end = i + 1;
        while (end < count && source[end] == source[end - 1] + 1)
            end++;
        if (at + 16 > size)
            return false;
        at += (size_t)snprintf(out + at, size - at, "%s%d", i ? "," : "", source[i] + 1);
        if (end > i + 1)
            at += (size_t)snprintf(out + at, size - at, "-%d", source[end - 1] + 1);
    }
    return true;
}

const char *dd_columns_option(const dd_file_columns *columns, const int *source, int count, char *out, size_t size)
{
    char words[LISTED];
    *out = '\0';
    if (!count || (!(columns->named && by_name(columns, source, count, words, sizeof words)) &&
                   !by_number(columns, source, count, words, sizeof words)))
        return out;
    const char *quote = needs_quotes(words) ? "'" : "";
    if (snprintf(out, size, " --columns %s%s%s", quote, words, quote) >= (int)size)
        *out = '\0';
    return out;
}
