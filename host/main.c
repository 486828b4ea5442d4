/* dualdiff: the program. Only this file ends it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "commands.h"
#include "version.h"

static int print_version(void)
{
    static const char *const names[] = {"cpu", "cuda"};
    printf("dualdiff %s (commit %s)\n", DD_VERSION, DD_GIT_COMMIT);
    for (int i = 0; i < 2; i++) {
        dd_backend *backend;
        if (dd_backend_open(names[i], 0, &backend)) {
            printf("backend %s: not available: %s\n", names[i], dd_error_message());
            continue;
        }
        printf("backend %s: %s, %d threads\n", names[i], dd_backend_device(backend), dd_backend_threads(backend));
        dd_backend_close(backend);
    }
    return DD_OK;
}

static int run(int argc, char **argv)
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

/* Where a standard stream is closed (a daemon's, or `>&-`), the first file that is opened would take its number, and
 * messages would be written into it. /dev/null takes it instead, so that using the stream fails as it would have. */
static void keep_standard_descriptors(void)
{
    for (int i = 0; i < 3; i++)
        if (fcntl(i, F_GETFD) < 0 && open("/dev/null", i ? O_RDONLY : O_WRONLY) < 0)
            return;
}

int main(int argc, char **argv)
{
    keep_standard_descriptors();
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is a failed write, which is reported */

    int status = run(argc, argv);
    if (status)
        fprintf(stderr, "dualdiff: %s\n", dd_error_message());
    if ((fflush(stdout) || ferror(stdout)) && !status) {
        fprintf(stderr, "dualdiff: standard output cannot be written\n");
        status = DD_ERR_IO;
    }
    return status;
}
