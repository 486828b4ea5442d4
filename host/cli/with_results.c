#include "cli/with_results.h"

#include <stdio.h>

dd_status dd_with_results(const dd_command *command, int argc, char **argv,
                          dd_status (*work)(const dd_args *args, dd_entries *entries))
{
    dd_args args;
    dd_entries entries = {0};
    dd_status status = dd_args_parse(command, argc, argv, &args);
    if (!status && !args.help)
        status = work(&args, &entries);
    dd_entries_free(&entries);
    dd_args_free(&args);
    return status;
}

dd_status dd_scan_words(const dd_args *args, dd_entries *entries)
{
    for (int i = 0; i < args->words; i++)
        DD_TRY(dd_entries_scan(args->word[i], 2, entries));
    dd_entries_print_left_out(stderr, entries);
    if (entries->count)
        return DD_OK;
    DD_TRY(dd_entries_complete(entries));
    return dd_fail(
        DD_ERR_IO,
        "%s: no finished run under %s; `dualdiff train` makes one, and `dualdiff info FILE` says what a file "
        "contains",
        args->command->name, args->word[0]);
}
