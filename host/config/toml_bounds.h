/* Bounds on TOML text before it is parsed: the parser follows nested keys by recursion, and a file from elsewhere could
 * make it run out of stack. A configuration needs a hundredth of them. */
#ifndef DD_TOML_BOUNDS_H
#define DD_TOML_BOUNDS_H

#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    DD_TOML_LONGEST = 1 << 20, /* bytes */
    DD_TOML_POINTS = 1000,     /* points, which part keys, outside strings and comments */
    DD_TOML_NESTED = 100       /* brackets and braces that are open at a time */
};

/* DD_ERR_CONFIG names `origin` and the line that exceeds a bound. */
DD_CHECKED dd_status dd_toml_check(const char *text, const char *origin);

#ifdef __cplusplus
}
#endif
#endif
