#include "analysis/information.h"

#include <math.h>

/* Sums over cells: counts, n ln n, and the number of occupied cells. */
typedef struct sums {
    double n, n_log_n;
    double occupied;
} sums;

static void add(sums *s, double n)
{
    if (n > 0.) {
        s->n += n;
        s->n_log_n += n * log(n);
        s->occupied += 1.;
    }
}

/* In nats, corrected. H = ln N - (1 / N) sum n ln n. */
static double entropy(const sums *s)
{
    return log(s->n) - s->n_log_n / s->n + (s->occupied - 1.) / (2. * s->n);
}

double dd_entropy_bits(const uint32_t *count, int symbols)
{
    sums s = {0};
    for (int i = 0; i < symbols; i++)
        add(&s, count[i]);
    return s.n > 0. ? entropy(&s) / log(2.) : NAN;
}

double dd_information_bits(const uint32_t *count, int rows, int columns)
{
    sums row = {0}, column = {0}, pair = {0};
    for (int i = 0; i < rows; i++) {
        double n = 0.;
        for (int j = 0; j < columns; j++) {
            n += count[i * columns + j];
            add(&pair, count[i * columns + j]);
        }
        add(&row, n);
    }
    for (int j = 0; j < columns; j++) {
        double n = 0.;
        for (int i = 0; i < rows; i++)
            n += count[i * columns + j];
        add(&column, n);
    }
    return pair.n > 0. ? (entropy(&row) + entropy(&column) - entropy(&pair)) / log(2.) : NAN;
}
