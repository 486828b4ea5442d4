/* Exact k-nearest-neighbour distances computed on the host for every backend. */
#ifndef DD_KNN_H
#define DD_KNN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"

enum { DD_KNN_TREE_DIMENSIONS = 4 }; /* up to here points are searched by a tree, above by blocks, which takes longer */

/* distance[i], [queries]: Chebyshev distance, computed in float64, from query[i] to its k-th nearest point; query
 * (queries, D), point (n, D), all finite; D = dimensions >= 1. With exclude_self, query and point are the same set, and
 * point i is not a neighbour of query i, but its duplicates are. The result has the same bits for every number of
 * threads. The pool must be idle. Only the calling thread works if pool is NULL or the search is small. DD_ERR_DATA if
 * there are fewer than k points to find; DD_ERR_MEMORY, DD_STOPPED (cancel.h). */
DD_CHECKED dd_status dd_knn(dd_pool *pool, const float *query, uint32_t queries, const float *point, uint32_t n,
                            int dimensions, int k, bool exclude_self, double *distance);

#endif
