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

typedef struct dd_pool dd_pool;

/* The threads that work on one thing together; a team of one has nothing to wait for. */
typedef struct dd_team {
    int rank, size;
    struct dd_barrier *barrier; /* NULL in a team of one */
} dd_team;

typedef void (*dd_task)(void *argument, const dd_team *team);

/* threads >= 1, the caller's thread included. */
int dd_pool_create(int threads, dd_pool **pool);
void dd_pool_destroy(dd_pool *pool);
int dd_pool_threads(const dd_pool *pool);

/* Run the task on every thread; the caller is rank 0. Returns when all are done. */
void dd_pool_run(dd_pool *pool, dd_task task, void *argument);

void dd_team_barrier(const dd_team *team);

/* Share `count` items out: this rank's are [*first, *last). */
static inline void dd_team_share(const dd_team *team, int count, int *first, int *last)
{
    *first = (int)((long long)count * team->rank / team->size);
    *last = (int)((long long)count * (team->rank + 1) / team->size);
}

/* Cores that this process may use. */
int dd_cores(void);

#endif
