/* Fibers. On x86-64 a switch is a dozen instructions; elsewhere it is swapcontext. */
#include "fiber.h"

#include <sys/mman.h>

#include <cstdlib>

#if !defined(__x86_64__) || defined(SUBSTITUTE_UCONTEXT)
#include <ucontext.h>
#define PORTABLE 1
#else
#define PORTABLE 0
#endif

namespace substitute
{

#if defined(__SANITIZE_ADDRESS__)
constexpr size_t stack_size = 256 << 10; /* red zones make frames large */
#else
constexpr size_t stack_size = 64 << 10;
#endif
constexpr size_t slot_size = stack_size + 4096; /* a guard page below each */
constexpr int most_fibers = 1056;               /* a block's threads, and some more */

struct Fiber {
    char *stack;
    void (*main)();
#if PORTABLE
    ucontext_t context;
#else
    void *stack_pointer;
#endif
    void *fake_stack; /* the address sanitizer's */
};

static char *stacks;
static Fiber fibers[most_fibers];
static std::vector<Fiber *> pool;
static int made;
static Fiber *running;
#if PORTABLE
static ucontext_t scheduler;
#else
static void *scheduler;
#endif
static void *scheduler_fake_stack;
static const void *scheduler_stack;
static size_t scheduler_stack_size;

#if defined(__SANITIZE_ADDRESS__)
static void switch_begins(void **fake_stack, const void *stack, size_t size)
{
    __sanitizer_start_switch_fiber(fake_stack, stack, size);
}
static void switch_ends(void *fake_stack, const void **from, size_t *from_size)
{
    __sanitizer_finish_switch_fiber(fake_stack, from, from_size);
}
#else
static inline void switch_begins(void **, const void *, size_t) {}
static inline void switch_ends(void *, const void **, size_t *) {}
#endif

#if !PORTABLE
/* Save the callee-saved registers and the stack pointer, take the other's. A jump, as the processor foretells a return
 * to where the last call came from, which is the fiber that is left. */
extern "C" void substitute_switch(void **save, void *load) __attribute__((visibility("hidden")));
asm(".text\n"
    ".p2align 4\n"
    ".hidden substitute_switch\n"
    ".globl substitute_switch\n"
    ".type substitute_switch, @function\n"
    "substitute_switch:\n"
    "    pushq %rbp\n"
    "    pushq %rbx\n"
    "    pushq %r12\n"
    "    pushq %r13\n"
    "    pushq %r14\n"
    "    pushq %r15\n"
    "    movq %rsp, (%rdi)\n"
    "    movq %rsi, %rsp\n"
    "    popq %r15\n"
    "    popq %r14\n"
    "    popq %r13\n"
    "    popq %r12\n"
    "    popq %rbx\n"
    "    popq %rbp\n"
    "    popq %rcx\n"
    "    jmpq *%rcx\n"
    ".size substitute_switch, .-substitute_switch\n");
#endif

static void begin()
{
    switch_ends(nullptr, &scheduler_stack, &scheduler_stack_size);
    running->main();
    abort();
}

Fiber *fiber_take(void (*main)())
{
    if (!stacks) {
        void *map =
            mmap(nullptr, most_fibers * slot_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (map == MAP_FAILED)
            abort();
        stacks = static_cast<char *>(map);
    }
    if (pool.empty()) {
        if (made == most_fibers)
            abort();
        Fiber *fresh = &fibers[made];
        fresh->stack = stacks + (size_t)made * slot_size + 4096;
        if (mprotect(fresh->stack, stack_size, PROT_READ | PROT_WRITE))
            abort();
        made++;
        pool.push_back(fresh);
    }
    Fiber *fiber = pool.back();
    pool.pop_back();
    fiber->main = main;
    fiber->fake_stack = nullptr;
    ASAN_UNPOISON_MEMORY_REGION(fiber->stack, stack_size);
    /* Tops lie apart in the cache's sets, or the frames of all fibers would fight for the same. */
    size_t colour = (size_t)(fiber - fibers) % 61 * 64;
#if PORTABLE
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = stack_size - colour;
    fiber->context.uc_link = nullptr;
    makecontext(&fiber->context, begin, 0);
#else
    void **top = reinterpret_cast<void **>(fiber->stack + stack_size - colour);
    *--top = nullptr; /* begin's return address */
    *--top = reinterpret_cast<void *>(begin);
    for (int saved = 0; saved < 6; saved++)
        *--top = nullptr;
    fiber->stack_pointer = top;
#endif
    return fiber;
}

void fiber_give(Fiber *fiber)
{
    pool.push_back(fiber);
}

void fiber_enter(Fiber *fiber)
{
    running = fiber;
    switch_begins(&scheduler_fake_stack, fiber->stack, stack_size);
#if PORTABLE
    swapcontext(&scheduler, &fiber->context);
#else
    substitute_switch(&scheduler, fiber->stack_pointer);
#endif
    switch_ends(scheduler_fake_stack, nullptr, nullptr);
}

void fiber_leave()
{
    Fiber *fiber = running;
    switch_begins(&fiber->fake_stack, scheduler_stack, scheduler_stack_size);
#if PORTABLE
    swapcontext(&fiber->context, &scheduler);
#else
    substitute_switch(&fiber->stack_pointer, scheduler);
#endif
    switch_ends(fiber->fake_stack, &scheduler_stack, &scheduler_stack_size);
}

bool on_fiber_stack(const void *address)
{
    const char *p = static_cast<const char *>(address);
    return stacks && p >= stacks && p < stacks + most_fibers * slot_size;
}

} // namespace substitute
