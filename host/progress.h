/* Progress of training on standard error: a bar on a terminal, else a line now and then. */
#ifndef DD_PROGRESS_H
#define DD_PROGRESS_H

#include "trainer.h"

typedef struct dd_progress_view {
    int quiet, terminal;
    int shown;   /* a bar stands on the current line */
    double last; /* when something was shown */
} dd_progress_view;

void dd_progress_start(dd_progress_view *view, int quiet);

/* Callbacks of dd_job; user is the view. */
void dd_progress_show(void *user, const dd_progress *progress);
void dd_progress_message(void *user, const char *line);

#endif
