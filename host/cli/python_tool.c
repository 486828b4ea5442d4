#include "cli/python_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/lock.h"
#include "cli/share.h"

extern char **environ;

enum {
    SCRIPT = 3, /* its index in the command line, after the interpreter and its options */
    MOST_ARGUMENTS = 16,
    OWN_ARGUMENTS = SCRIPT + 1 + 2, /* number of words before and after those of the caller */
    MISSING_PACKAGE = 3             /* exit status of a script, as in python/runs.py */
};

/* malloc'ed; NULL when memory is out. */
static char *find_script(const char *script)
{
    char in_source[64];
    snprintf(in_source, sizeof in_source, "python/%s", script);
    return dd_share_path(script, in_source);
}

static const char own_python[] = DD_SOURCE_DIR "/.venv/bin/python3";

static const char *find_interpreter(void)
{
    const char *named = getenv("DUALDIFF_PYTHON");
    if (named && *named)
        return named;
    return access(own_python, X_OK) ? "python3" : own_python;
}

/* ---- the environment ---- */

static bool begins_with_any(const char *text, const char *const *beginnings)
{
    while (*beginnings && strncmp(text, *beginnings, strlen(*beginnings)))
        beginnings++;
    return *beginnings != NULL;
}

/* A user's settings for Python can change what scripts do: PYTHONOPTIMIZE, PYTHONWARNINGS=error, PYTHONSAFEPATH.
 * Settings that say where packages are must be kept, except for the source folder's own Python, which has all
 * packages. */
static bool is_for_tools(const char *variable, bool own)
{
    static const char *const harmless[] = {"PYTHONDONTWRITEBYTECODE=", "PYTHONPYCACHEPREFIX=", NULL};
    static const char *const places[] = {
        "PYTHONPATH=", "PYTHONHOME=", "PYTHONUSERBASE=", "PYTHONNOUSERSITE=", "PYTHONPLATLIBDIR=", NULL};
    return strncmp(variable, "PYTHON", 6) || begins_with_any(variable, harmless) ||
           (!own && begins_with_any(variable, places));
}

/* The environment of a script; only the list is malloc'ed. NULL when memory is out. */
static char **environment_for(const char *interpreter)
{
    size_t all = 0, kept = 0;
    while (environ[all])
        all++;
    char **list = calloc(all + 1, sizeof *list);
    for (size_t i = 0; list && i < all; i++) {
        if (is_for_tools(environ[i], interpreter == own_python))
            list[kept++] = environ[i];
    }
    return list;
}

/* ---- input and output ---- */

static dd_status temporary_failed(void)
{
    return dd_fail(DD_ERR_IO, "a temporary file cannot be written: %s; free space in /tmp", strerror(errno));
}

/* Write the entries into `list`, then rewind it for reading. */
static dd_status list_entries(FILE *list, const dd_entry *entry, int count)
{
    for (int i = 0; i < count; i++)
        fprintf(list, "%s%c%s%c%" PRIu64 "%c%s%c", entry[i].run, 0, entry[i].dataset, 0, entry[i].seed, 0,
                entry[i].path, 0);
    return fflush(list) || ferror(list) || fseek(list, 0, SEEK_SET) ? temporary_failed() : DD_OK;
}

/* Read the paths that the script left out, a NUL after each. The script has printed the reasons. */
static dd_status take_left_out(FILE *list, dd_entries *entries)
{
    char *path = NULL;
    size_t size = 0;
    dd_status status = DD_OK;
    rewind(list);
    while (!status && getdelim(&path, &size, '\0', list) > 0)
        status = dd_entries_leave_out(entries, path, "");
    free(path);
    return status;
}

/* ---- running ---- */

static dd_status missing_package(const char *interpreter, const char *script)
{
    char *needed = dd_share_path("requirements.txt", "requirements.txt");
    if (!needed)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status = dd_fail(DD_ERR_TOOL,
                               "%s does not have a package that %s needs: run python3 -m pip install -r %s, or set "
                               "DUALDIFF_PYTHON to a Python that has numpy, h5py and matplotlib",
                               interpreter, script, needed);
    free(needed);
    return status;
}

