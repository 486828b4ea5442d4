/* The command line: one description of a command serves parsing, --help and messages.
 *
 *     static const dd_option options[] = {{"out", "DIR", 0, "where results go; default: runs"}, {0}};
 *     static const dd_command command = {.name = "train", .options = options, ...};
 *     dd_args args;
 *     dd_status status = dd_args_parse(&command, argc, argv, &args);      // prints --help itself: args.help
 *     const char *out = dd_args_value(&args, "out", "runs");
 */
#ifndef DD_ARGS_H
#define DD_ARGS_H

#include <stdint.h>

#include "base/error.h"

typedef struct dd_option {
    const char *name;  /* without the dashes */
    const char *value; /* what --help calls its value; NULL: a switch */
    int many;          /* takes all words up to the next option */
    const char *help;
} dd_option;

/* A word and what it means. */
typedef struct dd_note {
    const char *name, *text;
} dd_note;

typedef struct dd_command {
    const char *name, *summary;
    const char *synopsis; /* behind the name */
    const char *description;
    int least_words, most_words; /* of what is not an option; most -1: any number */
    const char *words_name;      /* "CONFIG" */
    const dd_option *options;    /* ends with a NULL name */
    const char *examples;
    dd_status (*run)(int argc, char **argv); /* argv[0] is the first word behind the command's name */
} dd_command;

/* For the tables of commands that show progress. */
#define DD_OPTION_QUIET                                                                                                \
    {                                                                                                                  \
        "quiet", NULL, 0, "show no progress, and do not say what was written."                                         \
    }

typedef struct dd_args {
    const dd_command *command;
    int help; /* --help was asked for and printed; there is nothing left to do */
    int words;
    const char **word;
    int given;           /* options in the order of the command line, one entry a value */
    const char **option; /* name */
    const char **value;  /* "" for a switch */
} dd_args;

/* DD_ERR_USAGE names the closest option. */
DD_CHECKED dd_status dd_args_parse(const dd_command *command, int argc, char **argv, dd_args *args);
void dd_args_free(dd_args *args);

int dd_args_has(const dd_args *args, const char *option);
/* The last value given, or `otherwise`. */
const char *dd_args_value(const dd_args *args, const char *option, const char *otherwise);
/* A whole number from least to most. */
DD_CHECKED dd_status dd_args_integer(const dd_args *args, const char *option, long long least, long long most,
                                     long long otherwise, long long *out);
/* --threads, from 0 (the default: one per core) to 4096. More threads than this process has cores are a warning. */
DD_CHECKED dd_status dd_args_threads(const dd_args *args, int *threads);
/* All values of an option, malloc'ed list of borrowed strings. */
DD_CHECKED dd_status dd_args_values(const dd_args *args, const char *option, const char ***values, int *count);

/* "0-4,7" and the like from all values of an option, in order, without repeats; malloc'ed. NULL and 0 without the
 * option. */
DD_CHECKED dd_status dd_args_seeds(const dd_args *args, const char *option, uint64_t **seeds, int *count);

extern const dd_note dd_exit_status[]; /* ends with a NULL name */

void dd_print_help(const dd_command *command);
void dd_exit_status_help(void);

#endif
