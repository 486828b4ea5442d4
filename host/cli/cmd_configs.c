/* dualdiff configs: the configurations that come with the program. */
#define _GNU_SOURCE /* realpath */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/config_option.h"

static const dd_option options[] = {{0}};

const dd_command dd_command_configs = {
    .name = "configs",
    .summary = "list the configurations that come with the program",
    .synopsis = "",
    .description =
        "Prints a line for each configuration that comes with the program (its name and what it is), and the folder "
        "that contains them. A command that takes CONFIG accepts such a name in any folder: `dualdiff train run_1`. A "
        "file of that name in the current folder, with or without .toml, is preferred.\n\n"
        "`dualdiff info NAME` prints all values of a configuration. To make your own configuration, copy one of the "
        "files, or override single values with --set.",
    .options = options,
    .examples = "    dualdiff configs\n    dualdiff info run_1\n",
    .run = dd_cmd_configs};

/* The comment in a configuration's first line, which says what it is; "" if there is none. */
static void read_title(const char *folder, const char *name, char title[128])
{
    char path[4096], line[128] = "";
    *title = '\0';
    snprintf(path, sizeof path, "%s/%s.toml", folder, name);
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    if (fgets(line, sizeof line, file) && !strncmp(line, "# ", 2))
        snprintf(title, 128, "%.*s", (int)strcspn(line + 2, "\r\n"), line + 2);
    fclose(file);
}

static dd_status print_configs(void)
{
    dd_config_names own;
    DD_TRY(dd_config_names_read(&own));
    dd_status status = own.count ? DD_OK
                                 : dd_fail(DD_ERR_IO,
                                           "%s: no configurations there; install dualdiff with its share folder, or do "
                                           "not move its source folder",
                                           own.folder);
    if (!status)
        printf("%-23s what it is\n", "name");
    for (int i = 0; i < own.count; i++) {
        char title[128];
        read_title(own.folder, own.name[i], title);
        printf("%-23s %s\n", own.name[i], title);
    }
    char *real = realpath(own.folder, NULL);
    if (!status)
        printf("\nThey are in %s\n", real ? real : own.folder);
    free(real);
    dd_config_names_free(&own);
    return status;
}

dd_status dd_cmd_configs(int argc, char **argv)
{
    dd_args args;
    dd_status status = dd_args_parse(&dd_command_configs, argc, argv, &args);
    if (!status && !args.help)
        status = print_configs();
    dd_args_free(&args);
    return status;
}
