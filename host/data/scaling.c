#include "data/scaling.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sum that keeps what rounding loses of each addition (Neumaier 1974). */
typedef struct sum {
    double value, lost;
} sum;

static void add(sum *s, double x)
{
    double total = s->value + x;
    s->lost += fabs(s->value) >= fabs(x) ? s->value - total + x : x - total + s->value;
    s->value = total;
}

/* The rows that are trained on, of one column. */
typedef struct series {
    const double *value; /* its place in the first row */
    const bool *out;
    size_t n, width;
    double least, range;
} series;

static void find_range(series *s)
{
    double most = -INFINITY;
    s->least = INFINITY;
    for (size_t i = 0; i < s->n; i++)
        if (!s->out[i]) {
            s->least = fmin(s->least, s->value[i * s->width]);
            most = fmax(most, s->value[i * s->width]);
        }
    s->range = most - s->least;
}

/* The mean of ((value - least) / range - centre)^power: of numbers from 0 to 1, so that neither very large nor very
 * small values overflow. */
static double mean_power(const series *s, double centre, int power)
{
    sum total = {0};
    size_t count = 0;
    for (size_t i = 0; i < s->n; i++)
        if (!s->out[i]) {
            double u = (s->value[i * s->width] - s->least) / s->range - centre;
            add(&total, power == 2 ? u * u : u);
            count++;
        }
    return (total.value + total.lost) / (double)count;
}

static double round_to_24_bits(double x)
{
    int exponent;
    double fraction = frexp(x, &exponent);
    return ldexp(round(ldexp(fraction, 24)), exponent - 24);
}

static dd_status standardise(dd_column *column, series *s, const char *file)
{
    find_range(s);
    if (s->range == 0.)
        return dd_fail(
            DD_ERR_DATA,
            "%s: column '%s' is %g in every row that is trained on; leave it out with --columns, or train on "
            "all rows: --set data.heldout_share=0",
            file, column->name, s->least);
    double mean = mean_power(s, 0, 1), deviation = sqrt(mean_power(s, mean, 2));
    column->scale = round_to_24_bits(s->range * deviation);
    double grid = ldexp(column->scale, -20);
    column->shift = round((s->least + s->range * mean) / grid) * grid;
    if (isfinite(s->range) && isnormal(grid) && isfinite(column->shift))
        return DD_OK;
    return dd_fail(
        DD_ERR_DATA,
        "%s: column '%s' has values from %g on that differ by %g, which cannot be scaled; give it in another unit",
        file, column->name, s->least, s->range);
}

dd_status dd_columns_standardise(dd_columns *columns, const double *value, const bool *out, size_t n, const char *file)
{
    for (int c = 0; c < columns->count; c++) {
        series s = {.value = value + c, .out = out, .n = n, .width = (size_t)columns->count};
        DD_TRY(standardise(&columns->column[c], &s, file));
    }
    dd_columns_note_scaling(columns);
    return DD_OK;
}

void dd_columns_note_scaling(dd_columns *columns)
{
    columns->scaled = false;
    for (int c = 0; c < columns->count; c++)
        columns->scaled = columns->scaled || columns->column[c].shift != 0. || columns->column[c].scale != 1.;
}

static float scale(const dd_column *column, double value)
{
    return (float)((value - column->shift) / column->scale);
}

static double unscale(const dd_column *column, float scaled)
{
    return column->shift + column->scale * (double)scaled;
}

void dd_columns_scale(const dd_columns *columns, const double *value, float *scaled)
{
    for (int c = 0; c < columns->count; c++)
        scaled[c] = scale(&columns->column[c], value[c]);
}

void dd_columns_unscale(const dd_columns *columns, const float *scaled, size_t n, double *value)
{
    size_t width = (size_t)columns->count;
    for (size_t i = 0; i < n * width; i++)
        value[i] = unscale(&columns->column[i % width], scaled[i]);
}

void dd_column_text(const dd_column *column, float scaled, char text[DD_COLUMN_TEXT])
{
    double value = unscale(column, scaled);
    char written[DD_COLUMN_TEXT];
    int digits = 9;
    do
        snprintf(written, sizeof written, "%.*g", digits, value);
    while (digits++ < 17 && scale(column, strtod(written, NULL)) != scaled);
    memcpy(text, written, sizeof written);
}
