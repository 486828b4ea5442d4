#include "base/error.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clean_text.h"

static _Thread_local char message[2048];
static _Thread_local dd_status code;

dd_status dd_fail(dd_status status, const char *format, ...)
{
    char text[sizeof message]; /* an argument may be the current message */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dd_clean_text(text);
    memcpy(message, text, sizeof message);
    code = status;
    return status;
}

dd_status dd_fail_context(const char *format, ...)
{
    char context[sizeof message / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context, sizeof context, format, arguments);
    va_end(arguments);
    return dd_fail(code, "%s: %s", context, message);
}

const char *dd_error_message(void)
{
    return message;
}

enum { LONGEST = 64 };

/* Edits (insert, delete, replace, swap of neighbours; Damerau 1964, optimal string alignment) between
 * two words, case ignored. */
static int edit_distance(const char *a, const char *b)
{
    int rows[3][LONGEST + 1];
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > LONGEST || m > LONGEST)
        return INT_MAX;
    for (int j = 0; j <= m; j++)
        rows[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            int best = before[j - 1] + !same;
            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && earlier[j - 2] + 1 < best)
                best = earlier[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[n % 3][m];
}

/* The first name that begins with `word`. A single letter is too short to be a hint. */
static const char *begins_with(const char *word, const char *const *names, int count)
{
    size_t length = strlen(word);
    for (int i = 0; i < count && length > 1; i++)
        if (!strncasecmp(word, names[i], length))
            return names[i];
    return NULL;
}

const char *dd_closest(const char *word, const char *const *names, int count)
{
    const char *best = NULL;
    int least = 1 + (int)strlen(word) / 2; /* more edits than half of the word: not similar */
    for (int i = 0; i < count; i++) {
        int distance = edit_distance(word, names[i]);
        if (distance < least) {
            least = distance;
            best = names[i];
        }
    }
    return best ? best : begins_with(word, names, count);
}

const char *dd_suggest(const char *word, const char *const *names, int count, char out[DD_SUGGESTION])
{
    const char *closest = dd_closest(word, names, count);
    *out = '\0';
    if (closest)
        snprintf(out, DD_SUGGESTION, "; did you mean '%.100s'?", closest);
    return out;
}
