/* Messages: replaced, put into context, one per thread; and which word is the closest. */
#include <pthread.h>
#include <string.h>

#include "check.h"

static void *other_thread(void *unused)
{
    (void)unused;
    CHECK(!*dd_error_message(), "a new thread starts with '%s'", dd_error_message());
    dd_fail(DD_ERR_DATA, "the other thread's");
    return NULL;
}

static void check_messages(void)
{
    CHECK(!*dd_error_message(), "at the start: '%s'", dd_error_message());
    CHECK(dd_fail(DD_ERR_IO, "%s: %d rows", "a.csv", 3) == DD_ERR_IO, "status");
    CHECK(!strcmp(dd_error_message(), "a.csv: 3 rows"), "%s", dd_error_message());
    CHECK(dd_fail_context("dataset %d", 2) == DD_ERR_IO, "status");
    CHECK(!strcmp(dd_error_message(), "dataset 2: a.csv: 3 rows"), "%s", dd_error_message());
    dd_fail(DD_ERR_CONFIG, "because: %s", dd_error_message());
    CHECK(!strcmp(dd_error_message(), "because: dataset 2: a.csv: 3 rows"), "%s", dd_error_message());

    pthread_t thread;
    pthread_create(&thread, NULL, other_thread, NULL);
    pthread_join(thread, NULL);
    CHECK(!strncmp(dd_error_message(), "because", 7), "changed by another thread: %s", dd_error_message());

    char longer[10000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    dd_fail(DD_ERR_IO, "%s", longer);
    dd_fail_context("%s", longer);
    CHECK(strlen(dd_error_message()) > 1000, "a long message is cut, not lost");
}

static dd_status fallible(dd_status status, int *reached)
{
    DD_TRY(status ? dd_fail(status, "failed") : DD_OK);
    *reached = 1;
    return DD_OK;
}

static void check_try(void)
{
    int reached = 0;
    CHECK(fallible(DD_ERR_DATA, &reached) == DD_ERR_DATA && !reached, "DD_TRY returns at a failure");
    CHECK(fallible(DD_OK, &reached) == DD_OK && reached, "DD_TRY continues without an error");
}

static void check_closest(void)
{
    static const char *const names[] = {"steps", "batch", "learning_rate", "weight_decay", "k"};
    static const struct {
        const char *word, *closest;
    } cases[] = {
        {"step", "steps"},   /* a letter missing */
        {"stteps", "steps"}, /* too many */
        {"setps", "steps"},  /* two swapped */
        {"bitch", "batch"},  /* replaced */
        {"BATCH", "batch"},  /* case */
        {"learningrate", "learning_rate"},
        {"lerning-rate", "learning_rate"},
        {"k", "k"},
        {"learn", "learning_rate"}, /* its beginning */
        {"We", "weight_decay"},
        {"w", NULL},        /* a single letter says too little */
        {"momentum", NULL}, /* like none */
        {"", NULL},
        {"zz", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *closest = dd_closest(cases[i].word, names, 5);
        CHECK(closest == cases[i].closest || (closest && cases[i].closest && !strcmp(closest, cases[i].closest)),
              "'%s' -> '%s', not '%s'", cases[i].word, closest ? closest : "none",
              cases[i].closest ? cases[i].closest : "none");
    }
    /* "abcd" is 1 swap from "abdc" but 2 replacements: a swap counts one, so it wins over 2 edits. */
    static const char *const swapped[] = {"xbcx", "abdc"};
    CHECK(!strcmp(dd_closest("abcd", swapped, 2), "abdc"), "a swap is one edit");
    char near[DD_SUGGESTION];
    CHECK(!strcmp(dd_suggest("abcd", swapped, 2, near), "; did you mean 'abdc'?"), "%s", near);
    CHECK(!*dd_suggest("nothing like it", swapped, 2, near), "%s", near);
    char longest[200];
    memset(longest, 'k', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CHECK(!dd_closest(longest, names, 5), "a very long word is like none");
}

int main(void)
{
    check_messages();
    check_try();
    check_closest();
    return check_report();
}
