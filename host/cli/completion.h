/* Completion scripts for shells, made from the same tables as --help. */
#ifndef DD_COMPLETION_H
#define DD_COMPLETION_H

/* Print the script for "bash", "zsh" or "fish" on standard output; DD_ERR_USAGE for another shell. */
int dd_completion_print(const char *shell);

#endif
