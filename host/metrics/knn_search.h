/* The searches behind knn.h. Both are exact, so which one searches changes the time and no bit. */
#ifndef DD_KNN_SEARCH_H
#define DD_KNN_SEARCH_H

#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"

/* What is to be found: distance[i] becomes that from query[i] to the k-th of all n points, 1 <= k <= n. A query that is
 * one of the points is its own first neighbour. */
typedef struct dd_knn_search {
    const float *query; /* (queries, dimensions); may be `point` */
    const float *point; /* (n, dimensions) */
    uint32_t queries, n;
    int dimensions, k;
    double *distance; /* [queries] */
} dd_knn_search;

/* The Chebyshev distance that replaces the greatest of heap[k]. */
void dd_knn_heap_replace(double *heap, int k, double distance);

/* A k-d tree whose leaves are compared point by point (knn_tree.c); only for the dimensions in the name. pool NULL:
 * the caller alone works. DD_ERR_MEMORY, DD_STOPPED. */
DD_CHECKED dd_status dd_knn_tree_1(const dd_knn_search *search, dd_pool *pool);
DD_CHECKED dd_status dd_knn_tree_2(const dd_knn_search *search, dd_pool *pool);
DD_CHECKED dd_status dd_knn_tree_3(const dd_knn_search *search, dd_pool *pool);
DD_CHECKED dd_status dd_knn_tree_4(const dd_knn_search *search, dd_pool *pool);

/* Blocks of queries against blocks of points, coordinate by coordinate (knn_blocks.c); any dimensions. */
DD_CHECKED dd_status dd_knn_blocks(const dd_knn_search *search, dd_pool *pool);

#endif
