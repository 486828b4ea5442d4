/* Arrays in one allocation: places, zeros, and sizes that no memory has. */
#include "check.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"

/* The address sanitizer would end the program where an allocation fails. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

typedef struct arrays {
    char *letter;
    double *value;
    int *none, *number;
} arrays;

static void take_arrays(arrays *a, dd_arena *arena)
{
    DD_TAKE(arena, a->letter, 65);
    DD_TAKE(arena, a->value, 3);
    DD_TAKE(arena, a->none, 0);
    DD_TAKE(arena, a->number, 1);
}

static void check_places(void)
{
    arrays a = {0};
    dd_arena arena = {0};
    take_arrays(&a, &arena);
    CHECK(!a.letter && !a.value && !a.number, "an array before there is memory");
    CHECK(arena.used == 4 * 64, "%zu bytes", arena.used);
    char *memory = dd_arena_allocate(&arena);
    take_arrays(&a, &arena);
    CHECK(memory && (uintptr_t)memory % 64 == 0, "no memory, or not aligned");
    CHECK(a.letter == memory && (char *)a.value == memory + 128 && (char *)a.number == memory + 192, "wrong places");
    for (size_t i = 0; memory && i < arena.used; i++)
        CHECK(!memory[i], "byte %zu is %d", i, memory[i]);
    free(memory);
}

static void check_overflow(void)
{
    static const size_t count[][2] = {
        {SIZE_MAX, 0}, {SIZE_MAX / 8 + 2, 0}, {SIZE_MAX / 16, SIZE_MAX / 16}, {PTRDIFF_MAX / 8, 9}};
    for (size_t i = 0; i < sizeof count / sizeof *count; i++) {
        dd_arena arena = {0};
        double *first, *second;
        DD_TAKE(&arena, first, count[i][0]);
        DD_TAKE(&arena, second, count[i][1]);
        CHECK(!first && !second && !dd_arena_allocate(&arena), "sizes %zu", i);
    }
    CHECK(!dd_aligned_zeros(SIZE_MAX / 8 + 2, 8), "one array whose size overflows");
}

static void check_large(void)
{
    char *zeros = dd_aligned_zeros(3 << 20, 1); /* large pages */
    CHECK(zeros && (uintptr_t)zeros % (2 << 20) == 0 && !zeros[0] && !zeros[(3 << 20) - 1], "3 MiB");
    free(zeros);
}

int main(void)
{
    check_places();
    check_overflow();
    check_large();
    return check_report();
}
