/* The command line: one description of a command is used for parsing, --help and messages.
 *
 *     static const dd_option options[] = {{"out", "DIR", false, "where results go; default: runs"}, {0}};
 *     static const dd_command command = {.name = "train", .options = options, ...};
 *     dd_args args;
 *     dd_status status = dd_args_parse(&command, argc, argv, &args);      // prints --help and sets args.help
 *     const char *out = dd_args_value(&args, "out", "runs");
 */
#ifndef DD_ARGS_H
#define DD_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct dd_option {
    const char *name;  /* without the dashes */
    const char *value; /* name of its value in --help; NULL: a switch without a value */
    bool many;         /* takes all words up to the next option */
    const char *help;
} dd_option;

/* A word and what it means. */
typedef struct dd_note {
    const char *name, *text;
} dd_note;

typedef struct dd_command {
    const char *name, *summary;
    const char *synopsis; /* text after the name */
    const char *description;
    int least_words, most_words; /* number of words that are not options; most -1: no limit */
    const char *words_name;      /* "CONFIG" */
    const dd_option *options;    /* ends with a NULL name */
    const char *examples;
    dd_status (*run)(int argc, char **argv); /* argv[0] is the first word after the command's name */
} dd_command;

/* For the tables of commands that show progress. */
#define DD_OPTION_QUIET                                                                                                \
    {                                                                                                                  \
        "quiet", NULL, false, "print no progress, and do not report written files."                                    \
    }

typedef struct dd_args {
    const dd_command *command;
    bool help; /* --help was printed; there is nothing more to do */
    int words;
    const char **word;
    int given;           /* options in the order of the command line, one entry for each value */
    const char **option; /* name */
    const char **value;  /* "" for a switch */
} dd_args;

/* DD_ERR_USAGE names the closest option. */
DD_CHECKED dd_status dd_args_parse(const dd_command *command, int argc, char **argv, dd_args *args);
void dd_args_free(dd_args *args);

bool dd_args_has(const dd_args *args, const char *option);
/* The last value of the option, or `otherwise` if it was not given. */
const char *dd_args_value(const dd_args *args, const char *option, const char *otherwise);
/* The option's value, a whole number from least to most. */
DD_CHECKED dd_status dd_args_integer(const dd_args *args, const char *option, long long least, long long most,
                                     long long otherwise, long long *out);
/* --threads, from 0 (the default: one for each core) to 4096. More threads than this process has cores are a warning.
 */
DD_CHECKED dd_status dd_args_threads(const dd_args *args, int *threads);
/* All values of an option, malloc'ed list of borrowed strings. */
DD_CHECKED dd_status dd_args_values(const dd_args *args, const char *option, const char ***values, int *count);

/* The numbers in all values of an option like "0-4,7", in order, without repeats; malloc'ed. NULL and 0 without the
 * option. */
DD_CHECKED dd_status dd_args_seeds(const dd_args *args, const char *option, uint64_t **seeds, int *count);

extern const dd_note dd_exit_status[]; /* ends with a NULL name */

void dd_print_help(const dd_command *command);
void dd_exit_status_help(void);

#endif
