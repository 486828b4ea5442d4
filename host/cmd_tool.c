#include "cmd_tool.h"

#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "share.h"

extern char **environ;

enum {
    MOST_ARGUMENTS = 16,
    MISSING_PACKAGE = 3 /* exit status of a script, as in results/runs.py */
};

/* malloc'ed; NULL when memory is out. */
static char *find_script(const char *script)
{
    char in_source[64];
    snprintf(in_source, sizeof in_source, "results/%s", script);
    return dd_share_path(script, in_source);
}

static const char *find_interpreter(void)
{
    static const char venv[] = DD_SOURCE_DIR "/.venv/bin/python3";
    const char *named = getenv("DUALDIFF_PYTHON");
    if (named && *named)
        return named;
    return access(venv, X_OK) ? "python3" : venv;
}

/* An unnamed file with the entries, read from its beginning; NULL when it cannot be made. */
static FILE *list_entries(const dd_entry *entry, int count)
{
    FILE *list = tmpfile();
    if (!list)
        return NULL;
    for (int i = 0; i < count; i++)
        fprintf(list, "%s%c%s%c%" PRIu64 "%c%s%c", entry[i].run, 0, entry[i].dataset, 0, entry[i].seed, 0,
                entry[i].path, 0);
    if (fflush(list) || ferror(list) || fseek(list, 0, SEEK_SET)) {
        fclose(list);
        return NULL;
    }
    return list;
}

static int missing_package(const char *interpreter, const char *script)
{
    char *needed = dd_share_path("requirements.txt", "requirements.txt");
    if (!needed)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    int status = dd_fail(DD_ERR_TOOL,
                         "%s lacks a package that %s needs: python3 -m pip install -r %s, or name a Python that has "
                         "numpy, h5py and matplotlib in DUALDIFF_PYTHON",
                         interpreter, script, needed);
    free(needed);
    return status;
}

static int failed(const char *interpreter, const char *script, int wait_status)
{
    if (WIFSIGNALED(wait_status))
        return dd_fail(DD_ERR_TOOL, "%s %s was ended by signal %d; run the same command again", interpreter, script,
                       WTERMSIG(wait_status));
    if (WEXITSTATUS(wait_status) == MISSING_PACKAGE)
        return missing_package(interpreter, script);
    return dd_fail(DD_ERR_TOOL, "%s %s failed with exit status %d; what it said is above", interpreter, script,
                   WEXITSTATUS(wait_status));
}

int dd_tool_run(const char *script, const char *const *argument, const dd_entry *entry, int count)
{
    const char *interpreter = find_interpreter();
    const char *words[MOST_ARGUMENTS + 3] = {interpreter};
    char *path = find_script(script);
    FILE *list = NULL;
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = DD_OK, wait_status = 0, problem;
    if (!path)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    if (access(path, R_OK)) {
        status = dd_fail(DD_ERR_TOOL, "%s: %s; install dualdiff with its share folder, or keep its source in place",
                         path, strerror(errno));
        goto done;
    }
    list = list_entries(entry, count);
    if (!list) {
        status = dd_fail(DD_ERR_IO, "a temporary file cannot be written: %s; free space in /tmp", strerror(errno));
        goto done;
    }
    words[1] = path;
    for (int i = 0; i < MOST_ARGUMENTS && argument[i]; i++)
        words[2 + i] = argument[i];
    fflush(stdout);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(list), STDIN_FILENO);
    problem = posix_spawnp(&child, interpreter, &actions, NULL, (char *const *)words, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (problem) {
        status = dd_fail(DD_ERR_TOOL, "%s cannot be started: %s; install Python 3, or name it in DUALDIFF_PYTHON",
                         interpreter, strerror(problem));
        goto done;
    }
    while (waitpid(child, &wait_status, 0) < 0 && errno == EINTR)
        continue;
    if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status))
        status = failed(interpreter, path, wait_status);
done:
    if (list)
        fclose(list);
    free(path);
    return status;
}
