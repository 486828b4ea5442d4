/* dd_parse_double takes the same letters as strtod in the C locale, to the same bits. */
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/philox.h"
#include "check.h"

static void compare(const char *text)
{
    size_t n = strlen(text);
    char *end, *copy = malloc(n + 1); /* without a zero behind it, for the sanitizer */
    double expected = strtod(text, &end), value = 0;
    memcpy(copy, text, n);
    const char *after = dd_parse_double(copy, copy + n, &value);
    CHECK(after - copy == end - text, "'%s': %td letters, strtod takes %td", text, after - copy, end - text);
    if (end > text)
        CHECK(!memcmp(&value, &expected, sizeof value) || (isnan(value) && isnan(expected)), "'%s': %a, strtod: %a",
              text, value, expected);
    free(copy);
}

static void check_hard(void)
{
    static const char *const texts[] = {"0",
                                        "-0",
                                        "+0",
                                        "+1",
                                        "-1",
                                        "+-1",
                                        "-+1",
                                        "--1",
                                        "++1",
                                        "+",
                                        "-",
                                        "",
                                        ".",
                                        "-.",
                                        "1.",
                                        ".5",
                                        "+.5",
                                        "-.5e3",
                                        "1e",
                                        "1e+",
                                        "1e5",
                                        "1E-5",
                                        "1e+5",
                                        "1.5.2",
                                        "1,5",
                                        "1 2",
                                        "1_000",
                                        "0x",
                                        "0x1",
                                        "0X1.8p3",
                                        "-0x1p-1074",
                                        "0x.8",
                                        "0xg",
                                        "0x-1",
                                        "-0x+1",
                                        "0x1p",
                                        "0x1p99999",
                                        "inf",
                                        "-INF",
                                        "+Infinity",
                                        "infinite",
                                        "nan",
                                        "-NaN",
                                        "nan(12)",
                                        "nan(",
                                        "1e308",
                                        "1.8e308",
                                        "-1e400",
                                        "1e-320",
                                        "1e-400",
                                        "-1e-400",
                                        "4.9e-324",
                                        "2.4703282292062327e-324",
                                        "2.4703282292062328e-324",
                                        "2.2250738585072011e-308",
                                        "1.7976931348623158e308",
                                        "1.7976931348623159e308",
                                        "9007199254740993",
                                        "9007199254740992.999999999999999999",
                                        "0.1",
                                        "123456789012345678901234567890",
                                        "1.00000000000000011102230246251565404236316680908203125",
                                        "1.00000000000000011102230246251565404236316680908203124",
                                        "1.00000000000000011102230246251565404236316680908203126",
                                        "1d5",
                                        "\xe2\x88\x92"
                                        "1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        compare(texts[i]);
    char longer[1000];
    memset(longer, '0', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    compare(longer);
    memcpy(longer, "0.", 2);
    longer[900] = '7';
    compare(longer);
    memset(longer, '9', sizeof longer - 1);
    compare(longer);
    compare(longer + 700);
}

/* Doubles of random bits, printed with 1 to 20 digits, and half-way between two of them. */
static void check_random(void)
{
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t word[4];
        dd_philox(7, DD_DRAW_DATA, 0, i, word);
        uint64_t bits = (uint64_t)word[0] << 32 | word[1];
        double value;
        char text[80];
        if (word[3] & 1)
            bits = (bits & 0x800FFFFFFFFFFFFFu) | (uint64_t)(1003 + word[3] % 40) << 52; /* around 1 */
        memcpy(&value, &bits, sizeof value);
        snprintf(text, sizeof text, "%.*g", (int)(1 + word[2] % 20), value);
        compare(text);
        snprintf(text, sizeof text, "%.*f", (int)(word[2] % 9), fmod(value, 1e30));
        compare(text);
    }
}

int main(void)
{
    check_hard();
    check_random();
    double value;
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8")) /* where there is one: a comma is still none */
        CHECK(*dd_parse_double("1.5", "1.5" + 3, &value) == '\0' && value == 1.5, "1.5 in German");
    return check_report();
}
