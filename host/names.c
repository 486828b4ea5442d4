#include "names.h"

#include <string.h>

const char *dd_plural(long long n)
{
    return n == 1 ? "" : "s";
}

int dd_utf8_length(const unsigned char *s)
{
    static const struct {
        unsigned char first, last; /* of the leading byte */
        int length;
        unsigned char low, high; /* of the second byte */
    } forms[] = {{0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF}, {0xE1, 0xEC, 3, 0x80, 0xBF},
                 {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF}, {0xF0, 0xF0, 4, 0x90, 0xBF},
                 {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F}};
    if (s[0] < 0x80)
        return 1;
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        if (s[0] < forms[f].first || s[0] > forms[f].last)
            continue;
        if (s[1] < forms[f].low || s[1] > forms[f].high)
            return 0;
        for (int i = 2; i < forms[f].length; i++) {
            if ((s[i] & 0xC0) != 0x80)
                return 0;
        }
        return forms[f].length;
    }
    return 0;
}

/* Bytes of the control character at s, 0 if there is none. A single byte of 0x80 to 0x9F is one for a terminal that
 * does not read UTF-8. */
static int control_length(const unsigned char *s)
{
    if (s[0] < 0x20 || s[0] == 0x7F)
        return 1;
    if (s[0] == 0xC2 && s[1] >= 0x80 && s[1] <= 0x9F)
        return 2;
    return s[0] >= 0x80 && s[0] <= 0x9F;
}

static void clean(char *text, const char *kept)
{
    for (unsigned char *s = (unsigned char *)text; *s;) {
        int control = strchr(kept, *s) ? 0 : control_length(s), length = dd_utf8_length(s);
        memset(s, '?', (size_t)control);
        s += control ? control : length ? length : 1;
    }
}

void dd_clean_text(char *text)
{
    clean(text, "\n\t");
}

void dd_clean_line(char *text)
{
    clean(text, "");
}

void dd_name_copy(char out[DD_NAME], const char *name, size_t length)
{
    if (length >= DD_NAME) {
        length = DD_NAME - 1;
        while (length > 0 && (name[length] & 0xC0) == 0x80) /* a character must not lose its end */
            length--;
    }
    memcpy(out, name, length);
    out[length] = '\0';
}

static int has_control(const char *name)
{
    for (const unsigned char *s = (const unsigned char *)name; *s;) {
        if (control_length(s))
            return 1;
        int length = dd_utf8_length(s);
        s += length ? length : 1;
    }
    return 0;
}

/* NULL where the name will do. */
static const char *fault(const char *name)
{
    return !*name                    ? "it is empty"
           : strlen(name) >= DD_NAME ? "it is longer than 63 bytes"
           : *name == '.'            ? "it begins with '.'"
           : *name == '-'            ? "it begins with '-'"
           : strchr(name, '/')       ? "it holds '/'"
           : has_control(name)       ? "it holds a control character"
                                     : NULL;
}

int dd_name_check(const char *name, dd_status status, const char *what, const char *cure)
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
