#include "base/clean_text.h"

#include <string.h>

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

int dd_control_length(const unsigned char *s)
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
        int control = strchr(kept, *s) ? 0 : dd_control_length(s), length = dd_utf8_length(s);
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
