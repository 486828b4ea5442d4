#include "data/points_table.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fnv.h"
#include "base/names.h"
#include "data/points_split.h"

uint64_t dd_points_checksum(const dd_points *points)
{
    int dimensions = points->columns.count;
    uint64_t sum = dd_fnv1a(DD_FNV1A_START, &points->n, sizeof points->n);
    sum = dd_fnv1a(sum, points->x, (size_t)dimensions * (size_t)points->n * sizeof *points->x);
    return dimensions == 2 ? sum : dd_fnv1a(sum, &dimensions, sizeof dimensions);
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

/* The `n` rows whose `out` is `side`. */
static dd_status take_side(const dd_rows *rows, const bool *out, bool side, uint32_t n, dd_points *points)
{
    size_t width = (size_t)rows->columns.count, at = 0;
    points->columns = rows->columns;
    points->n = n;
    points->x = n ? malloc(n * width * sizeof *points->x) : NULL;
    if (n && !points->x)
        return dd_fail(DD_ERR_MEMORY, "%s: out of memory for %u rows", rows->name, n);
    for (size_t i = 0; i < rows->n; i++)
        for (size_t c = 0; c < width && out[i] == side; c++)
            points->x[at++] = (float)rows->value[i * width + c];
    points->checksum = dd_points_checksum(points);
    return DD_OK;
}

/* Divide the rows so that `share` of them are held out. */
static dd_status divide(const dd_rows *rows, const dd_data_config *data, double share, bool *out, dd_points *points,
                        dd_points *heldout)
{
    uint32_t n = (uint32_t)rows->n, count;
    DD_TRY(dd_split_rows(rows->value, n, rows->columns.count, data->seed, share, out, &count));
    DD_TRY(take_side(rows, out, false, n - count, points));
    if (!heldout)
        return DD_OK;
    return take_side(rows, out, true, count, heldout);
}

static void release(dd_points *points, dd_points *heldout)
{
    dd_points_free(points);
    if (heldout)
        dd_points_free(heldout);
}

dd_status dd_points_of_rows(const dd_rows *rows, const dd_data_config *data, const dd_like *like, dd_points *points,
                            dd_points *heldout)
{
    bool *out = malloc(rows->n * sizeof *out);
    if (!out)
        return dd_fail(DD_ERR_MEMORY, "%s: out of memory for %zu rows", rows->name, rows->n);
    dd_status status = divide(rows, data, data->heldout_share, out, points, heldout);
    if (!status && like && points->checksum != like->checksum && points->n < rows->n) {
        release(points, heldout);
        status = divide(rows, data, 0, out, points, heldout);
    }
    free(out);
    if (status) {
        release(points, heldout);
        return status;
    }
    points->data = *data;
    points->data.dimensions = points->data.modes = points->data.rank = 0;
    write_note(rows, points);
    return DD_OK;
}
