#include "data/points.h"

#include <stdlib.h>
#include <string.h>

const char *const dd_header_row_names[] = {"auto", "yes", "no"};

int dd_header_row_parse(const char *word, dd_header_row *header)
{
    for (int i = 0; i < 3; i++)
        if (!strcmp(word, dd_header_row_names[i])) {
            *header = (dd_header_row)i;
            return 0;
        }
    return -1;
}

void dd_points_free(dd_points *points)
{
    if (!points)
        return;
    free(points->x);
    free(points->path);
    points->x = NULL;
    points->path = NULL;
    points->n = 0;
}
