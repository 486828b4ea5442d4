/* A barrier for the threads of a pool. A step of a few milliseconds has six of them, so a waiting thread spins first:
 * the others usually come within microseconds, and a system call takes longer. Then it sleeps, so that a thread that
 * waits for long (for a thread whose processor another program uses) takes no processor from others. */
#ifndef DD_BARRIER_H
#define DD_BARRIER_H

#include <stdatomic.h>

typedef struct dd_barrier {
    _Alignas(64) atomic_int waiting;
    _Alignas(64) atomic_int round; /* how often all threads have met; what a thread waits on */
    atomic_int sleeping;           /* threads to wake */
    int size;
    int spins; /* 0 where there are more threads than processors: a thread that spins would hold up the others */
} dd_barrier;

/* Returns when `size` threads have called it. */
void dd_barrier_wait(dd_barrier *barrier);

#endif
