#include "cli/args.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/names.h"
#include "base/processors.h"

/* ---- help ---- */

/* Print text in indented lines of at most 78 columns; a newline in the text starts a new line. */
static void print_wrapped(const char *text, int indent)
{
    int column = 0;
    for (const char *word = text; *word;) {
        if (*word == '\n') {
            putchar('\n');
            column = 0;
            word++;
            continue;
        }
        int length = (int)strcspn(word, " \n");
        if (column && column + 1 + length > 78) {
            putchar('\n');
            column = 0;
        }
        if (!column) {
            printf("%*s", indent, "");
            column = indent;
        } else {
            putchar(' ');
            column++;
        }
        printf("%.*s", length, word);
        column += length;
        word += length;
        while (*word == ' ')
            word++;
    }
    putchar('\n');
}

const dd_note dd_exit_status[] = {
    {"0", "success"},
    {"1", "a bug in the program; please report it"},
    {"2", "wrong command line"},
    {"3", "wrong configuration file or --set"},
    {"4", "wrong data in a file of points"},
    {"5", "a file is missing, unreadable, damaged, or cannot be written"},
    {"6", "the file there has another configuration or kind, or another process writes it"},
    {"7", "a loss became NaN or infinite"},
    {"8", "out of memory"},
    {"9", "the backend is not available, or the device failed"},
    {"10", "a helper program (python3 for pictures) is missing or failed"},
    {"130", "stopped by a signal after a checkpoint; the same command resumes"},
    {0}};

void dd_exit_status_help(void)
{
    printf("EXIT STATUS\n");
    for (const dd_note *note = dd_exit_status; note->name; note++)
        printf("    %-4s %s\n", note->name, note->text);
}

void dd_print_help(const dd_command *c)
{
    printf("NAME\n    dualdiff %s - %s\n\nSYNOPSIS\n    dualdiff %s\n", c->name, c->summary, c->name);
    if (*c->synopsis)
        print_wrapped(c->synopsis, 8);
    printf("\nDESCRIPTION\n");
    print_wrapped(c->description, 4);
    printf("\nOPTIONS\n");
    for (const dd_option *o = c->options; o->name; o++) {
        printf("    --%s%s%s%s\n", o->name, o->value ? " " : "", o->value ? o->value : "", o->many ? " ..." : "");
        print_wrapped(o->help, 8);
    }
    printf("    --help\n        print this\n\n");
    dd_exit_status_help();
    if (c->examples)
        printf("\nEXAMPLES\n%s", c->examples);
}

/* ---- parsing ---- */

static const dd_option *find_option(const dd_command *command, const char *name, size_t length)
{
    for (const dd_option *o = command->options; o->name; o++)
        if (strlen(o->name) == length && !strncmp(o->name, name, length))
            return o;
    return NULL;
}

static dd_status unknown_option(const dd_command *command, const char *name)
{
    const char *names[32];
    int count = 0;
    for (const dd_option *o = command->options; o->name && count < 32; o++)
        names[count++] = o->name;
    const char *closest = dd_closest(name, names, count);
    return dd_fail(DD_ERR_USAGE, "%s: unknown option --%s%s%s%s", command->name, name,
                   closest ? "; did you mean --" : "; `dualdiff ", closest ? closest : command->name,
                   closest ? "?" : " --help` lists them");
}

/* A CONFIG after "--set a=1" was read as another value of --set. */
static dd_status missing_word(const dd_args *args)
{
    const dd_command *command = args->command;
    const dd_option *last =
        args->given ? find_option(command, args->option[args->given - 1], strlen(args->option[args->given - 1])) : NULL;
    bool taken = last && last->many;
    return dd_fail(DD_ERR_USAGE, "%s: %s is missing%s%s%s; usage: dualdiff %s %s", command->name, command->words_name,
                   taken ? " (words after --" : "", taken ? last->name : "",
                   taken ? " are its values, so put it before them)" : "", command->name, command->synopsis);
}

static void give(dd_args *args, const dd_option *option, const char *value)
{
    args->option[args->given] = option->name;
    args->value[args->given++] = value;
}

/* Read one option at argv[*i] with its values; *i becomes the index of the last word used. */
static dd_status parse_option(const dd_command *command, int argc, char **argv, int *i, dd_args *args)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    const dd_option *option = find_option(command, name, equals ? (size_t)(equals - name) : strlen(name));
    if (!option)
        return unknown_option(command, name);
    if (!option->value) {
        if (equals)
            return dd_fail(DD_ERR_USAGE, "%s: --%s takes no value", command->name, option->name);
        give(args, option, "");
        return DD_OK;
    }
    int first = *i + 1;
    bool missing = equals ? !equals[1] : first >= argc || !*argv[first] || !strncmp(argv[first], "--", 2);
    if (!missing && equals) {
        give(args, option, equals + 1);
        return DD_OK;
    }
    if (missing)
        return dd_fail(DD_ERR_USAGE, "%s: --%s needs a value (%s)", command->name, option->name, option->value);
    do
        give(args, option, argv[++*i]);
    while (option->many && *i + 1 < argc && strncmp(argv[*i + 1], "--", 2));
    return DD_OK;
}

