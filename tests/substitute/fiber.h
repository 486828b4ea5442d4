/* Stacks that a GPU's threads run on, and switching between them and the scheduler's. */
#ifndef SUBSTITUTE_FIBER_H
#define SUBSTITUTE_FIBER_H

#include "internal.h"

namespace substitute
{

struct Fiber;

/* A fiber that will run main() from its beginning when it is next entered; main must not return. */
Fiber *fiber_take(void (*main)());
/* Back to the pool, wherever it was. */
void fiber_give(Fiber *fiber);
/* Scheduler: run the fiber until it leaves. */
void fiber_enter(Fiber *fiber);
/* Fiber: back to the scheduler, until entered again. */
void fiber_leave();

bool on_fiber_stack(const void *address);

} // namespace substitute

#endif
