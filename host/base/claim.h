/* A claim: a file that says which process writes next to it, for file systems without locks. It is created by one
 * atomic call (O_EXCL), so only one process can have it. Its text is five lines: host, boot, process, time, machine.
 *
 * A killed process leaves its claim. One of this host whose process has ended is taken over; one of another host, also
 * of one that has the same name, cannot be judged from here, and the message says who has it since when and what to do.
 */
#ifndef DD_CLAIM_H
#define DD_CLAIM_H

#include "base/error.h"

/* Claim `path` (the claim's own path) for what is called `target` in messages. *mine becomes the text that was written,
 * malloc'ed. DD_ERR_CONFLICT: someone has it. DD_ERR_IO: it cannot be created. */
DD_CHECKED dd_status dd_claim_take(const char *path, const char *target, char **mine);

/* DD_ERR_CONFLICT if someone has claimed `path`, which is not taken here. */
DD_CHECKED dd_status dd_claim_absent(const char *path, const char *target);

/* Whether the claim at `path` has the text `mine`: 1, 0 for another text, -1 when there is none. */
int dd_claim_is(const char *path, const char *mine);

/* Remove the claim if it is `mine`; frees `mine`. */
void dd_claim_release(const char *path, char *mine);

#endif
