/* Threads of a pool meet at every barrier, also if there are many more of them than processors. */
#include <stdatomic.h>

#include "base/pool.h"
#include "check.h"

enum { MOST = 40, ROUNDS = 500 };

typedef struct meeting {
    atomic_int round[MOST]; /* the last one that each thread began */
    atomic_int early;       /* times that a thread passed a barrier before another had come */
} meeting;

static void meet(void *argument, const dd_team *team)
{
    meeting *m = argument;
    for (int round = 1; round <= ROUNDS; round++) {
        atomic_store(&m->round[team->rank], round);
        dd_team_barrier(team);
        for (int i = 0; i < team->size; i++)
            if (atomic_load(&m->round[i]) < round)
                atomic_fetch_add(&m->early, 1);
        dd_team_barrier(team);
    }
}

int main(void)
{
    static const int sizes[] = {1, 2, 3, 8, MOST};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        dd_pool *pool = NULL;
        CHECK_OK(dd_pool_create(sizes[i], &pool));
        for (int task = 0; task < 3; task++) {
            meeting m = {.early = 0};
            dd_pool_run(pool, meet, &m);
            CHECK(!m.early, "%d threads, task %d: %d", sizes[i], task, m.early);
            for (int rank = 0; rank < sizes[i]; rank++)
                CHECK(m.round[rank] == ROUNDS, "%d threads, rank %d: %d", sizes[i], rank, m.round[rank]);
        }
        dd_pool_destroy(pool);
    }
    return check_report();
}
