/* Converts decimal text to a number; the locale has no effect. */
#ifndef DD_NUMBER_H
#define DD_NUMBER_H

#ifdef __cplusplus
extern "C" {
#endif

/* Reads the longest beginning of [begin, end) that strtod would read in the C locale, without leading blanks: a sign,
 * decimals and exponent, a hexadecimal "0x1.8p3", inf, infinity or nan. *value becomes the nearest double (HUGE_VAL or
 * 0 if it is out of range), with the same bits as strtod's. Returns where the number ends; `begin` if there is none. */
const char *dd_parse_double(const char *begin, const char *end, double *value);

#ifdef __cplusplus
}
#endif
#endif
