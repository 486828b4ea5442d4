/* Progress on standard error: a bar on a terminal, else a line every few seconds. Nothing is shown for a command that
 * ends within two seconds, or with --quiet.
 *
 *     dd_progress_view view;
 *     dd_progress_start(&view, quiet);
 *     dd_progress_watch(&view, dd_backend_pool(backend));      // shows the progress of work on the pool
 *     ... compute ...
 *     dd_progress_wrote(&view, "wrote %s", path);              // the last line
 */
#ifndef DD_PROGRESS_H
#define DD_PROGRESS_H

#include <stdbool.h>

#include "base/pool.h"
#include "run/job.h"

typedef struct dd_progress_view {
    bool quiet, terminal;
    bool shown;         /* a bar is on the current line */
    int lines;          /* something was shown */
    int part, parts;    /* number of the current file or draw; parts 0: there is only one */
    double began, last; /* when the command began, and when the last output was shown */
    double phase_began; /* the current phase */
} dd_progress_view;

void dd_progress_start(dd_progress_view *view, bool quiet);

/* Show the progress of the work on `pool`, as long as both the pool and the view exist. */
void dd_progress_watch(dd_progress_view *view, dd_pool *pool);

/* From now on the command works on part number `part` (from 0) of `parts`. */
void dd_progress_part(dd_progress_view *view, int part, int parts);

/* Replace the bar by a line that says what was written. */
void dd_progress_wrote(dd_progress_view *view, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Remove the bar. */
void dd_progress_clear(dd_progress_view *view);

/* Seconds since dd_progress_start. */
double dd_progress_seconds(const dd_progress_view *view);

/* Callbacks of dd_job; user is the view. */
void dd_progress_show(void *user, const dd_progress *progress);
void dd_progress_message(void *user, const char *line);

#endif
