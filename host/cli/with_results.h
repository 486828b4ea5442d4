/* What `compare`, `plot` and `report` have in common: they read every result under the folders of the command line. */
#ifndef DD_WITH_RESULTS_H
#define DD_WITH_RESULTS_H

#include "base/error.h"
#include "cli/args.h"
#include "compare/results_scan.h"

/* Parse a command line and do the command's `work`, unless help was asked for. `entries` is empty when work begins. */
DD_CHECKED dd_status dd_with_results(const dd_command *command, int argc, char **argv,
                                     dd_status (*work)(const dd_args *args, dd_entries *entries));

/* Add the results under each folder of the command line, and print which files were left out. DD_ERR_IO: there is no
 * result. */
DD_CHECKED dd_status dd_scan_words(const dd_args *args, dd_entries *entries);

#endif
