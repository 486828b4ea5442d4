#include "base/names.h"

#include <stdbool.h>
#include <string.h>

#include "base/clean_text.h"

const char *dd_plural(long long n)
{
    return n == 1 ? "" : "s";
}

void dd_name_copy(char out[DD_NAME], const char *name, size_t length)
{
    if (length >= DD_NAME) {
        length = DD_NAME - 1;
        while (length > 0 && (name[length] & 0xC0) == 0x80) /* do not cut a character in two */
            length--;
    }
    memcpy(out, name, length);
    out[length] = '\0';
}

static bool has_control(const char *name)
{
    for (const unsigned char *s = (const unsigned char *)name; *s;) {
        if (dd_control_length(s))
            return true;
        int length = dd_utf8_length(s);
        s += length ? length : 1;
    }
    return false;
}

/* NULL if the name is valid. */
static const char *fault(const char *name)
{
    return !*name                    ? "it is empty"
           : strlen(name) >= DD_NAME ? "it is longer than 63 bytes"
           : *name == '.'            ? "it begins with '.'"
           : *name == '-'            ? "it begins with '-'"
           : strchr(name, '/')       ? "it contains '/'"
           : has_control(name)       ? "it contains a control character"
                                     : NULL;
}

dd_status dd_name_check(const char *name, dd_status status, const char *what, const char *cure)
{
    const char *why = fault(name);
    char shown[2 * DD_NAME];
    if (!why)
        return DD_OK;
    size_t length = strnlen(name, sizeof shown - 1);
    memcpy(shown, name, length);
    shown[length] = '\0';
    dd_clean_line(shown);
    return dd_fail(status, "%s '%s' cannot be part of a path: %s; %s", what, shown, why, cure);
}
