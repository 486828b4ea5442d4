#include "data/points_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fnv.h"
#include "base/names.h"
#include "base/statistics.h"
#include "data/points_split.h"
#include "data/scaling.h"

uint64_t dd_points_checksum(const dd_points *points)
{
    int dimensions = points->columns.count;
    uint64_t sum = dd_fnv1a(DD_FNV1A_START, &points->n, sizeof points->n);
    sum = dd_fnv1a(sum, points->x, (size_t)dimensions * (size_t)points->n * sizeof *points->x);
    sum = dimensions == 2 ? sum : dd_fnv1a(sum, &dimensions, sizeof dimensions);
    for (int c = 0; c < dimensions && points->columns.scaled; c++) {
        sum = dd_fnv1a(sum, &points->columns.column[c].shift, sizeof(double));
        sum = dd_fnv1a(sum, &points->columns.column[c].scale, sizeof(double));
    }
    return sum;
}

/* What was left out of the file. */
static void write_note(const dd_rows *rows, dd_points *points)
{
    char dropped[64] = "";
    if (rows->dropped)
        snprintf(dropped, sizeof dropped, "left out %zu incomplete row%s of %zu", rows->dropped,
                 dd_plural((long long)rows->dropped), rows->n + rows->dropped);
    snprintf(points->note, sizeof points->note, "%s%s%s", dropped, *dropped && *rows->note ? "; " : "", rows->note);
}

static dd_status too_large(const dd_rows *rows, const dd_points *points, const float *x, const double *value)
{
    int c = 0;
    while (isfinite(x[c]))
        c++;
    const dd_column *column = &points->columns.column[c];
    return dd_fail(DD_ERR_DATA, "%s: column '%s': %g is too far from its mean %g for a standard deviation of %g",
                   rows->name, column->name, value[c], column->shift, column->scale);
}

/* The `n` rows whose `out` is `side`, scaled as points->columns says. */
static dd_status take_side(const dd_rows *rows, const bool *out, bool side, uint32_t n, dd_points *points)
{
    size_t width = (size_t)rows->columns.count;
    points->n = n;
    points->x = n ? malloc(n * width * sizeof *points->x) : NULL;
    if (n && !points->x)
        return dd_fail(DD_ERR_MEMORY, "%s: out of memory for %u rows", rows->name, n);
    float *x = points->x;
    for (size_t i = 0; i < rows->n; i++) {
        if (out[i] != side)
            continue;
        dd_columns_scale(&points->columns, rows->value + i * width, x);
        if (!dd_all_finite(x, width))
            return too_large(rows, points, x, rows->value + i * width);
        x += width;
    }
    points->checksum = dd_points_checksum(points);
    return DD_OK;
}

/* Divide the rows so that `share` of them are held out. */
static dd_status divide(const dd_rows *rows, const dd_data_config *data, double share, const dd_like *like, bool *out,
                        dd_points *points, dd_points *heldout)
{
    uint32_t n = (uint32_t)rows->n, count;
    DD_TRY(dd_split_rows(rows->value, n, rows->columns.count, data->seed, share, out, &count));
    points->columns = like ? *like->columns : rows->columns;
    if (!like && data->scale != DD_SCALE_NONE)
        DD_TRY(dd_columns_standardise(&points->columns, rows->value, out, n, rows->name));
    DD_TRY(take_side(rows, out, false, n - count, points));
    if (!heldout)
        return DD_OK;
    heldout->columns = points->columns;
    return take_side(rows, out, true, count, heldout);
}

dd_status dd_points_of_rows(const dd_rows *rows, const dd_data_config *data, const dd_like *like, dd_points *points,
                            dd_points *heldout)
{
    bool *out = malloc(rows->n * sizeof *out);
    if (!out)
        return dd_fail(DD_ERR_MEMORY, "%s: out of memory for %zu rows", rows->name, rows->n);
    dd_status status = divide(rows, data, data->heldout_share, like, out, points, heldout);
    if (!status && like && points->checksum != like->checksum && points->n < rows->n) {
        dd_points_free(points);
        dd_points_free(heldout);
        status = divide(rows, data, 0, like, out, points, heldout);
    }
    free(out);
    if (status) {
        dd_points_free(points);
        dd_points_free(heldout);
        return status;
    }
    points->data = *data;
    points->data.dimensions = points->data.modes = points->data.rank = 0;
    if (points->data.scale == DD_SCALE_AUTO)
        points->data.scale = DD_SCALE_STANDARD;
    write_note(rows, points);
    return DD_OK;
}
