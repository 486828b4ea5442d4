/* Work that may crash, hang or take all memory, done in a child process that sends its result through a pipe.
 *
 *     dd_child child;
 *     DD_TRY(dd_child_start(&child, &limits, work, &job));       // work(job, pipe) runs in the child
 *     while (dd_child_read(&child, &part, sizeof part)) ...      // 0: the child sends no more
 *     status = dd_child_end(&child, path);                       // how it ended
 *
 * It is needed for the HDF5 library, which crashes on some damaged files.
 */
#ifndef DD_CHILD_H
#define DD_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/error.h"

typedef struct dd_child_limits {
    uint64_t memory; /* bytes beyond what the process has mapped at the start */
    uint64_t time;   /* s of computing */
} dd_child_limits;

typedef struct dd_child {
    pid_t pid;
    FILE *data; /* what `work` writes */
    int ending; /* a pipe for status and message */
    dd_child_limits limits;
} dd_child;

/* Start `work` in a child. The status that it returns and its message (dd_fail) reach the parent. The child's standard
 * output and error are discarded. DD_ERR_IO: no process can be started. */
DD_CHECKED dd_status dd_child_start(dd_child *child, const dd_child_limits *limits,
                                    dd_status (*work)(void *user, int pipe), void *user);

/* For the child. It exits here when the parent no longer reads. */
void dd_child_write(int pipe, const void *data, size_t n);
/* For the parent: read exactly n bytes that the child wrote. Returns false when there are no more. */
bool dd_child_read(dd_child *child, void *data, size_t n);

/* Wait for the child's end; unread data is lost. Call it once after each dd_child_start. Returns the status of `work`
 * with its message, or DD_ERR_IO with a message that names the file `path` and says how the child died. */
DD_CHECKED dd_status dd_child_end(dd_child *child, const char *path);

#endif
