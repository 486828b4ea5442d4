/* Signals that stop a training run or ask for a checkpoint.
 *
 *     static volatile sig_atomic_t stop, checkpoint;
 *     dd_signals_catch(&stop, &checkpoint);
 *     ... if (stop) printf("stopped by %s\n", dd_signal_name(stop));
 */
#ifndef DD_SIGNALS_H
#define DD_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* Catch these signals; each sets a flag to its number:
 *   *stop        SIGINT, SIGTERM, SIGHUP (a terminal that closes), SIGXCPU (a limit on CPU time); the first one counts
 *   *checkpoint  SIGUSR1, SIGUSR2 (what batch systems send before a time limit)
 * A second SIGINT or SIGTERM ends the process. A signal that was ignored when the process began (by nohup, or by a
 * shell for its background jobs) stays ignored. */
void dd_signals_catch(volatile sig_atomic_t *stop, volatile sig_atomic_t *checkpoint);

/* on: the first signal that sets *stop is acknowledged immediately with a line on standard error, which says
 * that the step block is finished and a checkpoint written. A signal that came before this call is acknowledged now.
 * Not on: signals are no longer acknowledged. */
void dd_signals_acknowledge(bool on);

/* The name, for instance "SIGTERM"; "a signal" for numbers other than those above. */
const char *dd_signal_name(int number);

#endif
