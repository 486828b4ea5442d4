/* Statistics over seeds (mean and spread), and floats as text that reads back to the same bits. */
#ifndef DD_STATISTICS_H
#define DD_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct dd_summary {
    int n;                 /* number of finite values; the others are ignored */
    double mean;           /* NaN when n is 0 */
    double sd;             /* sample standard deviation, over n - 1; NaN when n < 2 */
    double standard_error; /* standard error of the mean, sd / sqrt(n); NaN when n < 2 */
} dd_summary;

/* The statistics of `count` doubles that are `stride` bytes apart, the first one at `value`. */
dd_summary dd_summarise(const double *value, int count, size_t stride);

/* Quantiles of values[n], which it sorts, at fraction[fractions], linear between order statistics; NaN for n = 0. */
void dd_quantiles(double *values, size_t n, const double *fraction, int fractions, double *out);

/* Number of decimals for printing `mean`: as many as show two significant digits of its standard deviation. If that is
 * NaN, 0 or very small: DD_MEAN_DIGITS significant digits of the mean. */
enum { DD_MEAN_DIGITS = 4 };
int dd_decimals(double mean, double sd);

enum { DD_FLOAT_TEXT = 32 };

/* The shortest decimal that reads back to the finite `value`, written as Python's repr writes it: 0.1, 2.0, 1e-05,
 * 1e+16. */
void dd_float_text(double value, char text[DD_FLOAT_TEXT]);

/* Whether none of count values is NaN or infinite. */
bool dd_all_finite(const float *value, size_t count);

#endif
