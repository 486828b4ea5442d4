/* Progress on standard error: a bar on a terminal, else a line now and then. A command that ends within two seconds
 * shows nothing, and nothing is shown where the user wants quiet.
 *
 *     dd_progress_view view;
 *     dd_progress_start(&view, quiet);
 *     dd_progress_watch(&view, dd_backend_pool(backend));      // what computes on the pool says where it is
 *     ... compute ...
 *     dd_progress_wrote(&view, "wrote %s", path);              // the last word
 */
#ifndef DD_PROGRESS_H
#define DD_PROGRESS_H

#include "base/pool.h"
#include "run/job.h"

typedef struct dd_progress_view {
    int quiet, terminal;
    int shown;          /* a bar is on the current line */
    int lines;          /* something was shown */
    int part, parts;    /* of what the command does several times: the file, the draw; parts 0: once */
    double began, last; /* when the command began, and when something was shown */
    double phase_began; /* the current phase */
} dd_progress_view;

void dd_progress_start(dd_progress_view *view, int quiet);

/* Show what the work on `pool` says, until the pool or the view is gone. */
void dd_progress_watch(dd_progress_view *view, dd_pool *pool);

/* From now on part number `part` (0-based) of `parts` is done. */
void dd_progress_part(dd_progress_view *view, int part, int parts);

/* What was written, a line, in place of the bar. */
void dd_progress_wrote(dd_progress_view *view, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Take the bar away. */
void dd_progress_clear(dd_progress_view *view);

/* Seconds since dd_progress_start. */
double dd_progress_seconds(const dd_progress_view *view);

/* Callbacks of dd_job; user is the view. */
void dd_progress_show(void *user, const dd_progress *progress);
void dd_progress_message(void *user, const char *line);

#endif
