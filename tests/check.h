/* Checks for the C tests: they count, report failures with file and line, and give main its return value.
 *
 *     CHECK(n == 17, "modes: %d", n);
 *     CHECK_OK(dd_config_read(path, &config));
 *     return check_report();
 */
#ifndef DD_CHECK_H
#define DD_CHECK_H

#include <stdio.h>

#include "base/error.h"

static int checks_done, checks_failed;

#define CHECK(condition, ...)                                                                     \
    do {                                                                                          \
        checks_done++;                                                                            \
        if (!(condition)) {                                                                       \
            checks_failed++;                                                                      \
            fprintf(stderr, "%s:%d: failed: %s: ", __FILE__, __LINE__, #condition);               \
            fprintf(stderr, __VA_ARGS__);                                                         \
            fputc('\n', stderr);                                                                  \
        }                                                                                         \
    } while (0)

#define CHECK_OK(call) CHECK((call) == DD_OK, "%s", dd_error_message())

static inline int check_report(void)
{
    printf("%d checks, %d failed\n", checks_done, checks_failed);
    return checks_failed || !checks_done;
}

#endif