dd_status dd_args_parse(const dd_command *command, int argc, char **argv, dd_args *args)
{
    *args = (dd_args){.command = command};
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            dd_print_help(command);
            args->help = true;
            return DD_OK;
        }
    size_t room = (size_t)argc + 1;
    args->word = calloc(3 * room, sizeof *args->word);
    if (!args->word)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    args->option = args->word + room;
    args->value = args->option + room;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "--", 2))
            DD_TRY(parse_option(command, argc, argv, &i, args));
        else if (argv[i][0] == '-' && argv[i][1])
            return dd_fail(DD_ERR_USAGE, "%s: unknown option %s; options begin with two dashes", command->name,
                           argv[i]);
        else
            args->word[args->words++] = argv[i];
    }
    if (args->words < command->least_words)
        return missing_word(args);
    if (command->most_words >= 0 && args->words > command->most_words)
        return dd_fail(DD_ERR_USAGE, "%s: unexpected word '%s'; usage: dualdiff %s %s", command->name,
                       args->word[command->most_words], command->name, command->synopsis);
    return DD_OK;
}

void dd_args_free(dd_args *args)
{
    free(args->word);
    args->word = NULL;
}

/* ---- values ---- */

bool dd_args_has(const dd_args *args, const char *option)
{
    return dd_args_value(args, option, NULL) != NULL;
}

const char *dd_args_value(const dd_args *args, const char *option, const char *otherwise)
{
    for (int i = args->given - 1; i >= 0; i--)
        if (!strcmp(args->option[i], option))
            return args->value[i];
    return otherwise;
}

dd_status dd_args_integer(const dd_args *args, const char *option, long long least, long long most, long long otherwise,
                          long long *out)
{
    const char *text = dd_args_value(args, option, NULL);
    *out = otherwise;
    if (!text)
        return DD_OK;
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (errno || end == text || *end || *out < least || *out > most)
        return dd_fail(DD_ERR_USAGE, "%s: --%s %s: must be a whole number from %lld to %lld", args->command->name,
                       option, text, least, most);
    return DD_OK;
}

dd_status dd_args_threads(const dd_args *args, int *threads)
{
    long long number;
    DD_TRY(dd_args_integer(args, "threads", 0, 4096, 0, &number));
    *threads = (int)number;
    int cores = dd_processors();
    if (*threads > cores)
        fprintf(stderr,
                "dualdiff: warning: --threads %d, but this process may use %d core%s; more threads than cores are "
                "slower\n",
                *threads, cores, dd_plural(cores));
    return DD_OK;
}

dd_status dd_args_values(const dd_args *args, const char *option, const char ***values, int *count)
{
    *count = 0;
    *values = malloc(((size_t)args->given + 1) * sizeof **values);
    if (!*values)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    for (int i = 0; i < args->given; i++)
        if (!strcmp(args->option[i], option))
            (*values)[(*count)++] = args->value[i];
    return DD_OK;
}

enum { MOST_SEEDS = 10000 };

static dd_status bad_seeds(const dd_args *args, const char *option, const char *text)
{
    return dd_fail(DD_ERR_USAGE,
                   "%s: --%s %s: write numbers and ranges, for instance 0-4 or 1,5,7, at most %d in "
                   "all",
                   args->command->name, option, text, MOST_SEEDS);
}

/* Read a number at *text and move *text after it. */
static bool take_number(const char **text, unsigned long long *out)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *out = strtoull(*text, &end, 10);
    *text = end;
    return !errno && *out <= INT64_MAX;
}

dd_status dd_args_seeds(const dd_args *args, const char *option, uint64_t **seeds, int *count)
{
    *count = 0;
    *seeds = NULL;
    for (int i = 0; i < args->given; i++) {
        if (strcmp(args->option[i], option))
            continue;
        const char *at = args->value[i];
        do {
            unsigned long long first, last;
            if (!take_number(&at, &first))
                return bad_seeds(args, option, args->value[i]);
            last = first;
            if (*at == '-' && (at++, !take_number(&at, &last)))
                return bad_seeds(args, option, args->value[i]);
            if (*at == ',' && at[1])
                at++;
            else if (*at)
                return bad_seeds(args, option, args->value[i]);
            if (last < first || last - first >= (unsigned long long)(MOST_SEEDS - *count))
                return bad_seeds(args, option, args->value[i]);
            uint64_t *longer = realloc(*seeds, ((size_t)*count + (size_t)(last - first) + 1) * sizeof *longer);
            if (!longer)
                return dd_fail(DD_ERR_MEMORY, "out of memory");
            *seeds = longer;
            for (unsigned long long seed = first; seed <= last; seed++) {
                bool known = false;
                for (int s = 0; s < *count; s++)
                    known = known || longer[s] == seed;
                if (!known)
                    longer[(*count)++] = seed;
            }
        } while (*at);
    }
    return DD_OK;
}
