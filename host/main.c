/* dualdiff: the program. Only this file ends it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "commands.h"
#include "version.h"

static const dd_command *const commands[] = {&dd_command_train,   &dd_command_sample, &dd_command_evaluate,
                                             &dd_command_compare, &dd_command_plot,   &dd_command_info,
                                             &dd_command_analyze, &dd_command_report, &dd_command_cost,
                                             &dd_command_oracle,  &dd_command_floor,  &dd_command_datasets};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_help(void)
{
    printf("dualdiff - train small diffusion models of two experts and a gate\n\n"
           "usage: dualdiff COMMAND ...      `dualdiff COMMAND --help` tells more\n\nCommands\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("    %-10s %s\n", commands[i]->name, commands[i]->summary);
    printf("\n    --version  program version, commit and backends\n    --help     this\n\n");
    dd_exit_status_help();
}

static int print_version(void)
{
    static const char *const names[] = {"cpu", "cuda"};
    printf("dualdiff %s (commit %s)\n", DD_VERSION, DD_GIT_COMMIT);
    for (int i = 0; i < 2; i++) {
        dd_backend *backend;
        if (dd_backend_open(names[i], 0, &backend)) {
            printf("backend %s: not available: %s\n", names[i], dd_error_message());
            continue;
        }
        printf("backend %s: %s, %d threads\n", names[i], dd_backend_device(backend), dd_backend_threads(backend));
        dd_backend_close(backend);
    }
    return DD_OK;
}

static int unknown_command(const char *word)
{
    const char *names[COMMANDS];
    for (int i = 0; i < COMMANDS; i++)
        names[i] = commands[i]->name;
    const char *closest = dd_closest(word, names, COMMANDS);
    return dd_fail(DD_ERR_USAGE, "unknown command '%s'%s%s%s; `dualdiff --help` lists them", word,
                   closest ? "; did you mean '" : "", closest ? closest : "", closest ? "'?" : "");
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help();
        return dd_fail(DD_ERR_USAGE, "a command is missing");
    }
    const char *word = argv[1];
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
        print_help();
        return DD_OK;
    }
    if (!strcmp(word, "--version"))
        return print_version();
    for (int i = 0; i < COMMANDS; i++)
        if (!strcmp(word, commands[i]->name))
            return commands[i]->run(argc - 2, argv + 2);
    return unknown_command(word);
}

int main(int argc, char **argv)
{
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is a failed write, which is reported */

    int status = run(argc, argv);
    if (status)
        fprintf(stderr, "dualdiff: %s\n", dd_error_message());
    if ((fflush(stdout) || ferror(stdout)) && !status) {
        fprintf(stderr, "dualdiff: standard output cannot be written\n");
        status = DD_ERR_IO;
    }
    return status;
}
