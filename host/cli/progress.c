#include "cli/progress.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

/* Seconds between updates, and seconds before the first output. */
static const double bar_every = .1, line_every = 10., silence = 2.;
enum { BAR = 30, LEAST = 10, TEXT = 1024 }; /* enough for a loss of 1e308 */

void dd_progress_start(dd_progress_view *view, bool quiet)
{
    double now = dd_now();
    *view = (dd_progress_view){.quiet = quiet, .terminal = isatty(2), .began = now, .last = now, .phase_began = now};
}

void dd_progress_clear(dd_progress_view *view)
{
    if (view->shown)
        fprintf(stderr, "\r\033[K");
    view->shown = false;
}

double dd_progress_seconds(const dd_progress_view *view)
{
    return dd_now() - view->began;
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

/* Print the bar and the text in one line of the terminal, because only one line can be overwritten. If the line is too
 * short, first the bar is shortened, then the text. */
static void print_bar(long long done, long long total, const char *text)
{
    int columns = terminal_columns() - 1, room = columns - (int)strlen(text) - 3, length = room < BAR ? room : BAR;
    if (length >= LEAST) {
        char bar[BAR + 1] = "";
        for (int i = 0; i < length; i++)
            bar[i] = i * total < done * length ? '#' : '.';
        fprintf(stderr, "[%.*s] ", length, bar);
    }
    fprintf(stderr, "%.*s", columns, text);
}

/* keep: the line stays on the terminal. */
static void print(dd_progress_view *view, long long done, long long total, const char *text, bool keep)
{
    dd_progress_clear(view);
    if (view->terminal)
        print_bar(done, total, text);
    else
        fputs(text, stderr);
    view->lines++;
    view->shown = view->terminal && !keep;
    if (!view->shown)
        fputc('\n', stderr);
    fflush(stderr);
}

/* ---- phases ---- */

static bool is_due(const dd_progress_view *view, double now)
{
    if (view->quiet || now - view->began < silence)
        return false;
    return now - view->last >= (view->terminal ? bar_every : line_every) || !view->lines;
}

static void tell(void *user, const char *phase, long long done, long long total)
{
    dd_progress_view *view = user;
    double now = dd_now();
    if (!done)
        view->phase_began = now;
    if (!is_due(view, now))
        return;
    view->last = now;
    char text[TEXT], part[48] = "", left[64] = "", time[32];
    if (view->parts > 1)
        snprintf(part, sizeof part, "[%d/%d] ", view->part + 1, view->parts);
    if (done) {
        print_duration(time, sizeof time, (now - view->phase_began) * (double)(total - done) / (double)done);
        snprintf(left, sizeof left, "  %d %%  %s left", (int)(100 * done / total), time);
    }
    snprintf(text, sizeof text, "%s%s%s", part, phase, left);
    print(view, done, total ? total : 1, text, false);
}

void dd_progress_watch(dd_progress_view *view, dd_pool *pool)
{
    dd_pool_watch(pool, &(dd_watch){tell, view});
}

void dd_progress_part(dd_progress_view *view, int part, int parts)
{
    view->part = part;
    view->parts = parts;
}

void dd_progress_wrote(dd_progress_view *view, const char *format, ...)
{
    va_list arguments;
    dd_progress_clear(view);
    if (view->quiet)
        return;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* ---- training ---- */

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
    print(view, p->step, p->steps, text, last);
}

void dd_progress_message(void *user, const char *line)
{
    dd_progress_view *view = user;
    dd_progress_clear(view);
    if (!view->quiet)
        fprintf(stderr, "%s\n", line);
}
