/* The base layer is what all other layers build on: errors, files, locks, threads, random numbers, text. It knows
 * nothing of models, points or runs. This header is its centre: every function that can fail returns a dd_status and
 * leaves one message for the user.
 *
 *     dd_status status = dd_config_read(path, &config);
 *     if (status) {
 *         fprintf(stderr, "dualdiff: %s\n", dd_error_message());
 *         return status;                       // only main ends the program
 *     }
 *
 * A message names the file, the place in it, and what to do. The library never prints and never exits. The codes double
 * as the program's exit codes; `dualdiff --help` lists them.
 */
#ifndef DD_ERROR_H
#define DD_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dd_status {
    DD_OK = 0,
    DD_ERR_INTERNAL = 1, /* a bug in the program: please report it */
    DD_ERR_USAGE = 2,    /* command line */
    DD_ERR_CONFIG = 3,   /* configuration file or --set */
    DD_ERR_DATA = 4,     /* points a user supplied */
    DD_ERR_IO = 5,       /* a file is missing, unreadable, truncated, foreign, or cannot be written */
    DD_ERR_CONFLICT =
        6, /* what exists on disk belongs to another configuration or writer, or is of another kind; it is kept */
    DD_ERR_NUMERIC = 7, /* loss became NaN or infinite */
    DD_ERR_MEMORY = 8,  /* host or device memory */
    DD_ERR_BACKEND = 9, /* backend not available, or the device failed */
    DD_ERR_TOOL = 10,   /* a helper program (python3 for plots) is missing or failed */
    DD_STOPPED = 130    /* stopped by a signal after a checkpoint; the same command resumes */
} dd_status;

/* Before a function's declaration: the caller must check the status. */
#define DD_CHECKED __attribute__((warn_unused_result))

/* Ignore a status on purpose: when cleaning up after a failure that already has its message. */
static inline void dd_ignore(dd_status status)
{
    (void)status;
}

/* Record a message (printf format) for the calling thread and return `status`. The message of an
 * earlier failure is replaced. Control characters in it, which names and files may hold, become '?' (names.h). */
dd_status dd_fail(dd_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put "<context>: " before the current message; returns the current status. */
dd_status dd_fail_context(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The calling thread's last message ("" if none). A backend's threads pass their message to the caller with dd_fail. */
const char *dd_error_message(void);

/* If the call fails, return its status from the enclosing function. */
#define DD_TRY(call)                                                                                                   \
    do {                                                                                                               \
        dd_status dd_try_status_ = (call);                                                                             \
        if (dd_try_status_)                                                                                            \
            return dd_try_status_;                                                                                     \
    } while (0)

/* The same where the function must release something first: it needs `dd_status status` and a label `done`. */
#define DD_CHECK(call)                                                                                                 \
    do {                                                                                                               \
        status = (call);                                                                                               \
        if (status)                                                                                                    \
            goto done;                                                                                                 \
    } while (0)

/* The entry of names[0..count) closest to `word` by edit distance, else the first that begins with `word`, else NULL.
 * Used to suggest a name for an unknown key, subcommand, backend or dataset. */
const char *dd_closest(const char *word, const char *const *names, int count);

/* The same as the end of a message: "; did you mean '<entry>'?", or "". Returns out. */
enum { DD_SUGGESTION = 128 };
const char *dd_suggest(const char *word, const char *const *names, int count, char out[DD_SUGGESTION]);

#ifdef __cplusplus
}
#endif
#endif
