/* Chooses the search for k nearest neighbours. */
#include "metrics/knn.h"

#include <stddef.h>

#include "base/error.h"
#include "metrics/knn_search.h"

enum { FEW = 2048 }; /* points and queries up to which one thread is faster */

void dd_knn_heap_replace(double *heap, int k, double distance)
{
    int i = 0;
    for (int child; (child = 2 * i + 1) < k; i = child) {
        if (child + 1 < k && heap[child + 1] > heap[child])
            child++;
        if (heap[child] <= distance)
            break;
        heap[i] = heap[child];
    }
    heap[i] = distance;
}

/* bench/SPEED.md has the times of both searches in 1 to 32 dimensions. */
static dd_status find(const dd_knn_search *s, dd_pool *pool)
{
    switch (s->dimensions) {
    case 1:
        return dd_knn_tree_1(s, pool);
    case 2:
        return dd_knn_tree_2(s, pool);
    case 3:
        return dd_knn_tree_3(s, pool);
    case 4:
        return dd_knn_tree_4(s, pool);
    default:
        return dd_knn_blocks(s, pool);
    }
}

dd_status dd_knn(dd_pool *pool, const float *query, uint32_t queries, const float *point, uint32_t n, int dimensions,
                 int k, bool exclude_self, double *distance)
{
    uint32_t others = exclude_self && n ? n - 1 : n;
    if (k < 1 || (uint32_t)k > others)
        return dd_fail(DD_ERR_DATA, "nearest neighbours: k = %d needs more than %u points", k, others);
    if (!queries)
        return DD_OK;
    /* A point's distance to itself is 0, and no distance is less, so the k-th of the others is the (k + 1)-th of
     * all. */
    dd_knn_search s = {.query = query,
                       .point = point,
                       .queries = queries,
                       .n = n,
                       .dimensions = dimensions,
                       .k = exclude_self ? k + 1 : k,
                       .distance = distance};
    return find(&s, queries < FEW && n < FEW ? NULL : pool);
}
