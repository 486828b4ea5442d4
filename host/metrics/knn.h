/* Exact k-nearest-neighbour distances in the plane, on the host whatever the backend. */
#ifndef DD_KNN_H
#define DD_KNN_H

#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"

/* distance[i], [queries]: Chebyshev distance, computed in float64, from query[i] to its k-th nearest
 * point; query (queries, 2), point (n, 2), all finite. With exclude_self, query and point are the same
 * set and point i is no neighbour of query i; duplicates of it are. The same bits for every number of threads. The pool
 * must be idle, or NULL: the calling thread does it alone, as it does a small search. DD_ERR_DATA when there are fewer
 * than k points to find, DD_ERR_MEMORY, DD_STOPPED (cancel.h). */
DD_CHECKED dd_status dd_knn(dd_pool *pool, const float *query, uint32_t queries, const float *point, uint32_t n, int k,
                            int exclude_self, double *distance);

#endif
