#include "config/toml_bounds.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"

/* The end of the quoted string that begins at s: after its last quote, or the end of the line. */
static const char *skip_string(const char *s)
{
    char quote = *s;
    const char mark[4] = {quote, quote, quote, '\0'};
    bool many_lines = !strncmp(s, mark, 3);
    for (s += many_lines ? 3 : 1; *s; s++) {
        if (*s == '\\' && quote == '"' && s[1])
            s++;
        else if (!many_lines && (*s == quote || *s == '\n'))
            return *s == quote ? s + 1 : s;
        else if (many_lines && !strncmp(s, mark, 3)) {
            s += 3;
            for (int i = 0; i < 2 && *s == quote; i++) /* the last two characters of the string itself may be quotes */
                s++;
            return s;
        }
    }
    return s;
}

static int line_of(const char *text, const char *place)
{
    int line = 1;
    for (; text < place; text++)
        line += *text == '\n';
    return line;
}

dd_status dd_toml_check(const char *text, const char *origin)
{
    if (strlen(text) > DD_TOML_LONGEST)
        return dd_fail(DD_ERR_CONFIG, "%s: %zu bytes; a configuration may have at most %d", origin, strlen(text),
                       DD_TOML_LONGEST);
    int points = 0, nested = 0;
    for (const char *s = text; *s;) {
        if (*s == '#') {
            s += strcspn(s, "\n");
            continue;
        }
        if (*s == '"' || *s == '\'') {
            s = skip_string(s);
            continue;
        }
        points += *s == '.';
        nested += (*s == '[' || *s == '{') - (*s == ']' || *s == '}');
        if (points > DD_TOML_POINTS || nested > DD_TOML_NESTED)
            return dd_fail(DD_ERR_CONFIG, "%s: line %d: %s; configs/run_1.toml shows what a configuration looks like",
                           origin, line_of(text, s),
                           nested > DD_TOML_NESTED ? "too many brackets are open" : "too many keys inside of keys");
        s++;
    }
    return DD_OK;
}
