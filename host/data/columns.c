#include "data/columns.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clean_text.h"

void dd_columns_plain(dd_columns *columns, int count)
{
    memset(columns, 0, sizeof *columns);
    columns->count = count;
    for (int c = 0; c < count; c++) {
        snprintf(columns->column[c].name, DD_COLUMN_NAME, "x%d", c + 1);
        columns->column[c].scale = 1;
    }
}

bool dd_columns_are_plain(const dd_columns *columns)
{
    dd_columns plain;
    bool are = true;
    dd_columns_plain(&plain, columns->count);
    for (int c = 0; c < columns->count; c++)
        are = are && !strcmp(columns->column[c].name, plain.column[c].name);
    return are;
}

/* Whether p begins with the bytes of one visible character; *length becomes their number, 1 if not. */
static bool is_visible(const unsigned char *p, size_t left, int *length)
{
    unsigned char next[5] = {0};
    memcpy(next, p, left < 4 ? left : 4);
    int whole = dd_utf8_length(next);
    bool visible = whole && (size_t)whole <= left && !dd_control_length(next);
    *length = visible ? whole : 1;
    return visible;
}

void dd_column_name(dd_column *column, const char *text, size_t length)
{
    size_t at = 0;
    int bytes;
    for (size_t i = 0; i < length; i += (size_t)bytes) {
        bool visible = is_visible((const unsigned char *)text + i, length - i, &bytes);
        if (at + (size_t)bytes >= DD_COLUMN_NAME)
            break;
        if (visible)
            memcpy(column->name + at, text + i, (size_t)bytes);
        else
            column->name[at] = '?';
        at += (size_t)bytes;
    }
    column->name[at] = '\0';
}

const char *dd_columns_list(const dd_column *column, int count, char *out, size_t size)
{
    size_t at = 0, needed = sizeof ", ... (4096 columns)";
    *out = '\0';
    for (int c = 0; c < count; c++) {
        if (at + strlen(column[c].name) + 2 + needed > size) {
            snprintf(out + at, size - at, "%s... (%d columns)", c ? ", " : "", count);
            break;
        }
        at += (size_t)snprintf(out + at, size - at, "%s%s", c ? ", " : "", column[c].name);
    }
    return out;
}
