/* Worker threads that wait in a spin loop while there is work close behind, and sleep when there is not. A backend has
 * them (dd_backend_pool); the CPU backend computes on them, and so does the host beside any backend.
 *
 *     dd_pool_run(pool, step_task, &job);          // step_task(&job, team) on every thread, then returns
 *
 * Inside a task dd_team_barrier waits for all threads of the team without a system call, which at six
 * barriers in a few milliseconds matters.
 */
#ifndef DD_POOL_H
#define DD_POOL_H

#include "base/error.h"

typedef struct dd_pool dd_pool;

/* Who wants to know how far the work on a pool is. `tell` is called by the thread that called into the pool, from
 * inside its tasks too: done of total of a phase ("sampling"), both 0 where a phase begins. */
typedef struct dd_watch {
    void (*tell)(void *user, const char *phase, long long done, long long total);
    void *user;
} dd_watch;

/* The threads that work on one thing together; a team of one has nothing to wait for. */
typedef struct dd_team {
    int rank, size;
    struct dd_barrier *barrier; /* NULL in a team of one */
    const dd_pool *watched;     /* of rank 0, where somebody watches; else NULL */
} dd_team;

typedef void (*dd_task)(void *argument, const dd_team *team);

/* threads >= 1, the caller's thread included. */
DD_CHECKED dd_status dd_pool_create(int threads, dd_pool **pool);
void dd_pool_destroy(dd_pool *pool);
int dd_pool_threads(const dd_pool *pool);

/* Run the task on every thread; the caller is rank 0. Returns when all are done. */
void dd_pool_run(dd_pool *pool, dd_task task, void *argument);

void dd_team_barrier(const dd_team *team);

/* Have the work on this pool watched; NULL: no more. */
void dd_pool_watch(dd_pool *pool, const dd_watch *watch);

/* What computes says where it is, by its name and then by what it has done; without a watch these do nothing. */
void dd_pool_phase(dd_pool *pool, const char *phase);
void dd_pool_tell(const dd_pool *pool, long long done, long long total);

/* The same inside a task, for rank 0, whose share is taken for everybody's. */
static inline void dd_team_tell(const dd_team *team, long long done, long long total)
{
    if (team->watched)
        dd_pool_tell(team->watched, done, total);
}

/* Share `count` items out: this rank's are [*first, *last). */
static inline void dd_team_share(const dd_team *team, int count, int *first, int *last)
{
    *first = (int)((long long)count * team->rank / team->size);
    *last = (int)((long long)count * (team->rank + 1) / team->size);
}

/* Cores that this process may use. */
int dd_cores(void);

#endif
