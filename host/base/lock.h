/* One writer for each file: locks that a killed process does not leave behind.
 *
 *     dd_lock *lock;
 *     DD_TRY(dd_lock_acquire("runs/run_1/dino/seed_0.h5", &lock));
 *     ... write ...
 *     dd_lock_release(lock);
 *
 * A lock has two parts. The first is flock on the hidden file .seed_0.h5.lock in the same folder, or a claim, where the
 * file system has no flock (Lustre, some NFS) or HDF5_USE_FILE_LOCKING=FALSE disables it. The claim is the file
 * .seed_0.h5.claim; it is created by one atomic call and says who holds it (claim.h). The second is a lock on the
 * folder itself, at a place made from the file's name (fcntl, "open file description"): a .lock file or claim can be
 * deleted while its owner works, the folder cannot. A file system that cannot lock folders has only the first part;
 * there dd_lock_check detects a deleted lock at the next checkpoint.
 *
 * If the path is a symbolic link, the file that it points to is locked.
 */
#ifndef DD_LOCK_H
#define DD_LOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct dd_lock dd_lock;

/* DD_ERR_CONFLICT: another process holds it, and the message says which one, if that is known. DD_ERR_IO: no lock file
 * can be made there. On failure *lock is NULL. */
DD_CHECKED dd_status dd_lock_acquire(const char *path, dd_lock **lock);

/* Check that this process still holds the lock. If its file was deleted, create it again. DD_ERR_CONFLICT: another
 * process has taken the lock; this process must not write any more. */
DD_CHECKED dd_status dd_lock_check(dd_lock *lock);

void dd_lock_release(dd_lock *lock); /* NULL: nothing */

/* ---- the locks of HDF5 files (hdf5/h5_open.c, hdf5/h5_driver.c) ---- */

typedef enum dd_lock_state { DD_LOCK_FREE, DD_LOCK_HELD, DD_LOCK_NONE } dd_lock_state;

/* Whether the open file can be locked for reading now: it is free, a writer holds it, or the file system has no
 * locks. */
dd_lock_state dd_lock_probe(int descriptor);

/* Whether an errno of flock says that the file system has no locks. */
bool dd_lock_is_missing(int error);

/* Whether HDF5_USE_FILE_LOCKING asks for no locks. */
bool dd_lock_is_disabled(void);

/* " (process 123, python3)" for the process that holds a flock on the open file; "" if the system does not say. */
void dd_lock_holder(int descriptor, char *out, size_t size);

#endif
