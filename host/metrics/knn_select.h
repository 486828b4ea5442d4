/* Reordering points along one coordinate, for building search trees. Define DD_AXES, the coordinates of a record,
 * before including this. */
#ifndef DD_KNN_SELECT_H
#define DD_KNN_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#define DD_INLINE static inline __attribute__((always_inline))

enum { DD_DRAWN_KEYS = 31 }; /* most keys that are drawn to choose a pivot */

typedef struct dd_record {
    float x[DD_AXES];
    uint32_t index; /* in the caller's order */
} dd_record;

/* Move the records of [first, end) whose key is below the pivot (with or_equal: not above it) to the front, and return
 * their end. The loop has no branch that the processor could predict wrongly. */
DD_INLINE uint32_t dd_move_below(dd_record *r, uint32_t first, uint32_t end, const int axis, float pivot,
                                 const bool or_equal)
{
    for (uint32_t i = first; i < end; i++) {
        dd_record moved = r[i];
        r[i] = r[first];
        r[first] = moved;
        first += or_equal ? moved.x[axis] <= pivot : moved.x[axis] < pivot;
    }
    return first;
}

/* Reorder the records of [first, end) so that position `middle` has the record that sorting along `axis` would put
 * there, with nothing greater before it and nothing smaller after it. Each round discards the records on the other side
 * of a pivot. The pivot is chosen from a few drawn keys, by the rank of the middle, shifted a little so that the middle
 * stays in the smaller part. */
DD_INLINE void dd_select_along(dd_record *r, const int axis, uint32_t first, uint32_t end, uint32_t middle)
{
    uint32_t random = 0x9E3779B9u;
    while (end - first > 1) {
        uint32_t n = end - first;
        int drawn = n > 2000 ? DD_DRAWN_KEYS : n > 200 ? 9 : 3;
        float key[DD_DRAWN_KEYS];
        for (int i = 0; i < drawn; i++) {
            random = random * 1664525u + 1013904223u;
            float k = r[first + (uint32_t)((uint64_t)random * n >> 32)].x[axis];
            int j = i;
            for (; j > 0 && key[j - 1] > k; j--)
                key[j] = key[j - 1];
            key[j] = k;
        }
        int rank = (int)((uint64_t)(middle - first) * (uint32_t)drawn / n);
        float pivot = key[rank <= drawn / 2 ? rank + drawn / 8 : rank - drawn / 8];
        uint32_t cut = dd_move_below(r, first, end, axis, pivot, false);
        if (middle < cut) {
            end = cut;
            continue;
        }
        if (cut == first) { /* the pivot is the least key: separate it and its equals, or the loop would not end */
            cut = dd_move_below(r, first, end, axis, pivot, true);
            if (middle < cut)
                return;
        }
        first = cut;
    }
}

#endif
