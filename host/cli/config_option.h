/* The configuration of a command that takes CONFIG and --set: a file, or the name of one that comes with the program.
 */
#ifndef DD_CONFIG_OPTION_H
#define DD_CONFIG_OPTION_H

#include <stdbool.h>

#include "backend/backend.h"
#include "base/names.h"
#include "cli/args.h"
#include "config/config.h"
#include "data/dataset.h"

/* The path of the file that `word` names, malloc'ed. A word without a slash may be a name: first a file `word` or
 * `word`.toml in the current folder is tried, then the program's own configuration of that name. DD_ERR_IO names the
 * closest configuration and the folder that was searched. */
DD_CHECKED dd_status dd_config_find(const char *word, char **path);

/* Read and check the configuration that `word` names: the first without, the second with the command's --set. */
DD_CHECKED dd_status dd_config_open(const char *word, dd_config *config);
DD_CHECKED dd_status dd_read_config(const dd_args *args, dd_config *config);

/* Override `config` with the command's --set, and check it. */
DD_CHECKED dd_status dd_override_config(const dd_args *args, dd_config *config);

/* The name under which results are stored: run_1 for "configs/run_1.toml". DD_ERR_USAGE if it cannot be part of a
 * path. */
DD_CHECKED dd_status dd_config_name(const char *path, char out[DD_NAME]);

/* ---- the program's own ---- */

typedef struct dd_config_names {
    char *folder;
    int count;
    char **name; /* sorted */
} dd_config_names;

/* A folder that does not exist has none. */
DD_CHECKED dd_status dd_config_names_read(dd_config_names *names);
void dd_config_names_free(dd_config_names *names);

/* The options of commands that read a file of points, for their tables and their synopses. */
#define DD_READING_OPTIONS                                                                                             \
    {"header", "yes|no|auto", false,                                                                                   \
     "whether the first row of a CSV names the columns. Default: auto, which means yes if the row has no "             \
     "number; if its numbers could be names (0,1 or 2020,2021), the command asks for yes or no."},                     \
        {"columns", "LIST", false,                                                                                     \
         "the columns of the file to use, in this order: names, or numbers from 1, with commas between, and ranges "   \
         "of numbers (a,c or 1,3-5). A name goes before a number. Default: all, but the gating weights that "          \
         "`dualdiff sample` writes."},                                                                                 \
    {                                                                                                                  \
        "drop-incomplete", NULL, false,                                                                                \
            "leave out rows of the file in which a value is missing (an empty field, NaN, NA and the like). Without "  \
            "it, such a row is an error."                                                                              \
    }
#define DD_READING_SYNOPSIS "[--header yes|no|auto] [--columns LIST] [--drop-incomplete] "

/* The option of commands that compute with a network, for their tables. */
#define DD_BACKEND_OPTION                                                                                              \
    {                                                                                                                  \
        "backend", DD_BACKENDS, 0,                                                                                     \
            "where to compute. Default: auto, CUDA where a device answers, else the CPU. A number names a device: "    \
            "cuda:0 is the first of those that CUDA_VISIBLE_DEVICES leaves visible, cuda:1 the second."                \
    }

/* Set how files are read from these options; what is not given is not changed. DD_ERR_USAGE for an unknown word, or
 * without --dataset. */
DD_CHECKED dd_status dd_reading_option(const dd_args *args, dd_reading *reading);

#endif
