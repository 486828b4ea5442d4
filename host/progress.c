#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"

/* Seconds between updates. */
static const double bar_every = .1, line_every = 10.;
enum { BAR = 30, LEAST = 10, TEXT = 1024 }; /* a loss of 1e308 fits */

void dd_progress_start(dd_progress_view *view, int quiet)
{
    *view = (dd_progress_view){.quiet = quiet, .terminal = isatty(2), .last = dd_now()};
}

static void clear_bar(dd_progress_view *view)
{
    if (view->shown)
        fprintf(stderr, "\r\033[K");
    view->shown = 0;
}

static void print_duration(char *out, size_t size, double seconds)
{
    long s = (long)(seconds + .5);
    if (s >= 3600)
        snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
}

static int terminal_columns(void)
{
    struct winsize size;
    return ioctl(2, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/* The bar and the text in one line of the terminal, because only one can be taken back: the bar gives way, then the
 * text's end. */
static void print_bar(const dd_progress *p, const char *text)
{
    int columns = terminal_columns() - 1, room = columns - (int)strlen(text) - 3, length = room < BAR ? room : BAR;
    if (length >= LEAST) {
        char bar[BAR + 1] = "";
        for (int i = 0; i < length; i++)
            bar[i] = (long long)i * p->steps < (long long)p->step * length ? '#' : '.';
        fprintf(stderr, "[%.*s] ", length, bar);
    }
    fprintf(stderr, "%.*s", columns, text);
}

void dd_progress_show(void *user, const dd_progress *p)
{
    dd_progress_view *view = user;
    double time = dd_now();
    int last = p->step == p->steps;
    if (view->quiet || (!last && time - view->last < (view->terminal ? bar_every : line_every)))
        return;
    view->last = time;
    char text[TEXT], left[32], replicas[48] = "", ensembles[48] = "";
    print_duration(left, sizeof left, p->seconds_left);
    if (p->replicas > 1)
        snprintf(replicas, sizeof replicas, " x %d networks", p->replicas);
    if (p->ensembles > 1)
        snprintf(ensembles, sizeof ensembles, "[%d/%d] ", p->ensemble + 1, p->ensembles);
    snprintf(text, sizeof text, "%sstep %d/%d%s  loss %.4f  %.0f steps/s  %s left", ensembles, p->step, p->steps,
             replicas, p->loss, p->steps_per_second, left);
    clear_bar(view);
    if (view->terminal)
        print_bar(p, text);
    else
        fputs(text, stderr);
    view->shown = view->terminal && !last;
    if (!view->shown)
        fputc('\n', stderr);
    fflush(stderr);
}

void dd_progress_message(void *user, const char *line)
{
    dd_progress_view *view = user;
    clear_bar(view);
    if (!view->quiet)
        fprintf(stderr, "%s\n", line);
}
