/* An arena: one allocation that holds several arrays. A function that takes all arrays is called twice: first it
 * measures, then it gives each array its place.
 *
 *     static void take_tables(schedule *s, dd_arena *arena)
 *     {
 *         DD_TAKE(arena, s->beta, s->timesteps);
 *         DD_TAKE(arena, s->keep, s->steps);
 *     }
 *
 *     dd_arena arena = {0};
 *     take_tables(s, &arena);
 *     s->memory = dd_arena_allocate(&arena);
 *     if (!s->memory)
 *         return dd_fail(DD_ERR_MEMORY, ...);
 *     take_tables(s, &arena);
 *     ...
 *     free(s->memory);
 *
 * While it measures, all arrays are NULL, so that function may not look into them.
 */
#ifndef DD_ARENA_H
#define DD_ARENA_H

#include <stddef.h>

typedef struct dd_arena {
    char *memory; /* NULL: only measure */
    size_t used;  /* bytes of the arrays that were taken so far */
} dd_arena;

/* The next array, of `count` elements of `size` bytes; NULL while the arena only measures. It begins at a multiple of
 * 64 bytes. If the sum of all sizes is more than memory can have, the allocation fails. */
void *dd_arena_take(dd_arena *arena, size_t count, size_t size);
#define DD_TAKE(arena, pointer, count) ((pointer) = dd_arena_take((arena), (count), sizeof *(pointer)))

/* Allocate what was measured, filled with zeros, and start again with the first array. The caller passes the result to
 * free(); NULL: out of memory. */
void *dd_arena_allocate(dd_arena *arena);

/* One array in a separate allocation, with the same alignment and filled with zeros. */
void *dd_aligned_zeros(size_t count, size_t size);

#endif
