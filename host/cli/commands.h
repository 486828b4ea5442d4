/* The cli layer is the program: its subcommands, one file each (cmd_<name>.c), and what they share.
 *
 *     const dd_command *command;
 *     dd_status status = dd_command_find("train", &command);      // main.c
 *     if (!status)
 *         status = command->run(argc - 2, argv + 2);
 *
 * A command parses its words (args.h), calls the layers below, and prints. It never ends the process: only main does.
 * No other layer includes this one. */
#ifndef DD_COMMANDS_H
#define DD_COMMANDS_H

#include "base/error.h"
#include "cli/args.h"

extern const dd_command dd_command_train, dd_command_sample, dd_command_evaluate, dd_command_compare, dd_command_plot,
    dd_command_info, dd_command_analyze, dd_command_report, dd_command_cost, dd_command_oracle, dd_command_floor,
    dd_command_datasets, dd_command_configs, dd_command_help, dd_command_completion;

/* The entry points of the commands. argv has the arguments after the command's name. */
DD_CHECKED dd_status dd_cmd_train(int argc, char **argv);
DD_CHECKED dd_status dd_cmd_sample(int argc, char **argv);
DD_CHECKED dd_status dd_cmd_evaluate(int argc, char **argv);
DD_CHECKED dd_status dd_cmd_compare(int argc, char **argv);
DD_CHECKED dd_status dd_cmd_plot(int argc, char **argv);
DD_CHECKED dd_status dd_cmd_info(int argc, char **argv);
DD_CHECKED dd_status dd_cmd_analyze(int argc, char **argv);
DD_CHECKED dd_status dd_cmd_report(int argc, char **argv);
DD_CHECKED dd_status dd_cmd_cost(int argc, char **argv);
DD_CHECKED dd_status dd_cmd_oracle(int argc, char **argv);
DD_CHECKED dd_status dd_cmd_floor(int argc, char **argv);
DD_CHECKED dd_status dd_cmd_datasets(int argc, char **argv);
DD_CHECKED dd_status dd_cmd_configs(int argc, char **argv);
DD_CHECKED dd_status dd_cmd_help(int argc, char **argv);
DD_CHECKED dd_status dd_cmd_completion(int argc, char **argv);

/* ---- the tables from which help, manual pages and shell completions are made ---- */

extern const dd_command *const dd_commands[]; /* in the order of the help; ends with NULL */

/* The command called `word`; DD_ERR_USAGE names the closest one. */
DD_CHECKED dd_status dd_command_find(const char *word, const dd_command **command);

extern const char dd_program_summary[];
extern const dd_note dd_environment[]; /* environment variables that the program reads; a NULL name ends the list */

void dd_program_help(void);

#endif
