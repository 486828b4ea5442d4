/* A user's wish to stop. Long computations check it between their parts.
 *
 *     dd_cancel_watch(&stop_requested);             // the flag of a signal handler
 *     status = dd_ensemble_sample(...);             // DD_STOPPED soon after the flag is set
 *     dd_cancel_watch(NULL);
 *
 * There is one flag for the process, because signals are sent to the process. A cancelled computation leaves its
 * outputs unfinished: do not use them.
 */
#ifndef DD_CANCEL_H
#define DD_CANCEL_H

#include <signal.h>
#include <stdbool.h>

#include "base/error.h"

/* Check this flag from now on: nonzero asks for a stop. NULL: nothing is cancelled. Call it while no thread works. */
void dd_cancel_watch(const volatile sig_atomic_t *flag);

bool dd_cancelled(void);

/* Returns DD_STOPPED with a message if a stop is wanted, else DD_OK. */
DD_CHECKED dd_status dd_check_cancelled(void);

#endif
