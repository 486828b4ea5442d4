/* What may be part of a path, and what a terminal may see. */
#include "check.h"

#include <string.h>

#include "base/clean_text.h"
#include "base/names.h"

static void check_components(void)
{
    static const char *const good[] = {"run_1", "a", "x.y", "mit Leerzeichen", "größe", "点", "a..",
                                       "a-b",   "~", "\xE9"};
    static const char *const bad[] = {"",        ".",    "..",       "...",   ".hidden",   "-rf",   "a/b",      "/",
                                      "../../x", "a\nb", "a\x1b[2J", "a\x7f", "a\xc2\x9b", "a\x9b", "a/../../b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(dd_name_check(good[i], DD_ERR_USAGE, "--name", "choose another") == DD_OK, "%s", dd_error_message());
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(dd_name_check(bad[i], DD_ERR_USAGE, "--name", "choose another") == DD_ERR_USAGE, "'%s' is taken", bad[i]);
        CHECK(strstr(dd_error_message(), "--name '") && strstr(dd_error_message(), "; choose another"), "%s",
              dd_error_message());
        CHECK(!strpbrk(dd_error_message(), "\n\x1b\x7f\x9b"), "%s", dd_error_message());
    }
    char longest[DD_NAME + 1];
    memset(longest, 'a', sizeof longest);
    longest[DD_NAME] = '\0';
    CHECK(dd_name_check(longest, DD_ERR_IO, "x", "y") == DD_ERR_IO, "64 bytes");
    longest[DD_NAME - 1] = '\0';
    CHECK_OK(dd_name_check(longest, DD_ERR_IO, "x", "y"));
}

/* A name that is cut loses no half of a character, which would not be a name. */
static void check_cut(void)
{
    char text[DD_NAME + 8], name[DD_NAME];
    memset(text, 'a', sizeof text);
    for (int at = 0; at < DD_NAME; at++) {
        memset(text, 'a', sizeof text);
        memcpy(text + at, "\xE3\x81\x82", 3);
        dd_name_copy(name, text, sizeof text);
        CHECK_OK(dd_name_check(name, DD_ERR_IO, "x", "y"));
        CHECK(strlen(name) >= DD_NAME - 3 && !memcmp(name, text, strlen(name)), "cut at %d: %s", at, name);
    }
    dd_name_copy(name, "dino.csv", 4);
    CHECK(!strcmp(name, "dino"), "%s", name);
}

static void check_cleaning(void)
{
    static const char *const pairs[][2] = {{"a\x1b[31mb", "a?[31mb"},
                                           {"a\xc2\x9b"
                                            "2J",
                                            "a??2J"},
                                           {"a\x9b", "a?"},
                                           {"a\tb\nc", "a\tb\nc"},
                                           {"größe 点 \xE9", "größe 点 \xE9"},
                                           {"\x7f\r\b", "???"}};
    char text[64];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        strcpy(text, pairs[i][0]);
        dd_clean_text(text);
        CHECK(!strcmp(text, pairs[i][1]), "%s", text);
    }
    strcpy(text, "a\tb\nc");
    dd_clean_line(text);
    CHECK(!strcmp(text, "a?b?c"), "%s", text);
    dd_fail(DD_ERR_IO, "%s", "x\x1b]0;title\a");
    CHECK(!strcmp(dd_error_message(), "x?]0;title?"), "%s", dd_error_message());
}

int main(void)
{
    check_components();
    check_cut();
    check_cleaning();
    return check_report();
}
