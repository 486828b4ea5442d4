/* Worker threads. Each backend has a pool (dd_backend_pool): the CPU backend computes on it, and so does the host code
 * with any backend.
 *
 *     dd_pool_run(pool, step_task, &job);          // runs step_task(&job, team) on every thread, then returns
 *
 * Inside a task, dd_team_barrier waits for all threads of the team (barrier.h).
 */
#ifndef DD_POOL_H
#define DD_POOL_H

#include "base/error.h"

typedef struct dd_pool dd_pool;

/* An observer of the progress of the work on a pool. The thread that called dd_pool_run calls `tell`, also from inside
 * its tasks, with done and total of a phase ("sampling"); both are 0 when a phase begins. */
typedef struct dd_watch {
    void (*tell)(void *user, const char *phase, long long done, long long total);
    void *user;
} dd_watch;

/* The threads that work together on one task; a team of one never waits. */
typedef struct dd_team {
    int rank, size;
    struct dd_barrier *barrier; /* NULL in a team of one */
    const dd_pool *watched;     /* for rank 0 of a watched pool; else NULL */
} dd_team;

typedef void (*dd_task)(void *argument, const dd_team *team);

/* threads >= 1 includes the calling thread. */
DD_CHECKED dd_status dd_pool_create(int threads, dd_pool **pool);
void dd_pool_destroy(dd_pool *pool);
int dd_pool_threads(const dd_pool *pool); /* 1 for NULL */

/* Run the task on every thread; the caller is rank 0. Returns when all threads have finished. pool NULL: the caller
 * alone works. */
void dd_pool_run(dd_pool *pool, dd_task task, void *argument);

void dd_team_barrier(const dd_team *team);

/* Watch the work on this pool; NULL: stop watching. */
void dd_pool_watch(dd_pool *pool, const dd_watch *watch);

/* Report progress: first the name of the phase, then how much is done. Without a watch these do nothing. */
void dd_pool_phase(dd_pool *pool, const char *phase);
void dd_pool_tell(const dd_pool *pool, long long done, long long total);

/* The same inside a task. Only rank 0 reports; its share of the work counts for all. */
static inline void dd_team_tell(const dd_team *team, long long done, long long total)
{
    if (team->watched)
        dd_pool_tell(team->watched, done, total);
}

/* Divide `count` items among the threads: this rank gets [*first, *last). */
static inline void dd_team_share(const dd_team *team, int count, int *first, int *last)
{
    *first = (int)((long long)count * team->rank / team->size);
    *last = (int)((long long)count * (team->rank + 1) / team->size);
}

#endif
