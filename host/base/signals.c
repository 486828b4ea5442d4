#include "base/signals.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

typedef enum wish { STOP, CHECKPOINT } wish;

static const struct {
    int number;
    const char *name;
    wish wish;
    int flags; /* SA_RESETHAND: the second signal has the default effect */
} table[] = {
    {SIGINT, "SIGINT", STOP, SA_RESETHAND},
    {SIGTERM, "SIGTERM", STOP, SA_RESETHAND},
    {SIGHUP, "SIGHUP", STOP, 0},   /* the kernel and the shell may both send it */
    {SIGXCPU, "SIGXCPU", STOP, 0}, /* is sent again every second */
    {SIGUSR1, "SIGUSR1", CHECKPOINT, 0},
    {SIGUSR2, "SIGUSR2", CHECKPOINT, 0},
};
enum { SIGNALS = sizeof table / sizeof *table };

static volatile sig_atomic_t *stop_flag, *checkpoint_flag;
static volatile sig_atomic_t acknowledging, acknowledged, terminal;

/* A signal handler calls this, too: only functions that are safe there. */
static void put(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; /* standard error may be closed */
}

static void acknowledge(int number)
{
    if (!acknowledging || acknowledged)
        return;
    acknowledged = 1;
    if (terminal)
        put("\r\033[K"); /* removes the progress bar */
    put(number == SIGINT
            ? "stopping: finishing this step block and writing a checkpoint; press Ctrl-C again to end immediately\n"
            : "stopping: finishing this step block and writing a checkpoint\n");
}

static void on_stop(int number)
{
    int error = errno;
    if (!*stop_flag)
        *stop_flag = number;
    acknowledge(*stop_flag);
    errno = error;
}

static void on_checkpoint(int number)
{
    *checkpoint_flag = number;
}

void dd_signals_catch(volatile sig_atomic_t *stop, volatile sig_atomic_t *checkpoint)
{
    stop_flag = stop;
    checkpoint_flag = checkpoint;
    terminal = isatty(STDERR_FILENO);
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction before, action = {.sa_handler = table[i].wish == STOP ? on_stop : on_checkpoint,
                                           .sa_flags = SA_RESTART | table[i].flags};
        sigemptyset(&action.sa_mask);
        if (!sigaction(table[i].number, NULL, &before) && before.sa_handler != SIG_IGN)
            sigaction(table[i].number, &action, NULL);
    }
}

void dd_signals_acknowledge(bool on)
{
    acknowledging = on;
    if (stop_flag && *stop_flag)
        acknowledge(*stop_flag);
}

const char *dd_signal_name(int number)
{
    for (int i = 0; i < SIGNALS; i++)
        if (table[i].number == number)
            return table[i].name;
    return "a signal";
}
