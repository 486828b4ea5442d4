/* Decimal text to a number, whatever the locale. */
#ifndef DD_NUMBER_H
#define DD_NUMBER_H

#ifdef __cplusplus
extern "C" {
#endif

/* The longest beginning of [begin, end) that strtod would take in the C locale, without blanks in front: a sign,
 * decimals and exponent, a hexadecimal "0x1.8p3", inf, infinity or nan. *value is the nearest double (HUGE_VAL or
 * 0 where it is out of range), bit for bit as strtod's. Returns where the number ends; `begin` if there is none. */
const char *dd_parse_double(const char *begin, const char *end, double *value);

#ifdef __cplusplus
}
#endif
#endif
