#include "base/statistics.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double at(const double *value, int i, size_t stride)
{
    return *(const double *)((const char *)value + (size_t)i * stride);
}

dd_summary dd_summarise(const double *value, int count, size_t stride)
{
    dd_summary s = {0, NAN, NAN, NAN};
    double sum = 0., squares = 0.;
    for (int i = 0; i < count; i++) {
        double v = at(value, i, stride);
        if (isfinite(v)) {
            sum += v;
            s.n++;
        }
    }
    if (s.n)
        s.mean = sum / s.n;
    if (s.n > 1) {
        for (int i = 0; i < count; i++) {
            double v = at(value, i, stride);
            if (isfinite(v))
                squares += (v - s.mean) * (v - s.mean);
        }
        s.sd = sqrt(squares / (s.n - 1));
        s.standard_error = s.sd / sqrt(s.n);
    }
    return s;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void dd_quantiles(double *values, size_t n, const double *fraction, int fractions, double *out)
{
    qsort(values, n, sizeof *values, ascending);
    for (int i = 0; i < fractions; i++) {
        if (!n) {
            out[i] = NAN;
            continue;
        }
        double place = fraction[i] * (double)(n - 1);
        size_t below = (size_t)place, above = below + 1 < n ? below + 1 : below;
        out[i] = values[below] + (place - (double)below) * (values[above] - values[below]);
    }
}

int dd_decimals(double mean, double sd)
{
    enum { SPREAD_DIGITS = 2, MOST = 9 };
    bool of_spread = sd > 1e-9 * fabs(mean);
    double value = of_spread ? sd : fabs(mean);
    if (!isfinite(value) || value == 0.)
        return 0;
    int needed = (of_spread ? SPREAD_DIGITS : DD_MEAN_DIGITS) - 1 - (int)floor(log10(value));
    return needed < 0 ? 0 : needed > MOST ? MOST : needed;
}

void dd_float_text(double value, char text[DD_FLOAT_TEXT])
{
    char shortest[DD_FLOAT_TEXT];
    int precision = 0; /* digits after the first; 17 in total always suffice */
    do
        snprintf(shortest, sizeof shortest, "%.*e", precision, value);
    while (strtod(shortest, NULL) != value && precision++ < 16);
    char *e = strchr(shortest, 'e');
    int exponent = atoi(e + 1);
    if (exponent >= 16 || exponent < -4)
        memcpy(text, shortest, sizeof shortest);
    else
        snprintf(text, DD_FLOAT_TEXT, "%.*f", precision > exponent ? precision - exponent : 1, value);
}

bool dd_all_finite(const float *value, size_t count)
{
    size_t i = 0;
    while (i < count && isfinite(value[i]))
        i++;
    return i == count;
}
