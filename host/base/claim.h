/* A claim: a file that says which process writes next to it, for file systems without locks. It is created by one
 * atomic call (O_EXCL), so only one process can have it. Its text is five lines: host, boot, process, time, machine.
 *
 * A killed process leaves its claim behind. A claim of this host whose process has ended is taken over. A claim of
 * another host (which may have the same name) cannot be checked from here; the message says who has held it since when,
 * and what to do.
 */
#ifndef DD_CLAIM_H
#define DD_CLAIM_H

#include "base/error.h"

/* Create the claim at `path`; messages call the claimed file `target`. *mine becomes the text that was written,
 * malloc'ed. DD_ERR_CONFLICT: another process holds it. DD_ERR_IO: it cannot be created. */
DD_CHECKED dd_status dd_claim_take(const char *path, const char *target, char **mine);

/* DD_ERR_CONFLICT if another process holds the claim `path`. Does not create it. */
DD_CHECKED dd_status dd_claim_absent(const char *path, const char *target);

/* 1 if the claim at `path` has the text `mine`, 0 if it has another text, -1 if there is no claim. */
int dd_claim_is(const char *path, const char *mine);

/* Remove the claim if it is `mine`; frees `mine`. */
void dd_claim_release(const char *path, char *mine);

#endif
