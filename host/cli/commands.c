#include "cli/commands.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

const dd_command *const dd_commands[] = {
    &dd_command_train,   &dd_command_sample, &dd_command_evaluate,   &dd_command_compare,
    &dd_command_plot,    &dd_command_info,   &dd_command_analyze,    &dd_command_report,
    &dd_command_cost,    &dd_command_oracle, &dd_command_floor,      &dd_command_datasets,
    &dd_command_configs, &dd_command_help,   &dd_command_completion, NULL};

const char dd_program_summary[] = "train small diffusion models of two experts and a gate";

const dd_note dd_environment[] = {
    {"DUALDIFF_PYTHON", "the Python for plot, report and compare --reference. Default: .venv/bin/python3 of the source "
                        "folder, else python3."},
    {"DUALDIFF_CUDA_LIBRARY", "file of the CUDA backend. Default: libdualdiff_cuda.so near the program."},
    {"DUALDIFF_ISA", "plain, avx2 or avx512: the instruction set of the CPU backend. Default: the best."},
    {"CUDA_VISIBLE_DEVICES", "the devices that CUDA may use; dualdiff uses the first one."},
    {0}};

dd_status dd_command_find(const char *word, const dd_command **command)
{
    const char *names[64];
    int count = 0;
    for (; dd_commands[count]; count++) {
        *command = dd_commands[count];
        names[count] = (*command)->name;
        if (!strcmp(word, names[count]))
            return DD_OK;
    }
    char near[DD_SUGGESTION];
    dd_suggest(word, names, count, near);
    return dd_fail(DD_ERR_USAGE, "unknown command '%s'%s `dualdiff --help` lists them", word, *near ? near : ";");
}

void dd_program_help(void)
{
    printf(
        "dualdiff - %s\n\nusage: dualdiff COMMAND ...      `dualdiff COMMAND --help` prints the details\n\nCommands\n",
        dd_program_summary);
    for (int i = 0; dd_commands[i]; i++)
        printf("    %-10s %s\n", dd_commands[i]->name, dd_commands[i]->summary);
    printf("\n    --version  program version, commit and backends (-V)\n    --help     this (-h)\n\n");
    dd_exit_status_help();
}
