/* dualdiff: the program. Only this file ends the process. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/names.h"
#include "cli/commands.h"
#include "version.h"

/* "backend NAME: its device" or why it is not available; an error message may begin with the name, too. */
static void print_backend(const char *name)
{
    dd_backend *backend;
    char before[64];
    size_t length = (size_t)snprintf(before, sizeof before, "backend %s: ", name);
    if (dd_backend_open(name, 0, &backend)) {
        const char *why = dd_error_message();
        printf("%snot available: %s\n", before, why + (strncmp(why, before, length) ? 0 : length));
        return;
    }
    printf("%s%s, %d thread%s\n", before, dd_backend_device(backend), dd_backend_threads(backend),
           dd_plural(dd_backend_threads(backend)));
    dd_backend_close(backend);
}

static dd_status print_version(void)
{
    printf("dualdiff %s (commit %s)\n", DD_VERSION, DD_GIT_COMMIT);
    for (int i = 0; dd_backend_listed(i); i++)
        print_backend(dd_backend_listed(i));
    return DD_OK;
}

static dd_status run(int argc, char **argv)
{
    if (argc < 2) {
        dd_program_help();
        return dd_fail(DD_ERR_USAGE, "a command is missing");
    }
    const char *word = argv[1];
    if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
        dd_program_help();
        return DD_OK;
    }
    if (!strcmp(word, "--version") || !strcmp(word, "-V"))
        return print_version();
    const dd_command *command;
    DD_TRY(dd_command_find(word, &command));
    return command->run(argc - 2, argv + 2);
}

/* If a standard stream is closed (in a daemon, or by `>&-`), the first file that the program opens would get its
 * number, and messages would be written into that file. So /dev/null takes the number, and using the stream fails as
 * before. */
static void keep_standard_descriptors(void)
{
    for (int i = 0; i < 3; i++)
        if (fcntl(i, F_GETFD) < 0 && open("/dev/null", i ? O_RDONLY : O_WRONLY) < 0)
            return;
}

/* ---- crashes of libraries ---- */

/* The HDF5 library crashes, or ends the program, on some damaged files and when memory is out; then no status can be
 * returned, so print a message. Only functions that a signal handler may call. */
static void report_crash(void)
{
    static const char text[] =
        "dualdiff: a crash. The HDF5 library crashes on some damaged files and when memory is out: use another file, "
        "or free memory. Complete files were not changed. If neither is the cause, please report it.\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
}

static void on_crash(int number)
{
    report_crash();
    raise(number); /* delivered at the return, with the default action: a core dump where those are on */
}

static int returned; /* main has reported the outcome */

static void on_exit_of_a_library(void)
{
    if (!returned)
        report_crash();
}

/* A sanitizer reports more about a crash than this program can. */
#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* The handler has its own stack, because a full stack may be the cause of the crash. */
static void watch_for_crashes(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
    static char stack[16 * 1024];
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND | SA_ONSTACK};
    if (SANITIZED)
        return;
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
    atexit(on_exit_of_a_library);
}

int main(int argc, char **argv)
{
    keep_standard_descriptors();
    watch_for_crashes();
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is a failed write, which is reported */

    int status = run(argc, argv);
    if (status)
        fprintf(stderr, "dualdiff: %s\n", dd_error_message());
    if ((fflush(stdout) || ferror(stdout)) && !status) {
        fprintf(stderr, "dualdiff: standard output cannot be written\n");
        status = DD_ERR_IO;
    }
    returned = 1;
    return status;
}
