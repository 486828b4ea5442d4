#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const size_t line = 64, huge = (size_t)2 << 20;
/* More than any allocation can have; a multiple of `line`. */
static const size_t most = PTRDIFF_MAX / 64 * 64;

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

void *dd_arena_take(dd_arena *a, size_t count, size_t size)
{
    void *array = a->memory ? a->memory + a->used : NULL;
    a->used = count <= (most - a->used) / size ? a->used + round_up(count * size, line) : most;
    return array;
}

void *dd_arena_allocate(dd_arena *a)
{
    /* A training step uses about ten thousand 4 KiB pages, more than the processor's TLB has entries; so ask for large
     * pages. */
    size_t unit = a->used < huge ? line : huge, bytes = round_up(a->used + !a->used, unit);
    a->used = 0;
    a->memory = aligned_alloc(unit, bytes);
    if (!a->memory)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (unit == huge)
        (void)madvise(a->memory, bytes, MADV_HUGEPAGE); /* if it is refused, small pages work, too */
#endif
    return memset(a->memory, 0, bytes);
}

void *dd_aligned_zeros(size_t count, size_t size)
{
    dd_arena arena = {0};
    dd_arena_take(&arena, count, size);
    return dd_arena_allocate(&arena);
}
