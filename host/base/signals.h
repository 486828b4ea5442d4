/* What signals ask of a training run.
 *
 *     static volatile sig_atomic_t stop, checkpoint;
 *     dd_signals_catch(&stop, &checkpoint);
 *     ... if (stop) printf("stopped by %s\n", dd_signal_name(stop));
 */
#ifndef DD_SIGNALS_H
#define DD_SIGNALS_H

#include <signal.h>

/* From now on these signals set a flag to their number:
 *   *stop        SIGINT, SIGTERM, SIGHUP (a terminal that closes), SIGXCPU (a limit on CPU time); the first one counts
 *   *checkpoint  SIGUSR1, SIGUSR2 (what batch systems send before a time limit)
 * A second SIGINT or SIGTERM ends the process. One that was ignored when the process began (by nohup, or by a shell for
 * its background jobs) stays ignored. */
void dd_signals_catch(volatile sig_atomic_t *stop, volatile sig_atomic_t *checkpoint);

/* on: from now on until it is switched off, the first signal that sets *stop is acknowledged at once with a line on
 * standard error: the step block is finished and a checkpoint written. One that came before is acknowledged now. */
void dd_signals_acknowledge(int on);

/* "SIGTERM"; of another number than those above "a signal". */
const char *dd_signal_name(int number);

#endif
