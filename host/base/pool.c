#include "base/pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/barrier.h"
#include "base/error.h"
#include "base/processors.h"

struct dd_pool {
    dd_barrier barrier;
    int threads;
    pthread_t *worker; /* [threads - 1] */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    unsigned job; /* number of tasks started; workers wait for it to change */
    int stop;
    dd_task task;
    void *argument;
    dd_watch watch;    /* tell is NULL: nobody watches */
    const char *phase; /* of the work that is watched */
};

typedef struct worker_argument {
    dd_pool *pool;
    int rank;
} worker_argument;

void dd_team_barrier(const dd_team *team)
{
    if (team->barrier)
        dd_barrier_wait(team->barrier);
}

static void run_task(dd_pool *pool, int rank)
{
    dd_team team = {.rank = rank, .size = pool->threads, .barrier = pool->threads > 1 ? &pool->barrier : NULL};
    if (!rank && pool->watch.tell)
        team.watched = pool;
    pool->task(pool->argument, &team);
    dd_team_barrier(&team);
}

static void *work(void *p)
{
    worker_argument argument = *(worker_argument *)p;
    free(p);
    dd_pool *pool = argument.pool;
    for (unsigned seen = 0;;) {
        pthread_mutex_lock(&pool->mutex);
        while (pool->job == seen && !pool->stop)
            pthread_cond_wait(&pool->wake, &pool->mutex);
        seen = pool->job;
        int stop = pool->stop;
        pthread_mutex_unlock(&pool->mutex);
        if (stop)
            return NULL;
        run_task(pool, argument.rank);
    }
}

dd_status dd_pool_create(int threads, dd_pool **out)
{
    *out = NULL;
    dd_pool *pool = aligned_alloc(64, (sizeof *pool + 63) / 64 * 64);
    if (!pool)
        return dd_fail(DD_ERR_MEMORY, "out of memory for threads");
    *pool = (dd_pool){.threads = 1, .barrier = {.size = threads, .spins = threads <= dd_processors()}};
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->worker = calloc((size_t)threads, sizeof *pool->worker);
    for (int rank = 1; rank < threads && pool->worker; rank++) {
        worker_argument *argument = malloc(sizeof *argument);
        if (argument)
            *argument = (worker_argument){pool, rank};
        if (!argument || pthread_create(&pool->worker[rank - 1], NULL, work, argument)) {
            free(argument);
            break;
        }
        pool->threads++;
    }
    if (pool->threads < threads || !pool->worker) {
        int started = pool->threads;
        dd_pool_destroy(pool);
        return dd_fail(DD_ERR_MEMORY, "only %d of %d threads could be started; use --threads %d", started, threads,
                       started);
    }
    *out = pool;
    return DD_OK;
}

void dd_pool_destroy(dd_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->stop = 1;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (int rank = 1; rank < pool->threads; rank++)
        pthread_join(pool->worker[rank - 1], NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->worker);
    free(pool);
}

int dd_pool_threads(const dd_pool *pool)
{
    return pool ? pool->threads : 1;
}

void dd_pool_run(dd_pool *pool, dd_task task, void *argument)
{
    if (!pool) {
        task(argument, &(dd_team){.rank = 0, .size = 1});
        return;
    }
    pool->task = task;
    pool->argument = argument;
    if (pool->threads > 1) {
        pthread_mutex_lock(&pool->mutex);
        pool->job++;
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->mutex);
    }
    run_task(pool, 0);
}

void dd_pool_watch(dd_pool *pool, const dd_watch *watch)
{
    pool->watch = watch ? *watch : (dd_watch){0};
    pool->phase = "";
}

void dd_pool_tell(const dd_pool *pool, long long done, long long total)
{
    if (pool->watch.tell)
        pool->watch.tell(pool->watch.user, pool->phase, done, total);
}

void dd_pool_phase(dd_pool *pool, const char *phase)
{
    pool->phase = phase;
    dd_pool_tell(pool, 0, 0);
}
