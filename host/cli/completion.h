/* Completion scripts for shells, made from the same tables as --help. */
#ifndef DD_COMPLETION_H
#define DD_COMPLETION_H

#include "base/error.h"

/* Print the script for "bash", "zsh" or "fish" on standard output; DD_ERR_USAGE for another shell. */
DD_CHECKED dd_status dd_completion_print(const char *shell);

#endif
