#include "data/columns.h"

#include <stdio.h>
#include <string.h>

void dd_columns_plain(dd_columns *columns, int count)
{
    memset(columns, 0, sizeof *columns);
    columns->count = count;
    for (int c = 0; c < count; c++)
        snprintf(columns->column[c].name, DD_COLUMN_NAME, "x%d", c + 1);
}
