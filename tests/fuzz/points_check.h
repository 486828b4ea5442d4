/* What is true of all points that were read from a file. */
#ifndef DD_FUZZ_POINTS_CHECK_H
#define DD_FUZZ_POINTS_CHECK_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean_text.h"
#include "data/points.h"

static inline void check_name(const char *name)
{
    int length;
    if (!*name || !memchr(name, '\0', DD_COLUMN_NAME))
        abort();
    for (const unsigned char *p = (const unsigned char *)name; *p; p += length) {
        length = dd_utf8_length(p);
        if (!length || dd_control_length(p))
            abort();
    }
}

/* At least two rows of finite numbers, 1 to 128 columns with names that can be shown. */
static inline void check_points(const dd_points *points)
{
    int count = points->columns.count;
    if (points->n < 2 || count < 1 || count > DD_MAX_DIMENSIONS || !memchr(points->note, '\0', sizeof points->note))
        abort();
    for (size_t i = 0; i < (size_t)count * points->n; i++)
        if (!isfinite(points->x[i]))
            abort();
    for (int c = 0; c < count; c++)
        check_name(points->columns.column[c].name);
}

#endif
