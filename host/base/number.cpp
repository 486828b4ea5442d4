/* C++ for std::from_chars, which reads numbers several times faster than strtod and ignores the locale. */
#include "base/number.h"

#include <charconv>
#include <cstdlib>
#include <locale.h>
#include <string>

/* If the number is out of range, from_chars does not say whether it is too large or too small. This is rare, so strtod
 * decides. */
static double out_of_range(const char *begin, const char *end)
{
    static const locale_t c = newlocale(LC_ALL_MASK, "C", static_cast<locale_t>(nullptr));
    const std::string text(begin, end);
    return c ? strtod_l(text.c_str(), nullptr, c) : std::strtod(text.c_str(), nullptr);
}

/* The number after the sign; NULL if there is none. */
static const char *parse_unsigned(const char *begin, const char *end, double *value)
{
    const char *digits = begin;
    std::chars_format format = std::chars_format::general;
    if (begin == end || *begin == '-') /* from_chars would accept a second sign */
        return nullptr;
    if (end - begin > 2 && begin[0] == '0' && (begin[1] | 0x20) == 'x') {
        digits = begin + 2;
        format = std::chars_format::hex;
    }
    std::from_chars_result read = std::from_chars(digits, end, *value, format);
    if (digits > begin && (*digits == '-' || read.ec == std::errc::invalid_argument)) { /* only the 0 of "0x" */
        *value = 0;
        return begin + 1;
    }
    if (read.ec == std::errc::result_out_of_range)
        *value = out_of_range(begin, read.ptr);
    return read.ec == std::errc::invalid_argument ? nullptr : read.ptr;
}

extern "C" const char *dd_parse_double(const char *begin, const char *end, double *value)
{
    const char *unsigned_begin = begin;
    const bool negative = begin != end && *begin == '-';
    if (begin != end && (*begin == '-' || *begin == '+'))
        unsigned_begin++;
    const char *after = parse_unsigned(unsigned_begin, end, value);
    if (!after)
        return begin;
    if (negative)
        *value = -*value;
    return after;
}
