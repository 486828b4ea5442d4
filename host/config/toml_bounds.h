/* Bounds on TOML text, checked before it is parsed. The parser follows nested keys by recursion, so a malicious file
 * could exhaust its stack. A real configuration needs about a hundredth of these bounds. */
#ifndef DD_TOML_BOUNDS_H
#define DD_TOML_BOUNDS_H

#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    DD_TOML_LONGEST = 1 << 20, /* bytes */
    DD_TOML_POINTS = 1000,     /* points outside strings and comments; they separate keys */
    DD_TOML_NESTED = 100       /* brackets and braces that are open at the same time */
};

/* DD_ERR_CONFIG names `origin` and the line that exceeds a bound. */
DD_CHECKED dd_status dd_toml_check(const char *text, const char *origin);

#ifdef __cplusplus
}
#endif
#endif
