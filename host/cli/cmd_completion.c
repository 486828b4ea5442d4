/* dualdiff completion: scripts that let a shell complete the program's words. */
#include "base/error.h"
#include "cli/commands.h"
#include "cli/completion.h"

static const dd_option options[] = {{0}};

const dd_command dd_command_completion = {
    .name = "completion",
    .summary = "print a script that lets a shell complete commands, options, datasets and configurations",
    .synopsis = "bash|zsh|fish",
    .description = "Prints a script for the shell. An installation (`cmake --install`) puts all three into the folders "
                   "where shells look for them.",
    .least_words = 1,
    .most_words = 1,
    .words_name = "bash|zsh|fish",
    .options = options,
    .examples = "    source <(dualdiff completion bash)\n"
                "    dualdiff completion zsh > ~/.zfunc/_dualdiff\n"
                "    dualdiff completion fish > ~/.config/fish/completions/dualdiff.fish\n",
    .run = dd_cmd_completion};

dd_status dd_cmd_completion(int argc, char **argv)
{
    dd_args args;
    dd_status status = dd_args_parse(&dd_command_completion, argc, argv, &args);
    if (!status && !args.help)
        status = dd_completion_print(args.word[0]);
    dd_args_free(&args);
    return status;
}
