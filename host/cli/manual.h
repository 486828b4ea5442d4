/* Manual pages (roff, for man and groff), made from the same tables as --help. */
#ifndef DD_MANUAL_H
#define DD_MANUAL_H

#include "base/error.h"
#include "cli/args.h"

/* Write dualdiff.1 and a page dualdiff-<command>.1 for each command into the folder `dir`, which is made if it does not
 * exist. */
DD_CHECKED dd_status dd_manual_write(const char *dir);

#endif
