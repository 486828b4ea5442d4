/* dualdiff help: print the same as --help, or write manual pages. */
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/manual.h"

static const dd_option options[] = {
    {"man", "DIR", false,
     "write the manual pages of the program and of each command into DIR, for instance ~/.local/share/man/man1. An "
     "installation has them already."},
    {0}};

const dd_command dd_command_help = {
    .name = "help",
    .summary = "print the help of a command",
    .synopsis = "[COMMAND] [--man DIR]",
    .description = "Prints what `dualdiff COMMAND --help` prints; without COMMAND, the list of commands.",
    .most_words = 1,
    .words_name = "COMMAND",
    .options = options,
    .examples = "    dualdiff help train\n    dualdiff help --man ~/.local/share/man/man1\n",
    .run = dd_cmd_help};

static dd_status help(const dd_args *args)
{
    const char *dir = dd_args_value(args, "man", NULL);
    const dd_command *command;
    if (dir)
        return dd_manual_write(dir);
    if (!args->words) {
        dd_program_help();
        return DD_OK;
    }
    DD_TRY(dd_command_find(args->word[0], &command));
    dd_print_help(command);
    return DD_OK;
}

dd_status dd_cmd_help(int argc, char **argv)
{
    dd_args args;
    dd_status status = dd_args_parse(&dd_command_help, argc, argv, &args);
    if (!status && !args.help)
        status = help(&args);
    dd_args_free(&args);
    return status;
}