/* A stream that was closed when this program began is not writable (main.c), and a script would treat that as an error.
 */
static void replace_closed(posix_spawn_file_actions_t *actions)
{
    for (int i = STDOUT_FILENO; i <= STDERR_FILENO; i++)
        if ((fcntl(i, F_GETFL) & O_ACCMODE) == O_RDONLY)
            posix_spawn_file_actions_addopen(actions, i, "/dev/null", O_WRONLY, 0);
}

static dd_status failed(const char *interpreter, const char *script, int wait_status)
{
    if (WIFSIGNALED(wait_status))
        return dd_fail(DD_ERR_TOOL, "%s %s was ended by signal %d; run the same command again", interpreter, script,
                       WTERMSIG(wait_status));
    if (WEXITSTATUS(wait_status) == MISSING_PACKAGE)
        return missing_package(interpreter, script);
    return dd_fail(DD_ERR_TOOL, "%s %s failed with exit status %d; its messages are above", interpreter, script,
                   WEXITSTATUS(wait_status));
}

/* On a file system without locks, the script's HDF5 would report files as damaged. */
static void leave_out_locks(const dd_entry *entry, int count)
{
    int file = count ? open(entry[0].path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0 && dd_lock_probe(file) == DD_LOCK_NONE)
        setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0);
    if (file >= 0)
        close(file);
}

/* Start the script with `list` as its standard input, and wait. */
static dd_status start_and_wait(const char *interpreter, const char *const *words, FILE *list)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int wait_status = 0;
    char **environment = environment_for(interpreter);
    if (!environment)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    fflush(stdout);
    posix_spawn_file_actions_init(&actions);
    replace_closed(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(list), STDIN_FILENO);
    int problem = posix_spawnp(&child, interpreter, &actions, NULL, (char *const *)words, environment);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    if (problem)
        return dd_fail(DD_ERR_TOOL, "%s cannot be started: %s; install Python 3, or name it in DUALDIFF_PYTHON",
                       interpreter, strerror(problem));
    while (waitpid(child, &wait_status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(wait_status) && !WEXITSTATUS(wait_status) ? DD_OK
                                                               : failed(interpreter, words[SCRIPT], wait_status);
}

/* Names and paths are bytes: with -X utf8 the script gets them unchanged in every locale. The script inherits
 * `left_out`.
 */
static dd_status run_script(const char *path, const char *const *argument, FILE *list, FILE *left_out)
{
    const char *interpreter = find_interpreter();
    const char *words[MOST_ARGUMENTS + OWN_ARGUMENTS + 1] = {interpreter, "-X", "utf8", path};
    char descriptor[32];
    snprintf(descriptor, sizeof descriptor, "%d", fileno(left_out));
    int count = SCRIPT + 1;
    while (*argument && count < MOST_ARGUMENTS + SCRIPT + 1)
        words[count++] = *argument++;
    words[count++] = "--left-out";
    words[count] = descriptor;
    return start_and_wait(interpreter, words, list);
}

dd_status dd_tool_run(const char *script, const char *const *argument, dd_entries *entries, int count)
{
    char *path = find_script(script);
    FILE *list = tmpfile(), *left_out = tmpfile();
    dd_status status = DD_OK;
    if (!path)
        DD_CHECK(dd_fail(DD_ERR_MEMORY, "out of memory"));
    if (!list || !left_out)
        DD_CHECK(temporary_failed());
    if (access(path, R_OK))
        DD_CHECK(dd_fail(DD_ERR_TOOL,
                         "%s: %s; install dualdiff with its share folder, or do not move its source folder", path,
                         strerror(errno)));
    DD_CHECK(list_entries(list, entries->entry, count));
    leave_out_locks(entries->entry, count);
    status = run_script(path, argument, list, left_out);
    if (!status)
        status = take_left_out(left_out, entries);
done:
    if (list)
        fclose(list);
    if (left_out)
        fclose(left_out);
    free(path);
    return status;
}
