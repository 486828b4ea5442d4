#define _GNU_SOURCE /* syscall */
#include "base/barrier.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

/* How long a thread spins: longer than the threads' differences in one phase of a step, shorter than a scheduler's
 * tick. */
static const double spinning = 100e-6;

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline int is_over(dd_barrier *b, int round)
{
    return atomic_load_explicit(&b->round, memory_order_acquire) != round;
}

static int spin(dd_barrier *b, int round)
{
    enum { BETWEEN_CLOCKS = 64 };
    double end = 0.;
    do {
        for (int i = 0; i < BETWEEN_CLOCKS; i++) {
            if (is_over(b, round))
                return 1;
            relax();
        }
        end = end > 0. ? end : dd_now() + spinning;
    } while (dd_now() < end);
    return 0;
}

/* The kernel compares the round once more before the thread sleeps, so a wake-up cannot be missed: either the last
 * thread sees that this one sleeps, or the kernel sees the new round. */
static void sleep_until_over(dd_barrier *b, int round)
{
    atomic_fetch_add(&b->sleeping, 1);
    while (!is_over(b, round))
        syscall(SYS_futex, &b->round, FUTEX_WAIT_PRIVATE, round, NULL, NULL, 0);
    atomic_fetch_sub(&b->sleeping, 1);
}

void dd_barrier_wait(dd_barrier *b)
{
    int round = atomic_load_explicit(&b->round, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&b->waiting, 1, memory_order_acq_rel) < b->size - 1) {
        if (!b->spins || !spin(b, round))
            sleep_until_over(b, round);
        return;
    }
    atomic_store_explicit(&b->waiting, 0, memory_order_relaxed);
    atomic_store(&b->round, (int)((unsigned)round + 1));
    if (atomic_load(&b->sleeping))
        syscall(SYS_futex, &b->round, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
