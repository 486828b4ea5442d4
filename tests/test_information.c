/* Entropy and mutual information on tables with known answers. */
#include "analysis/information.h"

#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "check.h"

static void test_entropy(void)
{
    const uint32_t even[4] = {250, 250, 250, 250}, one[3] = {0, 9, 0}, none[2] = {0, 0};
    double bias = 3. / (2. * 1000.) / log(2.); /* four cells */
    CHECK(fabs(dd_entropy_bits(even, 4) - 2. - bias) < 1e-12, "%g", dd_entropy_bits(even, 4));
    CHECK(dd_entropy_bits(one, 3) == 0., "%g", dd_entropy_bits(one, 3));
    CHECK(isnan(dd_entropy_bits(none, 2)), "%g", dd_entropy_bits(none, 2));
}

/* A permutation of eight symbols tells all three bits; the correction is (8 - 8 - 8 + 1) / 2N nats. */
static void test_determined(void)
{
    uint32_t count[8 * 8] = {0};
    for (int i = 0; i < 8; i++)
        count[i * 8 + (5 * i + 3) % 8] = 1000;
    double expected = 3. + 7. / (2. * 8000.) / log(2.), got = dd_information_bits(count, 8, 8);
    CHECK(fabs(got - expected) < 1e-12, "%.15g instead of %.15g", got, expected);
}

/* A binary symmetric channel: I = 1 - h(error). Counts in exact proportion, so only the correction, -1 / 2N nats,
 * remains as a difference. */
static void test_channel(void)
{
    const uint32_t count[4] = {4500, 500, 500, 4500};
    double h = -.1 * log2(.1) - .9 * log2(.9), expected = 1. - h - 1. / 20000. / log(2.);
    double got = dd_information_bits(count, 2, 2);
    CHECK(fabs(got - expected) < 1e-12, "%.15g instead of %.15g", got, expected);
}

/* Independent symbols have none. 150 x 20 cells from 40,000 pairs: the plug-in estimate would be .05 bit. */
static void test_independent(void)
{
    enum { ROWS = 150, COLUMNS = 20, PAIRS = 40000, DRAWS = 20 };
    static uint32_t count[ROWS * COLUMNS];
    double sum = 0.;
    for (int draw = 0; draw < DRAWS; draw++) {
        for (int i = 0; i < ROWS * COLUMNS; i++)
            count[i] = 0;
        for (uint32_t i = 0; i < PAIRS; i++) {
            uint32_t word[4];
            dd_philox((uint64_t)draw, DD_DRAW_DATA, 0, i, word);
            count[dd_below(word[0], ROWS) * COLUMNS + dd_below(word[1], COLUMNS)]++;
        }
        sum += dd_information_bits(count, ROWS, COLUMNS);
    }
    /* The correction's own error with 13 pairs a cell, and the mean of 20 draws, lie below .002. */
    CHECK(fabs(sum / DRAWS) < .004, "%g bit", sum / DRAWS);
}

static void test_empty(void)
{
    const uint32_t count[6] = {0};
    CHECK(isnan(dd_information_bits(count, 2, 3)), "%g", dd_information_bits(count, 2, 3));
}

int main(void)
{
    test_entropy();
    test_determined();
    test_channel();
    test_independent();
    test_empty();
    return check_report();
}
